"""By what the vendors' refusals are recognised: each sign is reached, and each answer of theirs has its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.adapters.freee import signs as freee
from app.adapters.refusals import read_refusal
from app.adapters.signs import Sign, Signs, first
from app.adapters.smarthr import signs as smarthr
from app.domain.enums import Step, System
from app.domain.error_catalogue.entries import CATALOGUE

VENDORS = Path(__file__).resolve().parents[2] / "docs" / "vendors"
RECOGNISE = {System.FREEE: freee.recognise, System.SMARTHR: smarthr.recognise}
SIGNS = [
    pytest.param(signs, sign, id=f"{vendor.value} {sign.code} {sign.example}")
    for vendor, signs in ((System.FREEE, freee.FREEE), (System.SMARTHR, smarthr.SMARTHR))
    for sign in (*signs.stable, *signs.texts)
]


@pytest.mark.parametrize(("signs", "sign"), SIGNS)
def test_every_sign_is_reached(signs: Signs, sign: Sign) -> None:
    found = first((*signs.stable, *signs.texts), sign.example)
    assert found is not None, f"give {sign.code} an example that its own pattern finds"
    assert found == sign, (
        f"{sign.pattern!r} ({sign.code}) is never reached: {found.pattern!r} ({found.code}) stands before it. Put the"
        " more particular one first, or leave this one out"
    )
    assert sign.code in CATALOGUE, f"{sign.code} has no entry in app/domain/error_catalogue"


@pytest.mark.parametrize(("vendor", "signs"), [("freee", freee.FREEE), ("smarthr", smarthr.SMARTHR)])
def test_every_stable_code_is_among_the_facts_of_its_vendor(vendor: str, signs: Signs) -> None:
    page = VENDORS / f"{vendor}.md"
    codes = {
        code for sign in signs.stable for code in re.findall(r"[a-z]+(?:_[a-z]+)+", sign.pattern.replace(r"\b", " "))
    }
    assert len(codes) >= 3
    assert {code for code in codes if f"`{code}`" not in page.read_text(encoding="utf-8")} == set(), page.name


@pytest.mark.parametrize(
    ("system", "status", "text", "expected"),
    [
        # freee, 400: official example, documented messages, and plausible neighbours
        (System.FREEE, 400, "bad_request 締め日支払い日を選択してください。", "E4"),
        (System.FREEE, 400, "bad_request 入社日を入力してください", "E1"),
        (System.FREEE, 400, "入社年月日を入力してください。", "E1"),
        (System.FREEE, 400, "生年月日を入力してください", "E2"),
        (System.FREEE, 400, "姓カナを入力してください。", "E2"),
        (System.FREEE, 400, "bad_request 勤務・賃金設定が見つかりません。", "E5"),
        (System.FREEE, 400, "勤務賃金設定名が正しくありません", "E5"),
        (System.FREEE, 400, "給与方式は月給を選択してください", "E6"),
        (System.FREEE, 400, "フレックスタイム制では月給以外を指定できません", "E6"),
        (System.FREEE, 400, "従業員番号はすでに使用されています。", "E8"),
        (System.FREEE, 400, "従業員番号に対応する従業員が見つかりません", "E9"),
        (System.FREEE, 400, "退職日は入社日以降の日付を入力してください。", "E13"),
        (System.FREEE, 400, "給与計算対象外の従業員です。", "E14"),
        (System.FREEE, 400, "口座番号は7桁で入力してください。", "E16"),
        (System.FREEE, 400, "bad_request リクエストの形式が不正です。", "E17"),
        (System.FREEE, 400, "", "E17"),
        (System.FREEE, 400, "a completely new sentence", "E17"),
        # freee, rights and limits
        (System.FREEE, 401, "ログインをしてください。", "E18"),
        (System.FREEE, 401, "access_denied アクセスする権限がありません expired_access_token", "E18"),
        (System.FREEE, 403, "access_denied アクセスする権限がありません expired_access_token", "E18"),
        (System.FREEE, 401, "source_ip_address_limit", "E3"),
        (System.FREEE, 403, "接続元のIPアドレスからは、サービスをご利用いただくことができません", "E3"),
        (System.FREEE, 401, "re_authorization_required", "needs_consent"),
        (System.FREEE, 401, "invalid_grant", "needs_consent"),
        (System.FREEE, 403, "freee_plan_limit", "plan_limit"),
        (System.FREEE, 403, "user_do_not_have_permission", "E19"),
        (System.FREEE, 403, "アクセスする権限がありません", "E19"),
        (System.FREEE, 403, "", "throttled"),
        (System.FREEE, 403, "  ", "throttled"),
        (System.FREEE, 404, "not_found 従業員が見つかりません", "E20"),
        (System.FREEE, 404, "従業員番号に対応する従業員が見つかりません", "E9"),
        (System.FREEE, 429, "", "E21"),
        (System.FREEE, 500, "internal_server_error", "E22"),
        (System.FREEE, 503, "", "E22"),
        # SmartHR: the envelope's type and every message of the reference
        (
            System.SMARTHR,
            400,
            "bad_request 不正なリクエストパラメータです。 業務内容は30文字以内で入力してください。",
            "E16",
        ),
        (System.SMARTHR, 400, "従業員の住所（ヨミガナ）は全角カタカナで入力してください。", "E16"),
        (System.SMARTHR, 400, "雇用保険の資格取得年月日は正しい形式で入力してください。", "E16"),
        (System.SMARTHR, 400, "戸籍上の性別を選択してください。", "E2"),
        (System.SMARTHR, 400, "社員番号は既に使用されています。", "E8"),
        (System.SMARTHR, 400, "subdomain awase-old is inactive", "smarthr_subdomain_inactive"),
        (System.SMARTHR, 400, "subdomain awase-old\nis inactive", "smarthr_subdomain_inactive"),
        (System.SMARTHR, 400, "bad_request 不正なリクエストパラメータです。", "E17"),
        (System.SMARTHR, 409, "社員番号は既に使用されています。", "E8"),
        (System.SMARTHR, 409, "", "E17"),
        (System.SMARTHR, 422, "戸籍上の性別を選択してください。", "E2"),
        (System.SMARTHR, 422, "", "E17"),
        (System.SMARTHR, 401, "unauthorized_token 無効なアクセストークンです", "E18"),
        (System.SMARTHR, 403, "forbidden", "E19"),
        (System.SMARTHR, 403, "", "E19"),
        (System.SMARTHR, 403, "plan_limit_exceeded", "plan_limit"),
        (System.SMARTHR, 403, "ip_not_permitted", "ip_not_permitted"),
        (System.SMARTHR, 404, "not_found 存在しない ID です", "E20"),
        (System.SMARTHR, 429, "too_many_requests", "E21"),
        (System.SMARTHR, 503, "service_maintenance", "maintenance"),
        (System.SMARTHR, 502, "<html>", "E22"),
        (System.SMARTHR, 418, "", "unexpected"),
    ],
)
def test_answers_are_recognised(system: System, status: int, text: str, expected: str) -> None:
    assert RECOGNISE[system](status=status, text=text) == expected


def test_outside_payroll_under_403_only_for_steps_that_need_payroll() -> None:
    text = "給与計算対象外の従業員のため利用できません"
    assert freee.recognise(status=403, text=text, step=Step.PROFILE) == "E14"
    assert freee.recognise(status=403, text=text, step=Step.CREATE) == "E19"


def test_a_code_of_one_vendor_means_nothing_at_the_other() -> None:
    assert smarthr.recognise(status=400, text="freee_plan_limit") == "E17"
    assert freee.recognise(status=503, text="service_maintenance") == "E22"


def test_fields_are_named_as_a_record_names_them() -> None:
    errors = [
        {"field": name, "message": "不正です。"} for name in ("crew.bank_accounts[0].account_number", "tel_number")
    ]
    said = read_refusal({"errors": [*errors, {"field": "crew.positions.2.name", "message": "不正です。"}]})
    assert said.paths(sent_in="crew") == ("bank_accounts.account_number", "tel_number", "positions.name")

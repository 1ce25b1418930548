"""The error catalogue: complete, in Japanese, and recognising real answers of both vendors."""

from __future__ import annotations

import re

import pytest

from app.domain.enums import Step, System
from app.domain.error_catalogue.catalogue import CATALOGUE, Who, recognise

OWN_WORDS = re.findall(
    r"\w+",
    """
    not_readable target_newer kept_blank lossy bank_incomplete standard_income_missing number_swapped link_ambiguous
    approved_plan_changed person_left queue_unavailable poisoned deadline connection_paused needs_consent
    refresh_unknown export_settings_missing unexpected unreachable unreadable_answer rate_limited throttled maintenance
    smarthr_subdomain_inactive plan_limit ip_not_permitted mail_refused employee_vanished gender_unselected
    abolished_widow_type unknown_value foreign_address letters_in_number kana_characters foreign_phone
    unsplittable_phone digit_count impossible_date unsplittable_address building_unclear address_without_city
    prefecture_contradicts unknown_position too_long cannot_clear
    """,
)


def test_every_documented_error_and_own_word_has_an_entry() -> None:
    assert {f"E{number}" for number in range(1, 24)} <= CATALOGUE.keys()
    assert set(OWN_WORDS) <= CATALOGUE.keys()


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.code)
def test_every_entry_speaks_japanese_and_is_complete(entry) -> None:  # type: ignore[no-untyped-def]
    for text in (entry.message, entry.cause, entry.remedy.removesuffix("{again}")):
        assert text.endswith("。")
        assert re.search(r"[ぁ-ん]", text)
        assert "\n" not in text
    assert entry.who in Who
    assert entry.family is None or CATALOGUE[entry.family].family is None


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
    assert recognise(system, status=status, text=text) == expected


def test_outside_payroll_under_403_only_for_steps_that_need_payroll() -> None:
    text = "給与計算対象外の従業員のため利用できません"
    assert recognise(System.FREEE, status=403, text=text, step=Step.PROFILE) == "E14"
    assert recognise(System.FREEE, status=403, text=text, step=Step.CREATE) == "E19"


def test_a_code_of_one_vendor_means_nothing_at_the_other() -> None:
    assert recognise(System.SMARTHR, status=400, text="freee_plan_limit") == "E17"
    assert recognise(System.FREEE, status=503, text="service_maintenance") == "E22"

"""Law: every reason has a remedy, seen from the wire. Whatever a vendor refuses, in whatever words: the page of the
run and the mail say which vendor, which step, which item, and what the vendor said, without what may be a value for
whoever may not see values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.domain.access.roles import Role
from app.domain.enums import Direction, Step, Trigger
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.domain.vendors.answer import VendorAnswer, unpacked
from app.practice.staff.practice_company import PracticeCompany
from app.storage.runs.rows import ItemRow
from app.use_cases.intake.approve_retry_cancel import approve
from app.use_cases.intake.undo import undo
from app.use_cases.queries import history
from app.use_cases.shared.views import RunView
from app.web.api import serializers
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import sweep
from tests.web.application import application_on
from tests.web.visitor import Visitor, visitor

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
Open = Callable[..., House]
WORDS = "この値は、明日から始まる未知の決まりに合いません。"

STEPS = {
    Step.CREATE: ("POST", r"/employees$"),
    Step.PROFILE: ("PUT", r"/profile_rule$"),
    Step.HEALTH_INSURANCE: ("PUT", r"/health_insurance_rule$"),
    Step.PENSION_INSURANCE: ("PUT", r"/welfare_pension_insurance_rule$"),
    Step.BANK_ACCOUNT: ("PUT", r"/bank_account_rule$"),
}
"""Step → the request to freee."""


def freee_says(*messages: str) -> dict[str, Any]:
    return {"status_code": 400, "errors": [{"type": "bad_request", "messages": list(messages)}]}


def smarthr_says(*errors: dict[str, Any], message: str = "不正なリクエストパラメータです。") -> dict[str, Any]:
    return {"code": 1, "type": "bad_request", "message": message, "errors": list(errors)}


def see(house: House, run: RunView, role: Role = Role.MEMBER, *, language: str = "ja") -> Visitor:
    """Somebody of this role looks at the page of the run."""
    someone = visitor(house.ctx, application_on(house.ctx).test_client(), role)
    if language != "ja":
        someone.open("/account")
        someone.send("/account/language", locale=language)
    someone.open(f"/runs/{run.id}")
    return someone


def failed(house: House, run: RunView) -> ItemRow:
    (item,) = [item for item in house.items(run) if item.state is ItemState.FAILED]
    return item


def answer_of(house: House, run: RunView) -> VendorAnswer:
    (answer,) = unpacked(failed(house, run).detail)
    return answer


# ── every step of both vendors ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("step", list(STEPS))
def test_an_unknown_refusal_of_freee_names_vendor_step_and_words(
    open_practice: Open, company: PracticeCompany, step: Step
) -> None:
    house = open_practice(only(company, "create", most=1))
    method, path = STEPS[step]
    house.freee_injector.fault(method=method, path=path, times=50, status=400, body=freee_says(WORDS))
    run = house.run(TO_FREEE)
    assert failed(house, run).error_code == "E17"
    assert (answer_of(house, run).step, answer_of(house, run).words) == (step, WORDS)
    page = see(house, run).words
    for text in (
        "freee人事労務が値を受け付けませんでした。",
        "freee人事労務の返答",
        WORDS,
        step.label,
        "人事労務担当者",
    ):
        assert text in page
    sent = answer_of(house, run).sent
    assert len(sent) == 1 or "送った項目: " in page
    (mail,) = house.postbox.mails
    assert f"freee人事労務の返答（{step.label}）: {WORDS}" in reasons(mail.body)
    assert "対応する人: 人事労務担当者" in mail.body.splitlines()


@pytest.mark.parametrize(
    ("outcome", "method", "path", "step"),
    [
        ("create", "POST", r"/crews$", Step.CREATE),
        ("update", "PATCH", r"/crews/", Step.CREW),
    ],
)
def test_an_unknown_refusal_of_smarthr_names_vendor_step_item_and_words(
    open_practice: Open, company: PracticeCompany, outcome: str, method: str, path: str, step: Step
) -> None:
    house = open_practice(to_smarthr(company, outcome))
    error = {"code": 1, "type": "invalid", "field": "last_name", "message": WORDS, "resource": "crew"}
    house.smarthr_injector.fault(method=method, path=path, times=50, status=400, body=smarthr_says(error))
    run = house.run(TO_SMARTHR)
    answer = answer_of(house, run)
    assert (answer.step, answer.words) == (step, WORDS)
    if "last_name" in answer.sent:
        assert answer.named == ("last_name",)
    page = see(house, run).words
    assert "SmartHRの返答" in page and WORDS in page and step.label in page
    assert f"SmartHRの返答（{step.label}）: {WORDS}" in reasons(house.postbox.mails[0].body)


def reasons(mail: str) -> str:
    """The second lines about those who failed."""
    return "\n".join(line for line in mail.splitlines() if line.startswith("失敗理由: "))


def to_smarthr(company: PracticeCompany, outcome: str) -> PracticeCompany:
    """The practice company with one person whose way to SmartHR ends so."""
    found = next(s for s in company.scenarios if s.to_smarthr == outcome)
    return replace(
        company,
        scenarios=[found],
        crews=[crew for crew in company.crews if crew["id"] == found.crew_id],
        employees=[each for each in company.employees if each["id"] == found.employee_id],
    )


def test_a_known_word_names_the_item(open_practice: Open, company: PracticeCompany) -> None:
    """標準報酬月額 is an item of this step."""
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(
        method="PUT", path="/health_insurance_rule", times=50, status=400, body=freee_says("標準報酬月額が不正です。")
    )
    run = house.run(TO_FREEE)
    assert answer_of(house, run).named == ("health_standard_income",)
    assert "健保 · 健康保険の標準報酬月額 標準報酬月額が不正です。" in see(house, run).words
    assert "（項目: 健康保険の標準報酬月額）" in house.postbox.mails[0].body


def test_two_refused_steps_are_both_told(open_practice: Open, company: PracticeCompany) -> None:
    house = open_practice(only(company, "create", most=1))
    for step, said in ((Step.HEALTH_INSURANCE, "一つめ。"), (Step.BANK_ACCOUNT, "二つめ。")):
        house.freee_injector.fault(method="PUT", path=STEPS[step][1], times=50, status=400, body=freee_says(said))
    run = house.run(TO_FREEE)
    told = {(answer.step, answer.words) for answer in unpacked(failed(house, run).detail)}
    assert told == {(Step.HEALTH_INSURANCE, "一つめ。"), (Step.BANK_ACCOUNT, "二つめ。")}
    page = see(house, run).words
    assert "一つめ。" in page and "二つめ。" in page


# ── every form ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (freee_says("一つめ。", "二つめ。"), "一つめ。 / 二つめ。"),
        ({"errors": [{"messages": ["一つめ。"]}, {"messages": ["二つめ。"]}]}, "一つめ。 / 二つめ。"),
        ({"message": "一つめ。"}, "一つめ。"),
        ({"error": "一つめ。"}, "一つめ。"),
        ({"error": {"message": "一つめ。"}}, "一つめ。"),
        ({"errors": ["一つめ。"]}, "一つめ。"),
        ({"errors": {"last_name": ["一つめ。"]}}, "一つめ。"),
        ([{"message": "一つめ。"}], "一つめ。"),
        ({"message": "The value\r\n\x1b[31mis\u202e wrong\u0000."}, "The value [31mis wrong ."),
        ({"message": "長い" * 2000}, "長い" * 149 + "長…"),
        ({}, ""),
        ("<html>Bad Request</html>", ""),
    ],
)
def test_the_words_are_shown_whatever_form_they_have(
    open_practice: Open, company: PracticeCompany, body: Any, words: str
) -> None:
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=50, status=400, body=body)
    run = house.run(TO_FREEE)
    assert (answer_of(house, run).words, answer_of(house, run).step) == (words, Step.PROFILE)
    assert f"freee人事労務の返答（本人情報）: {words or '（説明なし）'}" in reasons(house.postbox.mails[0].body)


# ── who may see how much ──────────────────────────────────────────────────────────────────────────────────────────


def test_values_in_the_words_are_hidden_from_who_may_not_see_them(
    open_practice: Open, company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    scenario = house.company.scenarios[0]
    crew = next(each for each in house.company.crews if each["id"] == scenario.crew_id)
    name, holder, branch = crew["last_name"], "ミホン タロウ", "123"
    said = f"口座名義「{holder}」、支店{branch}、口座番号7654321、{name}様の口座は使えません。"
    house.freee_injector.fault(method="PUT", path="/bank_account_rule", times=50, status=400, body=freee_says(said))
    run = house.run(TO_FREEE)
    member, viewer = see(house, run), see(house, run, Role.VIEWER)
    assert holder in member.words and branch in member.words and "使えません。" in member.words
    assert "使えません。" in viewer.words
    for hidden in (holder, branch, "7654321"):
        assert hidden not in viewer.words.partition("freee人事労務の返答")[2].partition("使えません")[0]
    ops = see(house, run, Role.OPS).words
    assert "使えません" not in ops and "freee人事労務が値を受け付けませんでした。" in ops
    mail = house.postbox.mails[0].body
    line = next(line for line in mail.splitlines() if "の返答" in line)
    assert "使えません。" in line
    for hidden in (holder, branch, "7654321", name):
        assert hidden not in line
    (item,) = history.list_items(house.ctx, run.id, state=ItemState.FAILED).items
    with_values, without = (serializers.item(item, values=values) for values in (True, False))
    assert "使えません" in with_values["message"] and holder not in with_values["message"]
    assert "使えません" not in str(without) and without["answers"][0]["step"] == "bank_account"
    assert without["who"] == "hr" and without["cause"] and without["remedy"]


def test_a_file_of_the_results_has_the_same(open_practice: Open, company: PracticeCompany) -> None:
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(method="PUT", path="/bank_account_rule", times=50, status=400, body=freee_says(WORDS))
    run = house.run(TO_FREEE)
    for role, seen in ((Role.MEMBER, True), (Role.VIEWER, True), (Role.OPS, False)):
        someone = see(house, run, role)
        assert (WORDS in someone.open(f"/runs/{run.id}.csv")) is seen


def test_in_english_cause_and_remedy_are_english_and_the_words_as_they_came(
    open_practice: Open, company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(method="PUT", path="/bank_account_rule", times=50, status=400, body=freee_says(WORDS))
    run = house.run(TO_FREEE)
    page = see(house, run, language="en").words
    for text in (
        "freee HR did not accept the value.",
        "violates a rule of freee HR",
        "correct the value in SmartHR",
        WORDS,
    ):
        assert text in page
    assert "Then sync this person again." in page


# ── what the run offers ───────────────────────────────────────────────────────────────────────────────────────────


def test_somebody_named_who_is_not_employed_is_told_so(house: House) -> None:
    scenario = next(s for s in house.company.scenarios if s.to_freee == "not_offered" and s.crew_id and s.number)
    run = house.run(TO_FREEE, employees=(scenario.number,))
    page = see(house, run).words
    assert "対象外です。" in page and any(f"情報取得基準日{why}" in page for why in ("より前に退職", "の後に入社"))
    assert "予期しないエラー" not in page + house.postbox.mails[0].body


def test_an_automatic_run_asks_nobody_to_choose_a_date_or_to_sync_again(
    open_practice: Open, company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", most=1), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    house.smarthr.edit(house.company.scenarios[0].crew_id or "", {"last_name": "長谷川"})
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    house.freee_injector.fault(method="PUT", path="/employees", times=50, status=400, body=freee_says(WORDS))
    runs = [run for run in sweep(house) if run.trigger is Trigger.SCHEDULE]
    run = next(run for run in runs if run.counts.get(ItemState.FAILED))
    page = see(house, run).words
    assert "直した後は、次の自動同期で反映します。" in page
    assert "もう一度同期してください" not in page and WORDS in page


def test_an_undo_tells_what_the_vendor_said(open_practice: Open, company: PracticeCompany) -> None:
    house = open_practice(only(company, "update", most=1))
    done = house.run(TO_FREEE)
    back = undo(house.ctx, done.id, by="test")
    house.work()
    house.freee_injector.fault(method="PUT", path="/employees", times=500, status=400, body=freee_says(WORDS))
    approve(house.ctx, back.id, by="test")
    house.work()
    page = see(house, house.seen(back)).words
    assert WORDS in page and "もう一度同期してください" not in page

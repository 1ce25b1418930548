"""The law: nothing is erased without proof that the item can be read now. From outside, through both practice vendors.

SmartHR hides attributes by permission, freee by a switch of the practice vendor; both as null and by leaving the name
out. What both sides agreed on before must then stay at the target, whatever asks for the sync.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.employee import YearMonth
from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, BlankPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.connections.attributes import answer_cleared, check_token_again, gone_items
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, listening, now_in_japan, settle, swept
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import in_freee, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
ASKED = "【要確認】読めなくなった項目があります｜練習用の会社"
LATER = "2030-03-31"


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Six people, equal and linked. All have a telephone number and a title, two have 障害者区分, two leave one day."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    for nth, crew in enumerate(sorted(house.smarthr.crews, key=lambda each: str(each["id"]))):
        disabled = {"handicapped_type": "ordinary_handicapped", "resigned_at": LATER} if nth < 2 else {}
        house.smarthr.edit(crew["id"], {"tel_number": f"090-0000-000{nth}", "position": "課長", **disabled})
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert run.state is RunState.SUCCEEDED
    house.postbox.mails.clear()
    return house


def hide(house: House, *names: str, form: str = "null") -> None:
    house.smarthr_injector.set_switches({"hidden_attributes": list(names), "hidden_attribute": form})


def edit_freee(house: House, employee: int, changes: dict[str, Any]) -> None:
    """As a person on freee's screen does, in the months that count now: earlier writes stand in them."""
    on = now_in_japan(house)
    for month in (YearMonth(on.year, on.month), YearMonth(on.year, on.month).next()):
        house.freee.edit(employee, changes, pay_month=str(month))


def again(house: House, direction: Direction = TO_FREEE, **changes: Any) -> Any:
    return house.run(direction, as_of_date=now_in_japan(house), **changes)


def phones(house: House) -> list[str]:
    found = []
    for nth in range(6):
        rule = in_freee(house, somebody(house, nth)[1])["profile_rule"]
        found.append("".join(rule[f"phone{part}"] or "" for part in (1, 2, 3)))
    return found


def held(house: House, nth: int = 0) -> tuple[Any, ...]:
    """Telephone, title, disability and leaving of one person in freee."""
    record = in_freee(house, somebody(house, nth)[1])
    rule = record["profile_rule"]
    return rule["phone1"], rule["title"], rule["disability_type"], record["retire_date"]


# ── a permission that goes away ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("name", "form"),
    thinned(2, ["tel_number", "positions,position", "handicapped_type", "resigned_at"], ["null", "absent"]),
)
def test_no_erasing_when_a_permission_goes_away_between_two_runs(pairs: House, name: str, form: str) -> None:
    before = held(pairs)
    assert all(before)
    hide(pairs, *name.split(","), form=form)
    writes = pairs.writes()
    run = again(pairs)
    assert held(pairs) == before and pairs.writes() == writes
    assert "not_readable" in {note["code"] for item in pairs.items(run) for note in item.notes}
    again(pairs)
    assert [mail.subject for mail in pairs.postbox.mails].count(ASKED) == 1, "one mail, not one per run"
    assert [each.name for each in gone_items(pairs.connection)] == [name.partition(",")[0]]
    assert gone_items(pairs.connection)[0].missing is (form == "absent")


@pytest.mark.few(2)
@pytest.mark.parametrize("form", ["null", "absent"])
def test_no_erasing_by_the_webhook_of_another_edit(pairs: House, form: str) -> None:
    before = held(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        hide(pairs, "tel_number", "positions", "position", "handicapped_type", "resigned_at", form=form)
        pairs.smarthr.edit(somebody(pairs)[0], {"first_name": "新次郎"})
        settle(pairs)
        swept(pairs)
    assert held(pairs) == before
    assert in_freee(pairs, somebody(pairs)[1])["profile_rule"]["first_name"] == "新次郎"
    assert [mail.subject for mail in pairs.postbox.mails].count(ASKED) == 1


def test_no_erasing_by_an_approved_preview(pairs: House) -> None:
    """The token could read the attribute when the preview was made, and cannot when it is approved."""
    from app.use_cases.intake.approve_retry_cancel import approve

    crew, _ = somebody(pairs)
    pairs.smarthr.edit(crew, {"tel_number": None})
    before = phones(pairs)
    preview = again(pairs, dry_run=True)
    hide(pairs, "tel_number")
    approve(pairs.ctx, preview.id, by="test")
    pairs.work()
    assert phones(pairs) == before
    assert pairs.item(pairs.seen(preview), pairs.smarthr.crew(crew)["emp_code"]).state is ItemState.NEEDS_REVIEW


def test_no_overwriting_of_what_a_token_cannot_see_any_more(pairs: House) -> None:
    """The way to SmartHR: a null there may hide a number that is newer than freee's."""
    crew, employee = somebody(pairs)
    hide(pairs, "tel_number")
    edit_freee(pairs, employee, {"profile_rule": {"phone1": "080", "phone2": "1111", "phone3": "2222"}})
    writes = pairs.writes()
    again(pairs, TO_SMARTHR)
    assert pairs.smarthr.crew(crew)["tel_number"] == "090-0000-0000" and pairs.writes() == writes


def test_a_token_that_is_replaced_by_a_narrower_one_erases_nothing(pairs: House) -> None:
    before = phones(pairs)
    hide(pairs, "tel_number")
    with pairs.ctx.unit_of_work() as uow:
        uow.connections.set_smarthr_token(pairs.connection.id, pairs.ctx.tokens.smarthr_token(pairs.connection.id))
    assert "tel_number" not in pairs.connection.readable(System.SMARTHR), "the former token's evidence is gone"
    again(pairs)
    assert phones(pairs) == before
    assert [each.name for each in gone_items(pairs.connection)] == ["tel_number"]


# ── a value that really was cleared ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("trigger", ["manual", "webhook", "sweep"])
def test_what_one_person_really_cleared_is_still_erased(pairs: House, trigger: str) -> None:
    crew, _employee = somebody(pairs)
    cleared = {"tel_number": None, "positions": [], "handicapped_type": None, "resigned_at": None}
    if trigger == "manual":
        pairs.smarthr.edit(crew, cleared)
        again(pairs)
    else:
        with listening(pairs, Automatic.SMARTHR_TO_FREEE):
            pairs.smarthr_injector.set_switch("webhook_loss", "all" if trigger == "sweep" else "none")
            pairs.smarthr.edit(crew, cleared)
            settle(pairs)
            if trigger == "sweep":
                swept(pairs)
    assert held(pairs) == ("", "", "na", None)
    assert phones(pairs)[1:] == [f"0900000000{nth}" for nth in range(1, 6)]
    assert ASKED not in [mail.subject for mail in pairs.postbox.mails]


def test_everybody_cleared_is_a_question_and_an_answer_makes_it_a_blank(pairs: House) -> None:
    before = phones(pairs)
    for crew in pairs.smarthr.crews:
        pairs.smarthr.edit(crew["id"], {"tel_number": None})
    again(pairs)
    assert phones(pairs) == before
    answer_cleared(pairs.ctx, "admin", pairs.connection.key, "tel_number")
    again(pairs)
    assert phones(pairs) == [""] * 6
    pairs.smarthr.edit(somebody(pairs)[0], {"tel_number": "090-0000-0000"})
    again(pairs)
    hide(pairs, "tel_number")
    again(pairs)
    assert phones(pairs)[0] == "09000000000", "the answer was for the state of then"


def test_a_permission_that_comes_back_ends_the_question(pairs: House) -> None:
    hide(pairs, "tel_number")
    again(pairs)
    hide(pairs)
    pairs.smarthr.edit(somebody(pairs)[0], {"tel_number": "090-0000-0009"})
    again(pairs)
    assert gone_items(pairs.connection) == [] and phones(pairs)[0] == "09000000009"


# ── people who are new ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["resigned_at", "emp_code"])
@pytest.mark.parametrize("trigger", ["manual", "webhook"])
def test_nobody_is_created_while_a_decisive_item_cannot_be_read(pairs: House, name: str, trigger: str) -> None:
    new = {
        "emp_code": "9001",
        "last_name": "新田",
        "first_name": "一",
        "last_name_yomi": "ニッタ",
        "first_name_yomi": "ハジメ",
        "birth_at": "1999-09-09",
        "gender": "female",
        "entered_at": "2021-04-01",
        "resigned_at": "2026-06-30" if name == "resigned_at" else None,
    }
    people = len(pairs.freee.dump()["employees"])
    if trigger == "manual":
        hide(pairs, name)
        pairs.smarthr.add(new)
        run = again(pairs)
        codes = {item.error_code for item in pairs.items(run)}
        assert codes & {"new_person_unreadable", "E8"}, "E8: without a number, somebody else may be meant"
    else:
        with listening(pairs, Automatic.SMARTHR_TO_FREEE):
            hide(pairs, name)
            pairs.smarthr.add(new)
            settle(pairs)
    assert len(pairs.freee.dump()["employees"]) == people


# ── the connection says so ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_check_of_the_token_no_longer_calls_it_readable(pairs: House) -> None:
    check_token_again(pairs.ctx, pairs.connection.key)
    assert "tel_number" in pairs.connection.readable(System.SMARTHR)
    hide(pairs, "tel_number")
    check_token_again(pairs.ctx, pairs.connection.key)
    assert "tel_number" not in pairs.connection.readable(System.SMARTHR)
    pairs.work()
    assert [mail.subject for mail in pairs.postbox.mails] == [ASKED]


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_erasure_costs_two_readings_more_at_most_and_an_unchanged_run_nothing(pairs: House) -> None:
    again(pairs)
    calls = pairs.calls()
    again(pairs)
    unchanged = pairs.calls() - calls
    pairs.smarthr.edit(somebody(pairs)[0], {"first_name": "新次郎"})
    calls = pairs.calls()
    again(pairs)
    renamed = pairs.calls() - calls
    pairs.smarthr.edit(somebody(pairs)[0], {"tel_number": None})
    calls = pairs.calls()
    again(pairs)
    slow = 1  # a reading more where a second has passed since the one before
    assert 0 < pairs.calls() - calls - renamed <= 2 + slow, "somebody else as the witness, and the target once more"
    assert 3 <= renamed - unchanged <= 3 + slow, "both sides read once more, and one write"


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("form", ["null", "absent"])
@pytest.mark.parametrize("name", ["retire_date", "title", "phone1,phone2,phone3"])
def test_no_erasing_in_smarthr_by_what_freee_hides(pairs: House, name: str, form: str) -> None:
    again(pairs)  # the first run has listed freee before it wrote there
    crew, employee = somebody(pairs)
    before = pairs.smarthr.crew(crew)
    pairs.freee_injector.set_switches({"hidden_items": name.split(","), "hidden_item": form})
    edit_freee(pairs, employee, {"profile_rule": {"first_name": "新三郎"}})
    again(pairs, TO_SMARTHR)
    after = pairs.smarthr.crew(crew)
    assert after["first_name"] == "新三郎"
    for kept in ("tel_number", "resigned_at", "position"):
        assert after[kept] == before[kept]
    assert [mail.subject for mail in pairs.postbox.mails].count(ASKED) == 1


def test_what_was_cleared_in_freee_is_still_erased_in_smarthr(pairs: House) -> None:
    crew, employee = somebody(pairs)
    edit_freee(pairs, employee, {"retire_date": None, "profile_rule": {"title": None}})
    again(pairs, TO_SMARTHR)
    after = pairs.smarthr.crew(crew)
    assert after["resigned_at"] is None and not after["position"]


def test_a_policy_that_erases_needs_the_proof_as_well(pairs: House) -> None:
    automatic(pairs, Automatic.OFF, blank_policies={"basic_pension_number": BlankPolicy.ERASE})
    employee = somebody(pairs)[1]
    before = in_freee(pairs, employee)["base_pension_num"]
    assert before
    hide(pairs, "basic_pension_number")
    again(pairs)
    assert in_freee(pairs, employee)["base_pension_num"] == before

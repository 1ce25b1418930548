"""One run of 300 people in which everything odd comes together: each is told with the own reason and remedy, everybody
else is written, and what waits for a decision is written by none of fifty runs that follow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.runs.rows import ItemRow
from app.web.i18n import wording
from tests.house import House
from tests.listening import FREEE_TOKEN, listening, now_in_japan
from tests.use_cases.test_complete_or_says_so import CREWS, crews, freee_id, phone_in_freee
from tests.use_cases.test_held_is_held import accounts_written, held_runs, new_account, waiting
from tests.use_cases.test_job import only
from tests.use_cases.test_mass_change import hear, row
from tests.use_cases.test_two_way import in_freee

JAPANESE = wording("ja")

pytestmark = pytest.mark.reach("test")  # a long journey

TO_FREEE = Direction.SMARTHR_TO_FREEE
PEOPLE = 300
ODD, FIRST_OF_SWAP, SECOND_OF_SWAP, JOINS_LATER = 40, 50, 51, 60
ACCOUNTS = range(70, 75)
DELETED = range(3)
SHIFTED = range(100, 103)
"""Who would be skipped on page 2 once those of DELETED are gone from page 1."""
CHANGED = [*SHIFTED, *ACCOUNTS, *range(110, 160)]
FOLLOWING_RUNS = 50


@pytest.fixture
def three_hundred(open_practice: Callable[..., House]) -> House:
    company: PracticeCompany = only(build_company(date(2026, 11, 11), extra=270, equal_share=1.0), "equal", most=PEOPLE)
    house = open_practice(company, FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    linked = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert linked.counts[ItemState.UNCHANGED] == PEOPLE
    house.postbox.mails.clear()
    return house


@pytest.mark.reach("all")
def test_each_is_told_with_the_own_reason_and_everything_else_is_written(three_hundred: House) -> None:
    house, people = three_hundred, crews(three_hundred)
    on = now_in_japan(house)
    next_month = date(on.year + on.month // 12, on.month % 12 + 1, 1)
    house.freee_injector.set_switch("num_unique", True)
    house.smarthr_injector.odd.say(people[ODD]["id"], "monthly_standard_income_hel", "200000.5")
    numbers = [people[nth]["emp_code"] for nth in (FIRST_OF_SWAP, SECOND_OF_SWAP)]
    for nth, number in zip((SECOND_OF_SWAP, FIRST_OF_SWAP), numbers, strict=True):
        house.smarthr.edit(people[nth]["id"], {"emp_code": number})
    house.smarthr.edit(people[JOINS_LATER]["id"], {"entered_at": next_month.isoformat()})
    for nth in CHANGED:
        house.smarthr.edit(people[nth]["id"], {"tel_number": f"090-1111-{nth:04d}"})
    before = [account_of(house, freee_id(house, people[nth])) for nth in ACCOUNTS]
    for nth in ACCOUNTS:
        new_account(house, house.smarthr.crews.index(house.smarthr.crew(people[nth]["id"])))
    gone = [people[nth]["id"] for nth in DELETED]
    happens = lambda: [house.smarthr.remove(each) for each in gone]  # noqa: E731 - once, in the middle of the reading
    house.smarthr_injector.meanwhile(happens, method="GET", path=CREWS, nth=2)

    run = house.run(TO_FREEE, as_of_date=on, acknowledged=False)
    items = {item.source_id: item for item in house.items(run)}
    told = {item.source_id: item for item in items.values() if item.state is not ItemState.UNCHANGED}

    def of(nth: int) -> ItemRow:
        return told.pop(people[nth]["id"])

    assert ended(of(ODD)) == (ItemState.NEEDS_REVIEW, "unreadable_record")
    assert {ended(of(nth)) for nth in (FIRST_OF_SWAP, SECOND_OF_SWAP)} == {(ItemState.NEEDS_REVIEW, "numbers_swapped")}
    assert {ended(of(nth)) for nth in ACCOUNTS} == {(ItemState.CONFLICT, "waits_for_decision")}
    assert ended(of(JOINS_LATER)) == (ItemState.SUCCEEDED, None)
    others = {people[nth]["id"] for nth in CHANGED if nth not in ACCOUNTS}
    assert {each for each, item in told.items() if item.state is ItemState.SUCCEEDED} == others
    assert set(told) <= others | set(gone)

    assert all(phone_in_freee(house, people[nth]) == f"090-1111-{nth:04d}" for nth in CHANGED)
    assert in_freee(house, freee_id(house, people[JOINS_LATER]))["entry_date"] == next_month.isoformat()
    assert sum(run.counts.values()) == row(house, run).total == len(items)
    body = house.postbox.mails[-1].body
    for code in ("unreadable_record", "numbers_swapped", "waits_for_decision"):
        assert JAPANESE.message(code, row(house, run)) in body
        assert JAPANESE.remedy(code, row(house, run)) in body

    assert waiting(house) == len(ACCOUNTS)
    assert nothing_held_is_written(house, [people[nth]["id"] for nth in ACCOUNTS])
    assert [account_of(house, freee_id(house, people[nth])) for nth in ACCOUNTS] == before
    assert len(held_runs(house)) == 1


def nothing_held_is_written(house: House, ids: list[str]) -> bool:
    """Whether fifty runs of webhooks, about these people and others, leave every account as it is."""
    written = accounts_written(house)
    with listening(house, Automatic.SMARTHR_TO_FREEE):
        for nth in range(FOLLOWING_RUNS):
            house.smarthr.edit(ids[nth % len(ids)], {"tel_number": f"080-2222-{nth:04d}"})
            hear(house)
    return accounts_written(house) == written


def account_of(house: House, employee: int) -> str:
    return str(in_freee(house, employee)["bank_account_rule"]["account_number"])


def ended(item: ItemRow) -> tuple[ItemState, str | None]:
    return item.state, item.error_code

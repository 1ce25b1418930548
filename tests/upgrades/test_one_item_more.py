"""After an upgrade that adds an item, the sweep reports nobody: neither as changed without a webhook, nor as somebody
who waits, is mended or is too many; and after a real edit it reports exactly that one.

The newer release is this version's own code with one item more (`one_item_more`), in a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.mapping import BY_KEY
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from tests.house import House
from tests.upgrades.one_item_more import KEY, run_in, swept_by, with_one_item_more
from tests.use_cases.test_attention_state import crew, employee, rows
from tests.use_cases.test_healing import REFUSED
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import SMARTHR_PHONE, person, phones, set_smarthr_phone, settle, sweep
from tests.use_cases.test_sweep_missed import missed

pytestmark = [pytest.mark.reach("test"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_one_item_more(tmp_path_factory.mktemp("newer"))


@pytest.fixture
def told(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A house that both systems tell of their changes, compared twice by this version."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN="an-invented-token")
    settle(house, automatic=Automatic.BOTH, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    with house.ctx.unit_of_work() as uow:
        now = house.clock.now()
        uow.webhook_registrations.set_secret(house.connection.id, "an-invented-secret", previous_until=now)
    sweep(house)
    assert missed(house, sweep(house)) == []
    return house


def known(house: House) -> list[list[tuple[Any, ...]]]:
    """What the database says of those who wait, of what was stopped, and of the directions that begin anew."""
    with house.ctx.unit_of_work().reading() as uow:
        begun = [(mark.direction, mark.reason) for mark in uow.beginnings.all()]
        stopped = [
            (each.id, each.state, each.digest) for each in uow.stopped_changes.of_connection(house.connection.id)
        ]
        troubles = uow.troubles.of_connection(house.connection.id)
    alone = [(each.source_id, each.direction, each.quarantined_at is not None, each.code) for each in troubles]
    waiting = [(row.id, row.code, row.run_id, tuple(row.mended)) for row in rows(house).values()]
    return [begun, sorted(stopped), sorted(alone), sorted(waiting)]


def email(house: House, nth: int) -> tuple[str, str]:
    """(SmartHR's, freee's)."""
    month = (house.today.year, house.today.month)
    profile = house.freee.employee(employee(house, nth), month=month)["profile_rule"]
    return house.smarthr.crew(crew(house, nth))["email"], profile["email"]


def test_the_sweep_after_it_reports_nobody_and_writes_nobody(told: House, newer: Path) -> None:
    writes, before = told.writes(), known(told)
    for _ in range(2):
        found = swept_by(newer, told)
        assert KEY in found["items"] and found["rows"] and KEY not in BY_KEY
        assert (found["runs"], found["missed"], found["ended"], found["mails"]) == (2, [], [], 0)
        assert (told.writes(), known(told)) == (writes, before)
    assert missed(told, sweep(told)) == [], "nor does the release before, when it is put back"


@pytest.mark.reach("all")
def test_after_a_real_edit_it_reports_exactly_that_one(told: House, newer: Path) -> None:
    swept_by(newer, told)
    told.freee.edit(employee(told, 0), {"profile_rule": {"phone3": "7777"}})
    assert swept_by(newer, told)["missed"] == [["freee", str(employee(told, 0))]]
    told.smarthr.edit(crew(told, 1), {KEY: "atarashii@example.com"})
    assert swept_by(newer, told)["missed"] == [["smarthr", crew(told, 1)]]
    assert email(told, 1) == ("atarashii@example.com", "atarashii@example.com"), "the new item is one like any other"
    assert swept_by(newer, told)["missed"] == []


@pytest.mark.reach("all")
def test_what_was_agreed_on_before_is_still_agreed_on(told: House, newer: Path) -> None:
    """So a change of an item that both releases know is written as ever, in the first sweep."""
    set_smarthr_phone(told, person(told))
    found = swept_by(newer, told)
    assert [(who, state) for who, state, *_ in found["ended"]] == [(person(told).crew_id, "succeeded")]
    assert phones(told, person(told)) == (SMARTHR_PHONE, SMARTHR_PHONE)


@pytest.mark.reach("all")
def test_who_differs_in_the_new_item_is_asked_and_not_written(told: House, newer: Path) -> None:
    """Nobody knows which side is right: the release before has never compared it."""
    told.freee.edit(employee(told, 0), {"profile_rule": {KEY: "furui@example.com"}})
    writes = told.writes()
    for _ in range(2):
        found = swept_by(newer, told)
        assert {(state, code) for _, state, code, _ in found["ended"]} == {("needs_review", "rules_changed")}
        assert {who for who, *_ in found["ended"]} == {crew(told, 0)}
    assert told.writes() == writes


@pytest.mark.reach("all")
def test_whoever_waits_or_is_left_alone_goes_on_so(told: House, newer: Path) -> None:
    """A number that freee cannot take, one that it has refused, and accounts that are too many for one day."""
    told.smarthr.edit(crew(told, 0), {"tel_number": "+1-212-555-0100"})
    told.freee_injector.fault(method="PUT", path="/profile_rule", times=50, status=400, body=REFUSED)
    told.smarthr.edit(crew(told, 1), {"tel_number": "080-0000-0001"})
    for nth in range(2, 6):
        told.smarthr.edit(crew(told, nth), {"bank_accounts": [account(told, nth)]})
    for _ in range(5):
        sweep(told)
    before, writes = known(told), told.writes()
    assert [bool(each) for each in before] == [False, True, True, True]
    for _ in range(2):
        found = swept_by(newer, told)
        assert (found["missed"], found["mails"]) == ([], 0)
        assert (told.writes(), known(told)) == (writes, before)


@pytest.mark.reach("all")
def test_an_item_takes_no_more_than_that(newer: Path) -> None:
    """What is written down of the items is made anew, and every test that walks them is content."""
    run_in(newer, "docs/tools/items.py")
    run_in(newer, "-m", "tests.domain.noting")
    assert "32 item pairs" in (newer / "README.md").read_text(encoding="utf-8")
    run_in(newer, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reach=check", *WALK_THE_ITEMS)


WALK_THE_ITEMS = (
    *(f"tests/domain/test_{name}.py" for name in ("content", "convergence", "mapping", "meanwhile", "planning")),
    *(f"tests/domain/test_{name}.py" for name in ("reading", "rule_version", "vendor_words", "writing")),
    *("tests/contracts", "tests/web/test_i18n.py", "tests/adapters/test_smarthr_gateway.py"),
    "tests/architecture/test_house.py::test_the_readme_shows_the_mapping_as_it_is",
)


def account(house: House, nth: int) -> dict[str, Any]:
    (held,) = house.smarthr.crew(crew(house, nth))["bank_accounts"]
    return {**held, "account_number": f"000765{nth}"}

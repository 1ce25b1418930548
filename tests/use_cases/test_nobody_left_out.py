"""Promise 11: nobody is left out without a word.

From outside: what both practice vendors hold after a run, and in which count everybody stands.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.dates import JAPAN
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.practice.staff.scenarios import Scenario
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.intake.undo import undo
from app.use_cases.shared.views import RunView
from tests.house import KEY, House
from tests.properties import every
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import sweep

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR

LEAVING = "0040"
"""Somebody of the practice company who has a 退職年月日."""

Way = Callable[[House, Direction, str], None]


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Equal pairs, linked and agreed by a first run. One of them has a 退職年月日, so that the tokens are known to see
    it."""
    house = open_practice(only(company, "equal", most=7, besides=[LEAVING]))
    at(house, house.today)
    house.run(TO_FREEE)
    house.run(TO_SMARTHR)
    return house


def at(house: House, day: date) -> None:
    house.clock.instant = datetime(day.year, day.month, day.day, 12, tzinfo=JAPAN).astimezone(UTC)


def automatic(house: House, mode: Automatic, **options: Any) -> None:
    with house.ctx.unit_of_work() as uow:
        wanted = replace(house.connection, automatic=mode, quiet_seconds=0, **options)
        uow.connections.set_options(wanted)


def person(house: House, nth: int = 0) -> Scenario:
    """Somebody who is employed and equal on both sides."""
    found = [
        s
        for s in house.company.scenarios
        if s.crew_id and s.employee_id and s.number and house.smarthr.crew(s.crew_id)["resigned_at"] is None
    ]
    return found[nth]


def dates(house: House, who: Scenario) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    """((入社日, 退職日) in SmartHR, the same in freee)."""
    crew, employee = house.smarthr.crew(who.crew_id or ""), house.freee.employee(who.employee_id or 0)
    return (crew["entered_at"], crew["resigned_at"]), (employee["entry_date"], employee["retire_date"])


# ── every way to start a run ──────────────────────────────────────────────────────────────────────────────────────


def today_of(house: House) -> date:
    return house.clock.now().astimezone(JAPAN).date()


def by_hand(house: House, direction: Direction, source_id: str) -> None:
    house.run(direction, as_of_date=today_of(house))


def by_number(house: House, direction: Direction, source_id: str) -> None:
    who = next(s for s in house.company.scenarios if source_id in (s.crew_id, str(s.employee_id)))
    house.run(direction, employees=(who.number,), as_of_date=today_of(house))


def by_preview(house: House, direction: Direction, source_id: str) -> None:
    run = house.run(direction, dry_run=True, as_of_date=today_of(house))
    approve_retry_cancel.approve(house.ctx, run.id, by="test", acknowledged=True)
    house.work()


def by_webhook(house: House, direction: Direction, source_id: str) -> None:
    automatic(house, Automatic(direction.value))
    with house.ctx.unit_of_work() as uow:
        collect_events(house.ctx, uow, [SyncRequest(house.connection, direction, source_id)], now=house.clock.now())
    house.clock.turn(seconds=120)
    house.work()


def by_comparison(house: House, direction: Direction, source_id: str) -> None:
    automatic(house, Automatic(direction.value))
    sweep(house)


WAYS = (by_hand, by_number, by_preview, by_webhook, by_comparison)
every_way_both_ways = pytest.mark.parametrize(("way", "direction"), thinned(2, WAYS, Direction))


def move(house: House, direction: Direction, who: Scenario, *, hired: Any = ..., left: Any = ...) -> str:
    """Change the dates at the source of this direction. Returns the id of the person there."""
    given = {name: day for name, day in (("hired", hired), ("left", left)) if day is not ...}
    if direction is TO_FREEE:
        names = {"hired": "entered_at", "left": "resigned_at"}
        house.smarthr.edit(who.crew_id or "", {names[name]: day for name, day in given.items()})
        return who.crew_id or ""
    names = {"hired": "entry_date", "left": "retire_date"}
    house.freee.edit(who.employee_id or 0, {names[name]: day for name, day in given.items()})
    return str(who.employee_id)


# ── the dates of linked people ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@every_way_both_ways
def test_a_hire_date_that_moves_to_the_future_arrives_and_comes_back(
    pairs: House, direction: Direction, way: Way
) -> None:
    who = person(pairs)
    before = dates(pairs, who)[0][0]
    for day in (f"{pairs.today.year + 1}-02-01", before):
        source_id = move(pairs, direction, who, hired=day)
        way(pairs, direction, source_id)
        assert [side[0] for side in dates(pairs, who)] == [day, day]


@pytest.mark.few(2)
@every_way_both_ways
def test_a_leaving_entered_after_the_month_arrives_and_a_revoked_one_is_taken_back(
    pairs: House, direction: Direction, way: Way
) -> None:
    who = person(pairs)
    for day in ("2026-08-20", "2026-07-31", None):
        source_id = move(pairs, direction, who, left=day)
        way(pairs, direction, source_id)
        assert [side[1] for side in dates(pairs, who)] == [day, day]


@pytest.mark.parametrize("direction", list(Direction))
def test_somebody_who_left_and_joined_again_has_the_new_dates_on_both_sides(pairs: House, direction: Direction) -> None:
    who = person(pairs)
    move(pairs, direction, who, left="2026-06-30")
    pairs.run(direction)
    move(pairs, direction, who, hired="2026-09-01", left=None)
    pairs.run(direction)
    assert dates(pairs, who) == (("2026-09-01", None), ("2026-09-01", None))


@pytest.mark.parametrize(
    ("moved", "direction"), thinned(2, [{"hired": "2027-02-01"}, {"left": "2026-08-20"}], Direction)
)
def test_an_undo_gives_back_a_date_that_has_taken_the_month_out_of_the_employment(
    pairs: House, direction: Direction, moved: dict[str, str]
) -> None:
    who = person(pairs)
    before = dates(pairs, who)
    move(pairs, direction, who, **moved)
    run = pairs.run(direction)
    assert dates(pairs, who)[0] == dates(pairs, who)[1] != before[0]
    preview = undo(pairs.ctx, run.id, by="test")
    pairs.work()
    approve_retry_cancel.approve(pairs.ctx, preview.id, by="test", acknowledged=True)
    pairs.work()
    written = dates(pairs, who)[1 if direction is TO_FREEE else 0]
    assert written == before[0]
    assert pairs.item(preview, who.number).state is ItemState.SUCCEEDED


def test_what_was_revoked_goes_on_in_the_month_of_the_run(pairs: House) -> None:
    """The date is written where freee shows the person, everything else where it counts from now on."""
    who = person(pairs)
    move(pairs, TO_FREEE, who, left="2026-08-20")
    pairs.run(TO_FREEE)
    pairs.smarthr.edit(who.crew_id or "", {"resigned_at": None, "tel_number": "080-0000-9999"})
    run = pairs.run(TO_FREEE)
    assert pairs.item(run, who.number).state is ItemState.SUCCEEDED
    phones = [
        pairs.freee.employee(who.employee_id or 0, month=month)["profile_rule"]["phone3"]
        for month in ((2026, 8), (2026, 12))
    ]
    assert phones[1] == "9999" and phones[0] != "9999"
    assert pairs.states(pairs.run(TO_FREEE))[who.crew_id or ""] is ItemState.UNCHANGED


@pytest.mark.parametrize("way", thinned(2, WAYS))
def test_a_birth_date_of_somebody_who_left_long_ago_arrives(pairs: House, way: Way) -> None:
    who = person(pairs)
    move(pairs, TO_FREEE, who, left="2026-05-31")
    pairs.run(TO_FREEE)
    pairs.smarthr.edit(who.crew_id or "", {"birth_at": "1990-01-02"})
    way(pairs, TO_FREEE, who.crew_id or "")
    assert pairs.freee.employee(who.employee_id or 0)["birth_date"] == "1990-01-02"


def test_linked_people_who_left_cost_no_reading_while_they_are_equal(pairs: House) -> None:
    who = person(pairs)
    for each in (who, person(pairs, 1)):
        move(pairs, TO_FREEE, each, left="2026-05-31")
    pairs.run(TO_FREEE)
    pairs.run(TO_FREEE)
    pairs.freee_injector.forget_requests()
    run = pairs.run(TO_FREEE)
    assert pairs.item(run, who.number).state is ItemState.UNCHANGED
    assert not [r for r in pairs.freee_injector.requests if r.path.endswith(f"/employees/{who.employee_id}")]


# ── everybody stands in one count ─────────────────────────────────────────────────────────────────────────────────


def newcomer(house: House, number: str, **changes: Any) -> str:
    like = next(crew for crew in house.company.crews if crew["emp_code"])
    record = {name: value for name, value in like.items() if name not in ("id", "resigned_at")}
    own = {"emp_code": number, "last_name_yomi": "シンジン", "birth_at": "1999-05-05", **changes}
    return house.smarthr.add({**record, **own})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"entered_at": "2027-02-01"}, "joins_later"),
        ({"entered_at": "2015-04-01", "resigned_at": "2020-03-31"}, "left_before"),
    ],
)
def test_who_is_not_employed_and_not_linked_is_left_out_with_the_reason(
    pairs: House, changes: dict[str, str], code: str
) -> None:
    added = newcomer(pairs, "99001", **changes)
    everybody = pairs.run(TO_FREEE)
    named = pairs.run(TO_FREEE, employees=("99001",))
    automatic(pairs, Automatic.SMARTHR_TO_FREEE)
    for run in (everybody, named):
        item = pairs.item(run, "99001")
        assert (item.state, item.error_code) == (ItemState.LEFT_OUT, code)
        assert (run.counts[ItemState.LEFT_OUT], run.left_out) == (1, {code: 1})
    (compared,) = sweep(pairs)
    seen = pairs.seen(compared)
    assert (seen.left_out, seen.counts[ItemState.LEFT_OUT], pairs.items(seen)) == ({code: 1}, 1, [])
    assert "対象外: 1件" in pairs.postbox.mails[-1].body
    by_webhook(pairs, TO_FREEE, added)
    assert pairs.freee.ids_by_num("99001") == []


def test_who_is_left_alone_by_the_comparison_is_counted_as_left_out(pairs: House) -> None:
    automatic(pairs, Automatic.SMARTHR_TO_FREEE)
    newcomer(pairs, "", entered_at="2020-04-01")
    people = len(pairs.smarthr.crews)
    for _ in range(pairs.ctx.settings.quarantine_after + 1):
        (run,) = sweep(pairs)
        assert sum(run.counts.values()) == people
    assert pairs.seen(run).left_out == {"quarantined": 1}


def test_somebody_linked_whom_no_month_shows_is_a_question(pairs: House) -> None:
    who = person(pairs)
    pairs.freee.edit(who.employee_id or 0, {"entry_date": "2150-01-01"})
    run = pairs.run(TO_FREEE)
    assert pairs.item(run, who.number).state in (ItemState.NEEDS_REVIEW, ItemState.SUCCEEDED)
    assert sum(run.counts.values()) == len(pairs.smarthr.crews)


@pytest.mark.few(2)
@pytest.mark.parametrize("seed", range(0, 60, every(10)))
def test_everybody_of_the_source_is_in_just_one_count(
    open_practice: Callable[..., House], company: PracticeCompany, seed: int
) -> None:
    """Any staff, any day, both directions, by hand and by comparison."""
    chance = random.Random(seed)
    house = open_practice(only(company, "equal", most=6))
    at(house, house.today)
    house.run(TO_FREEE)
    for number in range(3):
        newcomer(house, chance.choice(["", f"7{number:04d}"]), birth_at=f"1990-0{number + 1}-11")
    for _ in range(2):
        for who in [s for s in house.company.scenarios if s.crew_id and s.employee_id]:
            move(house, TO_FREEE, who, **span(house, chance))
            move(house, TO_SMARTHR, who, **span(house, chance))
        direction = chance.choice(list(Direction))
        run = _run_of(house, direction, house.today + timedelta(chance.randrange(-200, 200)), chance.random() < 0.5)
        people = len(house.smarthr.crews) if direction is TO_FREEE else in_freee(house)
        assert (sum(run.counts.values()), run.progress.total) == (people, people)
        assert run.counts.get(ItemState.LEFT_OUT, 0) == sum(run.left_out.values())


def in_freee(house: House) -> int:
    """How many employees freee has now, without those whom the run itself has created: it creates none there."""
    return len(house.freee.company.people)


def span(house: House, chance: random.Random) -> dict[str, str | None]:
    hired = house.today + timedelta(chance.randrange(-900, 300))
    left = chance.choice([None, hired + timedelta(chance.randrange(0, 600))])
    return {"hired": hired.isoformat(), "left": left.isoformat() if left else None}


def _run_of(house: House, direction: Direction, on: date, compared: bool) -> RunView:
    at(house, on)
    if not compared:
        return house.seen(house.run(direction, as_of_date=on))
    automatic(house, Automatic(direction.value))
    run = sweep(house)[-1]
    if run.state is RunState.PREVIEWED:
        approve_retry_cancel.approve(house.ctx, run.id, by="test", acknowledged=True)
        house.work()
    return house.seen(run)


# ── what only the target changed ──────────────────────────────────────────────────────────────────────────────────


def set_freee_phone(house: House, who: Scenario) -> None:
    phone = {"phone1": "090", "phone2": "0000", "phone3": "8888"}
    house.freee.edit(who.employee_id or 0, {"profile_rule": phone})


def freee_phone(house: House, who: Scenario) -> str:
    return str(house.freee.employee(who.employee_id or 0, month=(2026, 12))["profile_rule"]["phone3"])


@pytest.mark.parametrize("policy", [ConflictPolicy.HOLD, ConflictPolicy.FREEE_WINS])
def test_what_only_the_target_changed_is_counted_and_shown_in_one_direction(
    pairs: House, policy: ConflictPolicy
) -> None:
    automatic(pairs, Automatic.SMARTHR_TO_FREEE, conflict_policy=policy)
    who = person(pairs)
    set_freee_phone(pairs, who)
    for _ in range(2):
        (run,) = sweep(pairs)
        assert (run.only_target_changed, freee_phone(pairs, who)) == (1, "8888")
        assert run.counts[ItemState.UNCHANGED] == len(pairs.smarthr.crews)
    by_webhook(pairs, TO_FREEE, who.crew_id or "")
    with pairs.ctx.unit_of_work() as uow:
        row = uow.runs.page(after=None, limit=1)[0]
        (item,) = uow.items.page(row.id, after=-1, limit=9)
    assert (item.state, item.error_code, row.only_target_changed) == (ItemState.UNCHANGED, "only_target_changed", 1)


def test_a_policy_that_names_the_source_of_one_direction_mends_it(pairs: House) -> None:
    automatic(pairs, Automatic.SMARTHR_TO_FREEE, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    who = person(pairs)
    was = freee_phone(pairs, who)
    set_freee_phone(pairs, who)
    (run,) = sweep(pairs)
    assert (freee_phone(pairs, who), run.only_target_changed) == (was, 0)
    writes = pairs.writes()
    sweep(pairs)
    assert pairs.writes() == writes


def test_in_both_directions_the_newer_value_travels_whatever_the_policy(pairs: House) -> None:
    automatic(pairs, Automatic.BOTH, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    who = person(pairs)
    set_freee_phone(pairs, who)
    runs = sweep(pairs)
    assert pairs.smarthr.crew(who.crew_id or "")["tel_number"].endswith("8888")
    assert [run.only_target_changed for run in runs] == [0, 0]


def test_somebody_who_left_at_the_target_alone_is_shown(pairs: House) -> None:
    """freee holds a leaving that SmartHR never had: a run never erases it by a blank, and says so."""
    who = person(pairs)
    pairs.freee.edit(who.employee_id or 0, {"retire_date": "2026-08-31"})
    run = pairs.run(TO_FREEE)
    item = pairs.item(run, who.number)
    assert (item.state, item.error_code) == (ItemState.UNCHANGED, "only_target_changed")
    assert pairs.seen(run).only_target_changed == 1
    assert "反映先だけが変わっています: 1件" in pairs.postbox.mails[-1].body
    assert dates(pairs, who)[1][1] == "2026-08-31"


def test_counts_of_a_run_over_everybody_are_the_whole_company(house: House) -> None:
    for direction, people in ((TO_FREEE, house.company.crews), (TO_SMARTHR, None)):
        everybody = len(people) if people is not None else len(house.freee.company.people)
        run = house.run(direction)
        assert sum(run.counts.values()) == everybody
        assert Counter(item.state for item in house.items(run)) == run.counts
    assert house.connection.key == KEY

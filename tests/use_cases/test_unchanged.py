"""By what it is known that there is nothing to do for a pair: the mark names all that a plan is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app.domain.employee import EmployeeRecord, Person, YearMonth
from app.domain.enums import Direction, System, Trigger
from app.domain.japanese.municipalities import Municipalities
from app.domain.planning.keyed import KeyedFingerprint
from app.domain.planning.stopping import StopReason, StopState
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy, MappingOptions
from app.practice.staff.practice_company import PracticeCompany
from app.storage.links.rows import LinkRow
from app.storage.runs.stopped_changes import StoppedRow
from app.use_cases.planning.plan_employee import Terms, terms_of_run
from app.use_cases.planning.stop_changes import Stops
from app.use_cases.survey.unchanged import Marks, terms_told
from tests.domain.records import crew, employee
from tests.house import House
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import person, set_freee_phone, set_smarthr_phone, settle, sweep

TO_FREEE = Direction.SMARTHR_TO_FREEE
NOW, TODAY = datetime(2026, 11, 22, tzinfo=UTC), date(2026, 11, 22)
KEYED = KeyedFingerprint({"": b"an-invented-key", "a": b"another"}, "")
SOURCE = EmployeeRecord(Person(System.SMARTHR, "crew-1", "00123"), crew())
TARGET = EmployeeRecord(Person(System.FREEE, "4321", "00123"), employee(), YearMonth(2026, 11))
TERMS = Terms(TO_FREEE, ConflictPolicy.HOLD, {}, MappingOptions(as_of_date=TODAY), KEYED)
LINK = LinkRow(7, 1, "crew-1", "4321", {"phone": "2:aa"}, None, NOW, None, None)

OTHER_TERMS: Mapping[str, object] = {
    "direction": Direction.FREEE_TO_SMARTHR,
    "policy": ConflictPolicy.SMARTHR_WINS,
    "policies": {"phone": ConflictPolicy.FREEE_WINS},
    "options": MappingOptions(),
    "fingerprint": KeyedFingerprint({"": b"an-invented-key"}, ""),
    "one_way": True,
}
OTHER_OPTIONS: Mapping[str, object] = {
    "include_building": False,
    "create_positions": True,
    "known_positions": frozenset({"課長"}),
    "readable_attributes": frozenset({"gender"}),
    "readable_in_freee": frozenset({"profile_rule.gender"}),
    "gone": frozenset({(System.FREEE, "profile_rule.gender")}),
    "blank_policies": {"phone": BlankPolicy.ERASE},
    "excluded": frozenset({"phone"}),
    "as_of_date": TODAY + timedelta(days=1),
}
NOT_TOLD = {"municipalities"}
"""Asked for only where something is written."""


def mark(
    *,
    source: EmployeeRecord = SOURCE,
    target: EmployeeRecord | None = TARGET,
    link: LinkRow | None = LINK,
    terms: Terms = TERMS,
    declined: Mapping[str, Any] = {},
    stops: Stops | None = None,
) -> str | None:
    return Marks(terms, declined, stops).of(source, target, link)


# ── what the mark names ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_is_the_same() -> None:
    assert mark() == mark(source=replace(SOURCE), target=replace(TARGET), link=replace(LINK), terms=replace(TERMS))
    assert mark() is not None


@pytest.mark.parametrize("name", [each.name for each in fields(Terms) if each.compare])
def test_all_terms_count(name: str) -> None:
    assert mark(terms=replace(TERMS, **{name: OTHER_TERMS[name]})) != mark()


@pytest.mark.parametrize("name", [each.name for each in fields(MappingOptions) if each.name not in NOT_TOLD])
def test_all_options_count(name: str) -> None:
    options = replace(TERMS.options, **{name: OTHER_OPTIONS[name]})
    assert mark(terms=replace(TERMS, options=options)) != mark()


def test_terms_are_told_in_words_that_another_process_would_use() -> None:
    many = frozenset(f"attribute_{nth}" for nth in range(9))
    options = replace(TERMS.options, readable_attributes=many, municipalities=Municipalities({"東京都": ("港区",)}))
    told = terms_told(replace(TERMS, options=options))
    assert told["options"]["readable_attributes"] == sorted(f'"{each}"' for each in many)
    assert "an-invented-key" not in repr(told)


def test_a_new_kind_of_term_has_to_be_told() -> None:
    with pytest.raises(TypeError, match="bytes"):
        terms_told(replace(TERMS, policy=b"hold"))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["source", "target"])
def test_both_readings_count(side: str) -> None:
    record = {"source": SOURCE, "target": TARGET}[side]
    assert record.record is not None
    for other in (
        replace(record, record={**record.record, "something": "else"}),
        replace(record, month=YearMonth(2026, 12)),
        replace(record, once_only=True),
        replace(record, person=replace(record.person, in_payroll=False)),
    ):
        assert mark(**{side: other}) not in (None, mark())


def test_the_baseline_counts() -> None:
    assert mark(link=replace(LINK, baseline={"phone": "2:bb"})) != mark()
    assert mark(link=replace(LINK, baseline={})) != mark()


# ── whoever is always planned ─────────────────────────────────────────────────────────────────────────────────────


def stopped(state: StopState, direction: Direction = TO_FREEE) -> Stops:
    source_id = "crew-1" if direction is TO_FREEE else "4321"
    row = StoppedRow(
        id=1,
        connection_id=1,
        direction=direction,
        source_id=source_id,
        target_id=None,
        unit="phone",
        effects="",
        reason=StopReason.MASS_CHANGE,
        state=state,
        digest="2:aa",
        run_id=1,
        item_id=1,
        changed_at=NOW,
    )
    return Stops([row], TO_FREEE, TODAY, KEYED)


def test_nobody_has_a_mark_of_whom_more_is_remembered_than_the_baseline() -> None:
    unsettled = {TO_FREEE.value: {"phone": {}}}
    assert mark(link=replace(LINK, unsettled=unsettled)) is None
    assert mark(declined={"crew-1": {"phone": "2:aa"}}) is None
    assert mark(declined={"crew-2": {"phone": "2:aa"}}) == mark()
    assert mark(target=None) is None
    assert mark(link=None) is None
    assert mark(source=replace(SOURCE, record=None)) is None
    assert mark(target=replace(TARGET, record=None)) is None
    assert mark(terms=replace(TERMS, fingerprint=lambda name, text: name + text)) is None


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("state", list(StopState))
def test_nobody_has_a_mark_of_whom_a_change_was_stopped(state: StopState, direction: Direction) -> None:
    assert mark(stops=stopped(state, direction)) is None
    assert mark(stops=Stops([], TO_FREEE, TODAY, KEYED)) == mark()


# ── in a survey ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    house = open_practice(only(company, "equal", most=4))
    settle(house)
    sweep(house)
    return house


def marks_of(house: House) -> dict[int, tuple[str | None, str | None]]:
    with house.ctx.unit_of_work() as uow:
        links = uow.links.for_connection(house.connection.id)
    return {link.id: (link.unchanged(TO_FREEE), link.unchanged(TO_FREEE.reverse)) for link in links}


def mark_in(house: House, crew_id: str) -> tuple[int, str]:
    """(link id, the mark that a scheduled comparison of this person with what both systems hold now has)."""
    ctx, connection = house.ctx, house.connection
    terms = terms_of_run(
        connection,
        direction=TO_FREEE,
        trigger=Trigger.SCHEDULE,
        as_of_date=house.today,
        signing=ctx.keys.signing,
        municipalities=ctx.municipalities,
    )
    listed = {
        system: {each.person.id: each for each in ctx.gateway(connection, system).directory(as_of_date=house.today)}
        for system in System
    }
    with ctx.unit_of_work() as uow:
        link = uow.links.by_source(connection.id, System.SMARTHR, crew_id)
    assert link is not None
    found = Marks(terms, {}, None).of(listed[System.SMARTHR][crew_id], listed[System.FREEE][link.freee_id], link)
    assert found is not None
    return link.id, found


@pytest.mark.reach("test")
def test_who_needs_nothing_is_marked_once_in_each_direction(house: House) -> None:
    sweep(house)
    before = marks_of(house)
    assert len(before) == 4 and all(all(each) for each in before.values())
    sweep(house)
    assert marks_of(house) == before
    link_id, found = mark_in(house, person(house).crew_id or "")
    assert before[link_id][0] == found, "whoever lists the same under the same terms finds the same mark"


@pytest.mark.reach("test")
def test_a_mark_of_the_present_readings_is_believed(house: House) -> None:
    """A forged one shows that such a pair is not compared."""
    scenario = person(house)
    set_smarthr_phone(house, scenario)
    link_id, forged = mark_in(house, scenario.crew_id or "")
    with house.ctx.unit_of_work() as uow:
        uow.links.note_unchanged(TO_FREEE, {link_id: forged})
    assert [house.items(run) for run in sweep(house)[:1]] == [[]]
    set_smarthr_phone(house, scenario, "080-0000-7777")
    (item,) = house.items(sweep(house)[0])
    assert item.source_id == scenario.crew_id, "another reading is another mark"


@pytest.mark.reach("test")
def test_of_whom_there_is_something_to_tell_there_is_no_mark(house: House) -> None:
    """What only the target has changed is no work for this direction, and counted all the same."""
    scenario = person(house)
    settle(house, automatic=Automatic.SMARTHR_TO_FREEE, conflict_policy=ConflictPolicy.HOLD)
    sweep(house)
    set_freee_phone(house, scenario)
    link_id, found = mark_in(house, scenario.crew_id or "")
    for _ in range(2):
        (run,) = sweep(house)
        assert (run.counts, run.only_target_changed) == ({ItemState.UNCHANGED: 4}, 1)
    assert marks_of(house)[link_id][0] not in (None, found)


@pytest.mark.reach("test")
def test_a_preview_leaves_no_mark(house: House) -> None:
    before = marks_of(house)
    set_smarthr_phone(house, person(house))
    house.run(TO_FREEE, as_of_date=house.today, dry_run=True)
    assert marks_of(house) == before


# ── in the directory ──────────────────────────────────────────────────────────────────────────────────────────────


def change_directory(house: House, sql: str) -> None:
    with house.database.engine.begin() as connection:
        connection.execute(text(f"UPDATE directory SET {sql}"))


def directory(house: House) -> list[tuple[Any, ...]]:
    """What the directory holds of everybody, the ids of its rows and the time left out."""
    columns = "system, person_id, content, kana_mark, born_mark, name_digests, names_by, record_mark"
    with house.database.engine.begin() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM directory ORDER BY 1, 2"))]


@pytest.mark.reach("test")
def test_the_entry_of_whoever_reads_as_before_stands(house: House) -> None:
    """A forged content shows that it is not worked out anew."""
    scenario, before = person(house), directory(house)
    change_directory(house, "content = '2:forged'")
    sweep(house)
    assert {row[2] for row in directory(house)} == {"2:forged"}
    house.smarthr.edit(scenario.crew_id or "", {"tel_number": "080-0000-7777"})
    sweep(house)
    made = [row for row in directory(house) if row[2] != "2:forged"]
    assert {row[1] for row in made} == {scenario.crew_id, str(scenario.employee_id)}, "edited, and written to"
    assert not {row[2] for row in made} & {row[2] for row in before}


@pytest.mark.reach("test")
@pytest.mark.parametrize("lost", ["record_mark = NULL", "names_by = NULL, name_digests = NULL, kana_mark = NULL"])
def test_what_was_lost_of_an_entry_is_made_anew(house: House, lost: str) -> None:
    """By a process of the version before, or because names are kept for a time only."""
    before = directory(house)
    change_directory(house, lost)
    assert directory(house) != before
    sweep(house)
    assert directory(house) == before

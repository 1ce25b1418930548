"""Promise 6 over generated people: what could not be carried is never replaced without a tick, and undo is exact."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.domain.employee import EmployeeRecord, Person, YearMonth
from app.domain.enums import Direction, System
from app.domain.mapping import FIELDS
from app.domain.planning import exact
from app.domain.planning.carrying import decision_unit_of
from app.domain.planning.plan import Plan, Severity
from app.domain.planning.undoing import Written
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import ConflictPolicy, MappingOptions
from app.domain.snapshot import Unconvertible
from app.domain.writing import encode
from app.use_cases.planning.plan_employee import Decided, Terms, decide
from app.use_cases.planning.plan_reversal import plan_back
from tests.domain.records import READABLE
from tests.domain.staff import CREWS, EMPLOYEES, POSITION_MASTER, Record, written
from tests.properties import examples

many = examples(60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
NASTY = st.sampled_from(
    [
        "",
        " ",
        "　",
        None,
        " 山田 ",
        "ﾔﾏﾀﾞ",
        "ﾔﾏﾀﾞ　ﾀﾛｳ ",
        "山田",
        "１２３",
        "A-123",
        "03-1234-5678 内線123",
        "長" * 300,
        "０",
    ]
)
TEXTS = {
    System.SMARTHR: ("last_name", "last_name_yomi", "tel_number", "emp_code", "basic_pension_number"),
    System.FREEE: ("last_name", "last_name_kana", "phone1", "title", "residential_address", "address_kana"),
}
OPTIONS = st.builds(
    MappingOptions,
    include_building=st.booleans(),
    create_positions=st.booleans(),
    known_positions=st.sampled_from([None, frozenset(POSITION_MASTER)]),
    readable_attributes=st.just(READABLE),
    as_of_date=st.just(date(2024, 6, 15)),
)


@st.composite
def pairs(draw: st.DrawFn) -> dict[System, Record]:
    """A person on both sides, some texts of whom are anything at all."""
    crew, employee = deepcopy(draw(CREWS)), deepcopy(draw(EMPLOYEES))
    for name in draw(st.sets(st.sampled_from(TEXTS[System.SMARTHR]), max_size=3)):
        crew[name] = draw(NASTY)
    for name in draw(st.sets(st.sampled_from(TEXTS[System.FREEE]), max_size=3)):
        if employee.get("profile_rule"):
            employee["profile_rule"][name] = draw(NASTY)
    return {System.SMARTHR: crew, System.FREEE: employee}


def seen(system: System, record: Record) -> EmployeeRecord:
    month = YearMonth(2024, 6) if system is System.FREEE else None
    return EmployeeRecord(Person(system, "1", "00123"), record, month)


def terms_of(direction: Direction, policy: ConflictPolicy, options: MappingOptions) -> Terms:
    return Terms(direction, policy, {}, options, lambda key, text: f"{key}={text}")


def decided(terms: Terms, pair: dict[System, Record], *, ticked: bool = False) -> Decided:
    source, target = (seen(system, pair[system]) for system in (terms.direction.source, terms.direction.target))
    keys = [row.key for row in FIELDS] if ticked else []
    return decide(terms, source, target, {}, ticked=keys)


def after_writing(terms: Terms, plan: Plan, record: Record) -> Record:
    target = terms.direction.target
    return written(target, record, encode(target, plan.changes, record, terms.options))


def held(system: System, record: Record) -> dict[str, Any]:
    """What the system holds of every item, in its own form."""
    if system is System.SMARTHR:
        raw = {row.key: exact.raw_of(system, row, record) for row in FIELDS}
        accounts = [{k: v for k, v in each.items() if v is not None} for each in record.get("bank_accounts") or ()]
        bank = {row.key: accounts for row in FIELDS if row.group == "bank"}  # a part that is null may be left out
        return {**raw, **bank, "title": _names(record.get("positions"))}
    return {row.key: _as_taken(exact.own(system, row, exact.raw_of(system, row, record))) for row in FIELDS}


def _names(positions: Any) -> list[str | None]:
    """The names per slot; empty slots at the end are none."""
    names = [(each or {}).get("name") for each in positions or ()]
    while names and names[-1] is None:
        names.pop()
    return names


def _as_taken(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """freee takes no null for most fields: an undo leaves its blank there."""
    return tuple(None if value is not False and value in (None, "", -1) else value for value in values)


@many
@given(pairs(), OPTIONS, st.sampled_from(Direction), st.sampled_from(ConflictPolicy))
def test_without_a_tick_nothing_that_cannot_be_read_is_replaced(
    pair: dict[System, Record], options: MappingOptions, direction: Direction, policy: ConflictPolicy
) -> None:
    terms = terms_of(direction, policy, options)
    plan = decided(terms, pair).plan
    before = pair[direction.target]
    items = take_snapshot(seen(direction.target, before), options)
    after = after_writing(terms, plan, before)
    for row in FIELDS:
        state = items[row.key]
        if isinstance(state, Unconvertible) and state.reason != "gender_unselected":
            now, then = (
                exact.own(direction.target, row, exact.raw_of(direction.target, row, r)) for r in (after, before)
            )
            assert now == then, row.key


@many
@given(pairs(), OPTIONS, st.sampled_from(Direction), st.booleans())
def test_undo_gives_back_just_what_stood_there(
    pair: dict[System, Record], options: MappingOptions, direction: Direction, ticked: bool
) -> None:
    terms = terms_of(direction, ConflictPolicy.SOURCE_WINS, options)
    plan = decided(terms, pair, ticked=ticked).plan
    before = pair[direction.target]
    after = after_writing(terms, plan, before)
    wrote = [Written(each.key, each.before, each.after, each.raw) for each in plan.changes]
    back = plan_back(terms, wrote, seen(direction.target, after))
    restored = after_writing(terms, back, after)
    told = {note.key for note in back.notes if note.severity is Severity.REVIEW}
    one, other = held(direction.target, restored), held(direction.target, before)
    left = {key for key in one if one[key] != other[key]}
    assert left <= told | _with(told), sorted(left - told)


def _with(told: set[str | None]) -> set[str]:
    """What stays with an item that was told: its account, its address, the reading under its prefecture."""
    return {
        row.key for row in FIELDS if any(key and decision_unit_of(key) == decision_unit_of(row.key) for key in told)
    }

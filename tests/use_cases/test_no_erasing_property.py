"""The law of `test_no_erasing_without_proof` over all sets of hidden attributes: planned over generated people, and
walked with both practice vendors through every trigger and direction."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.employee import EmployeeRecord, YearMonth
from app.domain.enums import Direction, System, Trigger
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.reading import attribute_in, attributes_of, items_under, listing_of, readable_attributes, take_snapshot
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy, Connection, MappingOptions
from app.domain.settings.readability import (
    EVIDENCE_LASTS,
    Listing,
    Standing,
    after_listing,
    newly_gone,
    of_another_token,
)
from app.domain.snapshot import BLANK, is_value
from app.storage.enums import KeyKind
from app.storage.keyring import Ring
from app.use_cases.planning.plan_employee import Terms, agreed_digests, decide, terms_of_run
from tests.domain.records import CREW, EMPLOYEE
from tests.house import House
from tests.listening import listening, settle, swept
from tests.properties import every, examples
from tests.use_cases.test_no_erasing_without_proof import again, hide, pairs
from tests.use_cases.test_two_way import in_freee, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

__all__ = ["pairs"]

SIGNING = Ring(KeyKind.SIGNING, ["k" * 32])
NOW = datetime(2026, 11, 11, 3, 0, tzinfo=UTC)
ERASING = dict.fromkeys([row.key for row in FIELDS], BlankPolicy.ERASE)
FORMS = st.sampled_from(["null", "absent"])
SMARTHR_NAMES = sorted(attributes_of(System.SMARTHR) | {"position"})
FREEE_PATHS = sorted({path for row in FIELDS for path in row.freee.paths})


def person(system: System, number: int) -> EmployeeRecord:
    from app.adapters.freee.survey import person_of
    from app.adapters.smarthr.gateway import _employee

    if system is System.SMARTHR:
        return _employee({**deepcopy(CREW), "id": f"crew-{number}", "resigned_at": "2030-03-31"})
    record = {**deepcopy(EMPLOYEE), "id": number, "retire_date": "2030-03-31"}
    return EmployeeRecord(person_of(record, None), record, YearMonth(2026, 11))


def without(record: EmployeeRecord, paths: Iterable[str], form: str) -> EmployeeRecord:
    """The record as a token sees it that may not see what stands at these dotted paths."""
    seen: Any = deepcopy(record.record)
    for path in paths:
        *parents, last = path.split(".")
        node = seen
        for name in parents:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict) and form == "null":
            node[last] = None
        elif isinstance(node, dict):
            node.pop(last, None)
    return replace(record, record=seen)


def terms_after(people: Mapping[System, list[EmployeeRecord]], direction: Direction, policy: Any) -> Terms:
    """The terms of a run whose survey has listed these people."""
    connection = Connection(
        1, "key", "name", "sub", 1, None,
        blank_policies=policy, conflict_policy=ConflictPolicy.SMARTHR_WINS,
        standings={
            system: after_listing({}, listing_of(listed), by="0", now=NOW) for system, listed in people.items()
        },
    )  # fmt: skip
    return terms_of_run(
        connection,
        direction=direction,
        trigger=Trigger.MANUAL,
        as_of_date=date(2026, 11, 11),
        signing=SIGNING,
        municipalities=municipalities(),
    )


@examples(300)
@given(direction=st.sampled_from(list(Direction)), form=FORMS, erase=st.booleans(), data=st.data())
def test_no_plan_erases_because_of_a_hidden_attribute(
    direction: Direction, form: str, erase: bool, data: st.DataObject
) -> None:
    """Everybody has every value; the token sees some of the attributes for nobody, on the side that is read or on
    SmartHR's; what both sides agreed on before is known."""
    policy = ERASING if erase else {}
    people = {system: [person(system, number) for number in (1, 2, 3)] for system in System}
    source, target = (people[side][0] for side in (direction.source, direction.target))
    before = terms_after(people, direction, policy)
    digests = agreed_digests(decide(before, source, target, {}), None)
    names = SMARTHR_NAMES if direction.source is System.SMARTHR else FREEE_PATHS
    hidden = data.draw(st.sets(st.sampled_from(names)))
    seen = {**people, direction.source: [without(each, hidden, form) for each in people[direction.source]]}
    plan = decide(terms_after(seen, direction, policy), seen[direction.source][0], target, digests).plan
    assert [change for change in plan.changes if change.after is BLANK] == []


@examples(200)
@given(form=FORMS, hidden=st.sets(st.sampled_from(SMARTHR_NAMES)))
def test_no_plan_writes_over_what_smarthr_hides(form: str, hidden: set[str]) -> None:
    people = {system: [person(system, number) for number in (1, 2)] for system in System}
    seen = {**people, System.SMARTHR: [without(each, hidden, form) for each in people[System.SMARTHR]]}
    terms = terms_after(seen, Direction.FREEE_TO_SMARTHR, {})
    plan = decide(terms, seen[System.FREEE][0], seen[System.SMARTHR][0], {}).plan
    names = {attribute_in(System.SMARTHR, BY_KEY[change.key]) for change in plan.changes}
    assert not names & hidden


@examples(200)
@given(cleared=st.sets(st.sampled_from(SMARTHR_NAMES)))
def test_what_one_person_cleared_is_erased_where_the_policy_says_so(cleared: set[str]) -> None:
    people = {system: [person(system, number) for number in (1, 2)] for system in System}
    one, other = people[System.SMARTHR]
    people[System.SMARTHR] = [without(one, cleared, "null"), other]
    terms = terms_after(people, Direction.SMARTHR_TO_FREEE, ERASING)
    source = take_snapshot(people[System.SMARTHR][0], terms.options)
    plan = decide(terms, people[System.SMARTHR][0], people[System.FREEE][0], {}).plan
    erased = {change.key for change in plan.changes if change.after is BLANK}
    alone = {"home_address_kana", "home_zip_code", "home_prefecture", "home_address"}  # an address goes as one
    expected = {
        row.key
        for row in FIELDS
        if source[row.key] is BLANK and row.group != "bank" and System.FREEE not in row.unclearable_in
        and not row.key.startswith(("home_", "registered_"))
    }  # fmt: skip
    assert (
        expected <= erased
        and not {key for key in erased if is_value(source[key])}
        and not erased & alone - set(items_under(System.SMARTHR, cleared))
    )


# ── with both vendors ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["null", "absent"])
def test_nothing_is_erased_whatever_is_hidden_and_whatever_asks(pairs: House, form: str) -> None:
    again(pairs)
    crew, employee = somebody(pairs)
    dice = random.Random(11)
    before, people = _contents(pairs.smarthr.crew(crew), in_freee(pairs, employee)), len(pairs.smarthr.crews)
    paths = [path.rpartition(".")[2] for path in FREEE_PATHS]
    with listening(pairs, Automatic.BOTH):
        for turn in range(0, 12, every(3)):
            hide(pairs, *dice.sample(SMARTHR_NAMES, dice.randint(1, 8)), form=form)
            pairs.freee_injector.set_switches(
                {"hidden_items": dice.sample(paths, dice.randint(0, 8)), "hidden_item": form}
            )
            pairs.smarthr.fire("crew_updated", crew)
            settle(pairs)
            swept(pairs)
            again(pairs, list(Direction)[turn % 2])
            pairs.freee_injector.set_switches({"hidden_items": []})
            hide(pairs)
            now = _contents(pairs.smarthr.crew(crew), in_freee(pairs, employee))
            assert {name: (before[name], now[name]) for name in before if now[name] != before[name]} == {}
            assert len(pairs.smarthr.crews) == people


def _contents(crew: Mapping[str, Any], employee: Mapping[str, Any]) -> dict[str, Any]:
    rules = {name: value for name, value in employee.items() if name.endswith("_rule") and value is not None}
    theirs = {
        f"{name}.{key}": _one_width(each) for name, value in rules.items() for key, each in value.items() if key != "id"
    }
    tops = {name: employee[name] for name in ("num", "retire_date", "birth_date", "entry_date", "base_pension_num")}
    return {**{name: crew[name] for name in SMARTHR_NAMES}, **theirs, **tops}


def _one_width(value: Any) -> Any:
    """freee's account is written as a whole where one of its items is hidden, in the writing of ours."""
    return value.replace("\u3000", " ") if isinstance(value, str) else value


# ── the pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def listed(*people: tuple[str, set[str]], missing: Iterable[str] = (), complete: bool = True) -> Listing:
    shown = {name: who for who, names in reversed(people) for name in names}
    counts = {name: sum(name in names for _, names in people) for name in shown}
    ids = frozenset(who for who, _ in people)
    return Listing(shown, counts, frozenset(missing), ids, ids, complete)


def test_an_attribute_that_a_complete_listing_shows_for_nobody_is_asked_about_once() -> None:
    first = after_listing({}, listed(("1", {"a", "b"}), ("2", {"a"})), by="0", now=NOW)
    assert first["a"].people == 2 and newly_gone({}, first) == []
    later = NOW + timedelta(hours=1)
    part = after_listing(first, listed(("1", {"b"}), complete=False), by="0", now=later)
    assert newly_gone(first, part) == [] and not part["a"].is_shown_to("0") and part["b"].is_shown_to("0")
    gone = after_listing(first, listed(("1", {"b"}), ("2", set()), missing=["a"]), by="0", now=later)
    assert newly_gone(first, gone) == ["a"] and gone["a"].missing and gone["a"].gone_at == later
    again_gone = after_listing(gone, listed(("1", {"b"}), ("2", set())), by="0", now=later + timedelta(hours=1))
    assert newly_gone(gone, again_gone) == [] and again_gone["a"].gone_at == later and not again_gone["a"].missing
    back = after_listing(again_gone, listed(("2", {"a"})), by="0", now=later)
    assert back["a"] == Standing(later, "0", "2", 1)


def test_nobody_listed_says_nothing_and_the_only_person_who_left_takes_the_attribute_along() -> None:
    first = after_listing({}, listed(("1", {"a"}), ("2", set())), by="0", now=NOW)
    assert after_listing(first, listed(), by="0", now=NOW) == first
    assert after_listing(first, listed(("2", set())), by="0", now=NOW) == {}
    assert newly_gone(first, after_listing(first, listed(("1", set()), ("2", set())), by="0", now=NOW)) == ["a"]


def test_evidence_is_some_minutes_old_at_most_and_of_the_same_token() -> None:
    seen = after_listing({}, listed(("1", {"a"})), by="0", now=NOW)["a"]
    assert seen.is_fresh("0", NOW + EVIDENCE_LASTS) and not seen.is_fresh("1", NOW)
    assert not seen.is_fresh("0", NOW + EVIDENCE_LASTS + timedelta(seconds=1))
    other = of_another_token({"a": seen, "b": replace(seen, gone_at=NOW, cleared=True)})
    assert not other["a"].is_shown_to("0") and not other["b"].cleared and other["b"].gone_at is None


def test_a_list_or_an_object_of_nothing_but_nulls_shows_nothing() -> None:
    hidden: Any = {"a": [], "b": [None, None], "c": {"city": None, "pref": None}, "d": None}
    assert readable_attributes([hidden]) == frozenset()
    assert readable_attributes([{"a": [{}], "c": {"city": "", "pref": None}, "d": False}]) == {"a", "c", "d"}


def test_without_any_evidence_a_null_of_freee_counts_only_where_freee_is_written() -> None:
    one = without(person(System.FREEE, 1), ["profile_rule.title"], "null")
    assert take_snapshot(one, MappingOptions())["title"] is BLANK
    assert take_snapshot(one, MappingOptions(readable_in_freee=frozenset()))["title"] is not BLANK

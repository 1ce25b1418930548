"""The trace of a value: replaying it step by step gives what is planned and what is written, and nothing is called lost
that is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.base import own_rules
from app.domain.codecs.steps import spoken
from app.domain.enums import Direction, System
from app.domain.japanese.normal_form import NORMAL_FORM
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change, Plan, Trace
from app.domain.planning.trace import BLANKED, with_traces
from app.domain.reading import raw_values
from app.domain.settings.connection_settings import BlankPolicy, ConflictPolicy, MappingOptions
from app.domain.snapshot import BLANK, is_value
from app.domain.writing import as_written, encode
from tests.domain.records import READABLE, crew, employee, seen_in_freee, seen_in_smarthr
from tests.domain.staff import CREWS, EMPLOYEES, Record
from tests.domain.test_convergence import OPTIONS, Company
from tests.properties import examples

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
many = examples(80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def traced(plan: Plan, direction: Direction, source: Record, target: Record | None, options: MappingOptions) -> Plan:
    written = as_written(direction.target, (*plan.changes, *plan.held), target, options)
    return with_traces(plan, source, written, direction=direction, options=options)


def replayed(change: Change, direction: Direction, source: Record, options: MappingOptions) -> tuple[Any, ...]:
    """What the steps make of what was read, each done again by what its name says: a rule, or the codec itself."""
    trace = change.trace
    assert trace is not None
    place = BY_KEY[change.key].place(direction.source)
    codec, raw = place.codec, raw_values(direction.source, source, place)
    values, beside = raw[: len(place.paths)], raw[len(place.paths) :]
    assert values == trace.read
    rules = codec.rules_for(raw) if hasattr(codec, "rules_for") else own_rules(codec)
    named = {rule.name: rule for rule in (*NORMAL_FORM, *rules)}
    gathers = [codec.gathered] if hasattr(codec, "gathered") else []
    for step in trace.steps:
        if step.name in named:
            rule = named[step.name]
            values = tuple(rule.apply(value) if isinstance(value, str) else value for value in values)
        else:
            assert step.name == codec.reads  # type: ignore[attr-defined]
            values = gathers.pop()(raw) if gathers else (codec.decode((*values, *beside), options),)
        assert values == step.values
    return values


@many
@given(CREWS, EMPLOYEES, OPTIONS, st.sampled_from(Direction))
def test_replaying_a_trace_gives_the_planned_value_and_what_is_written(
    crew_record: Record, employee_record: Record, options: MappingOptions, direction: Direction
) -> None:
    company = Company(crew_record, employee_record, options=options)
    source, target = company.records[direction.source], company.records[direction.target]
    plan = traced(company.plan(direction, ConflictPolicy.SOURCE_WINS), direction, source, target, options)
    sent = {
        path: value
        for paths in encode(direction.target, plan.changes, target, options).values()
        for path, value in paths.items()
    }
    for change in plan.changes:
        trace = change.trace
        assert trace is not None
        values = replayed(change, direction, source, options)
        if is_value(change.after):
            assert spoken(values) == spoken((change.after,))  # where nothing more is told, nothing more can be seen
        paths = BY_KEY[change.key].place(direction.target).paths
        told = trace.writing[-1].values if trace.writing else (change.after,)
        if direction is TO_FREEE:
            assert spoken(told) == spoken(tuple(sent[path] for path in paths))


@many
@given(CREWS, EMPLOYEES, OPTIONS, st.sampled_from(Direction))
def test_what_is_not_called_lost_comes_back_as_it_was_sent(
    crew_record: Record, employee_record: Record, options: MappingOptions, direction: Direction
) -> None:
    company = Company(crew_record, employee_record, options=options)
    source = company.records[direction.source]
    before = company.records[direction.target]
    plan = traced(company.plan(direction, ConflictPolicy.SOURCE_WINS), direction, source, before, options)
    company.write(plan, direction.target)
    now = company.seen(direction.target)
    lost = {note.key for note in plan.notes if note.code == "lossy"}
    for change in plan.changes:
        assert change.trace is not None and (change.key in lost) == bool(change.trace.lost)
        if not change.trace.lost:
            assert now[change.key] == change.after


# ── single values ─────────────────────────────────────────────────────────────────────────────────────────────────


def trace_of(
    key: str, direction: Direction, source: Record, target: Record, options: MappingOptions | None = None
) -> Trace:
    options = options or MappingOptions(municipalities=municipalities(), create_positions=True)
    seen = seen_in_smarthr(source, options) if direction is TO_FREEE else seen_in_freee(source, options)
    plan = Plan(kind=None, changes=(Change(key, BLANK, seen[key]),))  # type: ignore[arg-type]
    trace = traced(plan, direction, source, target, options).changes[0].trace
    assert trace is not None
    return trace


def names(trace: Trace) -> list[str]:
    return [step.name for step in (*trace.steps, *trace.writing)]


def values(trace: Trace) -> list[str]:
    return [spoken(step.values) for step in (*trace.steps, *trace.writing)]


def test_a_telephone_number_is_followed_from_one_field_into_three() -> None:
    trace = trace_of("phone", TO_FREEE, crew(tel_number=" ０３（１２３４）５６７８"), employee())
    assert names(trace) == ["rule_edges", "rule_width", "rule_phone_plan", "phone_split"]
    assert values(trace) == ["０３（１２３４）５６７８", "03(1234)5678", "03-1234-5678", "03 1234 5678"]
    assert trace.lost == ()


def test_a_value_that_is_carried_as_it_stands_has_no_steps() -> None:
    assert names(trace_of("last_name", TO_FREEE, crew(last_name="田中"), employee())) == []


def test_codes_are_told_on_both_sides() -> None:
    trace = trace_of("widow_type", TO_FREEE, crew(widow_type="single_parent"), employee())
    assert names(trace) == ["code", "code"]
    assert values(trace) == ["single_parent", "one_parent"]


@pytest.mark.parametrize(("number", "lost"), [("007", ("leading_zeros",)), ("7", ()), ("70", ())])
def test_only_a_number_with_leading_zeros_loses_them(number: str, lost: Sequence[str]) -> None:
    source = employee(health_insurance_rule={**employee()["health_insurance_rule"], "reference_num": number})
    assert trace_of("health_insured_number", TO_SMARTHR, source, crew(hel_ins_insured_person_number=None)).lost == lost


@pytest.mark.parametrize(("others", "lost"), [([], ()), ([{"name": "部長", "rank": 1}], ("other_positions",))])
def test_only_somebody_with_several_positions_loses_some(others: list[Record], lost: Sequence[str]) -> None:
    source = crew(positions=[{"name": "課長", "rank": 2}, None, *others])
    assert trace_of("title", TO_FREEE, source, employee()).lost == lost


@pytest.mark.parametrize(("include", "lost"), [(True, ()), (False, ("building",))])
def test_only_a_building_that_is_left_out_is_lost(include: bool, lost: Sequence[str]) -> None:
    options = MappingOptions(municipalities=municipalities(), include_building=include)
    assert trace_of("home_address", TO_FREEE, crew(), employee(), options).lost == lost


@pytest.mark.parametrize(("number", "lost"), [("12345671", ("last_digit",)), ("1234567", ())])
def test_only_a_number_of_eight_digits_loses_its_last_one(number: str, lost: Sequence[str]) -> None:
    account = {**crew()["bank_accounts"][0], "bank_code": "9900", "account_number": number}
    assert trace_of("bank_account_number", TO_FREEE, crew(bank_accounts=[account]), employee()).lost == lost


def test_a_blank_that_empties_is_a_step_of_its_own() -> None:
    options = MappingOptions(
        municipalities=municipalities(), blank_policies={"title": BlankPolicy.ERASE}, readable_attributes=READABLE
    )
    trace = trace_of("title", TO_FREEE, crew(positions=[], position=None), employee(), options)
    assert names(trace) == [BLANKED]


def test_every_codec_names_what_a_reader_would_see_it_do() -> None:
    told = {
        getattr(row.place(system).codec, what, "")
        for row in FIELDS
        for system in System
        for what in ("reads", "writes")
    }
    assert {"code", "phone_split", "address_joined", "zip_code_split", "whole_number"} <= told

"""Tells with each change how the source's value became the target's, so that nobody has to guess why the target holds
another text than the source: the rules step by step, what is lost on the way, and why a value is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from app.domain.codecs.base import Codec, Raw
from app.domain.codecs.steps import TraceStep, lost_in_writing, not_carried, read_steps, write_steps
from app.domain.employee import Record
from app.domain.enums import Direction
from app.domain.mapping import BY_KEY
from app.domain.planning.plan import Change, Note, Plan, Severity, Trace
from app.domain.reading import raw_values
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState, Missing, Unconvertible

Written = Mapping[str, tuple[Raw, Raw]]
"""Key of FIELDS → what is put at the row's paths, and what the target then holds beside them."""
BLANKED = "blanked"
"""The step that empties the target's value because the source's is blank."""


def with_traces(
    plan: Plan,
    source: Record,
    written: Written,
    *,
    direction: Direction,
    options: MappingOptions,
    why_held: Callable[[str], str | None] = lambda key: None,
) -> Plan:
    """The plan whose changes know their traces, with one note per rule and written item, and one for each item of which
    something is lost. `source`: the record that the plan was made from. `written`: of what is written and what is held
    (`writing.as_written`). `why_held`: key of FIELDS → why the source has no place for what the target holds."""

    def traced(change: Change) -> Change:
        return replace(change, trace=_trace(change, source, written, direction=direction, options=options))

    def held(change: Change) -> Change:
        followed = traced(change)
        assert followed.trace is not None
        reason = change.before.reason if isinstance(change.before, Unconvertible) else why_held(change.key)
        return replace(followed, trace=replace(followed.trace, held=reason))

    changes = tuple(map(traced, plan.changes))
    return replace(plan, changes=changes, held=tuple(map(held, plan.held)), notes=(*plan.notes, *_told(changes)))


def _trace(
    change: Change,
    source: Record,
    written: Written,
    *,
    direction: Direction,
    options: MappingOptions,
) -> Trace:
    row, after = BY_KEY[change.key], change.after
    place, codec = row.place(direction.source), row.place(direction.target).codec
    raw = raw_values(direction.source, source, place)
    steps = read_steps(place.codec, raw, paths=len(place.paths), plain=after)
    trace = Trace(raw[: len(place.paths)], tuple(steps), lost=not_carried(place.codec, raw, options))
    if change.key not in written:
        return trace
    values, beside = written[change.key]
    lost = (*trace.lost, *_lost(codec, after, values, beside, options))
    return replace(trace, writing=tuple(_writing(codec, after, values)), lost=lost)


def _lost(codec: Codec, after: FieldState, values: Raw, beside: Raw, options: MappingOptions) -> tuple[str, ...]:
    return () if isinstance(after, (Missing, Unconvertible)) else lost_in_writing(codec, after, values, beside, options)


def _writing(codec: Codec, after: FieldState, values: Raw) -> list[TraceStep]:
    if isinstance(after, (Missing, Unconvertible)):
        return [TraceStep(BLANKED, values)] if after is BLANK else []
    return write_steps(codec, after, values)


def _told(changes: Iterable[Change]) -> Iterable[Note]:
    for change in changes:
        assert change.trace is not None
        names = dict.fromkeys(step.name for step in change.trace.steps if step.is_rule)
        yield from (Note(name, Severity.INFO, change.key) for name in names)
        if change.trace.lost:
            yield Note("lossy", Severity.INFO, change.key)

"""One employee of a run, value by value: how the source's value became the target's, what was lost on the way, and why
a value is held."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.domain.codecs.steps import TraceStep, spoken
from app.domain.display import MASK
from app.domain.errors import Refused
from app.domain.mapping import BY_KEY
from app.domain.planning.plan import Trace
from app.storage.enums import ChangeState
from app.storage.runs.rows import ChangeRow, ItemRow, RunRow
from app.use_cases.context import Context
from app.use_cases.queries.person_results import ChangeResult, PersonResult, Visibility, change_result, person_results
from app.use_cases.shared.run_lookup import find_run


@dataclass(frozen=True)
class StepView:
    """`name`: a named rule of the catalogue, or what a codec does. `text`: the value after it; "" for nothing."""

    name: str
    text: str = field(repr=False)

    @property
    def is_rule(self) -> bool:
        return self.name.startswith("rule_")


@dataclass(frozen=True)
class TraceView:
    """`read`: what the source holds, "" for nothing. `reading` leads to the plain value, `writing` to the form of the
    target. `lost`: words for what the target does not get. `held`: a reason of the catalogue."""

    read: str = field(default="", repr=False)
    reading: tuple[StepView, ...] = ()
    writing: tuple[StepView, ...] = ()
    lost: tuple[str, ...] = ()
    held: str | None = None

    @property
    def is_as_it_is(self) -> bool:
        return not (self.reading or self.writing or self.lost or self.held)


@dataclass(frozen=True)
class ValueView:
    """`trace` None: nobody has followed the value (older runs, an undo), or it was erased. `held`: waits for a tick."""

    change: ChangeResult
    trace: TraceView | None
    held: bool


@dataclass(frozen=True)
class PersonValues:
    run: RunRow
    person: PersonResult
    values: tuple[ValueView, ...] = field(repr=False)


def person_values(ctx: Context, public_id: str, place: int, *, visibility: Visibility) -> PersonValues:
    """The employee at this place of the run, counted from 1. Raises Refused("run_not_found"), Refused("no_such_person")
    when nobody stands there."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, public_id)
        connection = uow.connections.get(run.connection_id)
        assert connection is not None  # its runs go with it
        row = uow.items.at(run.id, place - 1) if place > 0 else None
        if row is None:
            raise Refused("no_such_person", status=404)
        (person,) = person_results(uow, [row], visibility, settings=ctx.settings, connection=connection)
        changes = uow.changes.of_items([row.id])[row.id] if visibility.people else []
    return PersonValues(run, person, tuple(_value(change, row, visibility) for change in changes))


def _value(change: ChangeRow, row: ItemRow, visibility: Visibility) -> ValueView:
    result = change_result(change, visibility, row.direction.target)
    return ValueView(result, _trace_of(change, visibility), held=change.state is ChangeState.HELD)


def _trace_of(change: ChangeRow, visibility: Visibility) -> TraceView | None:
    if change.trace is None:
        return TraceView() if change.as_it_is and change.after is not None else None
    row = BY_KEY.get(change.key)
    hidden = row is None or (row.masked and not visibility.masked)
    return _seen(change.trace.open(), hidden=hidden)


def _seen(trace: Trace, *, hidden: bool) -> TraceView:
    def text(values: tuple[object, ...]) -> str:
        said = spoken(values)
        return MASK if hidden and said else said

    def steps(of: tuple[TraceStep, ...]) -> tuple[StepView, ...]:
        return tuple(StepView(step.name, text(step.values)) for step in of)

    return TraceView(text(trace.read), steps(trace.steps), steps(trace.writing), trace.lost, trace.held)

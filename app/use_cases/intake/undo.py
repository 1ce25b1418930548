"""Undo: starts a run that takes another run back, where the target still holds what that other run wrote.

The new run is a preview like any other: its survey reads the target, a person chooses and approves, each employee has a
job of their own with steps, lease and history, and the run may be held as a mass change. It deletes no employee whom
the other run has created: the page lists these for a person. `undoing.undone` says what an automatic run does with the
two sides, which differ from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.enums import Direction, Trigger
from app.domain.errors import Refused
from app.domain.mapping import BY_KEY
from app.domain.runs.commands import StartRun
from app.storage.runs.item_reading import WrittenCounts
from app.storage.runs.rows import ItemRow, RunRow
from app.use_cases.context import Context
from app.use_cases.intake.start_run import usable_connection
from app.use_cases.queries.history import get_run
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.store_run import store_run
from app.use_cases.shared.views import RunView

log = structlog.get_logger(__name__)

LISTED = 100
"""How many created people the page names at most."""


@dataclass(frozen=True)
class CreatedPerson:
    number: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class Outlook:
    """What a run has written, told from the history without asking the target. `refusal`: why the run cannot be taken
    back, None if it can. `open_run`: the run that is taking it back already. `values`: item key → people, in the order
    of the mapping. `unclearable`: the items among them that the target does not let us empty."""

    run: RunView
    people: int
    values: tuple[tuple[str, int], ...]
    unclearable: tuple[str, ...]
    created: int
    created_people: tuple[CreatedPerson, ...]
    refusal: Refused | None
    open_run: str | None

    @property
    def possible(self) -> bool:
        return self.refusal is None


def undo(ctx: Context, run_public_id: str, *, by: str) -> RunView:
    """Start a new run that takes this one back. It stops as a preview, which a person has to approve. Whoever asks
    again while it is open gets that run (`already`). Raises Refused."""
    try:
        public_id, already = _store(ctx, run_public_id, by=by)
    except IntegrityError:  # another request has started the same undo just now
        return undo(ctx, run_public_id, by=by)
    return replace(get_run(ctx, public_id), already=already)


def _store(ctx: Context, run_public_id: str, *, by: str) -> tuple[str, bool]:
    """(public id of the run, whether it was there already)."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_public_id)
        if other := uow.runs.open_undo_of(run.id):
            return other.public_id, True
        if refusal := _refusal(run, uow.items.written_counts(run.id)):
            raise refusal
        connection = uow.connections.get(run.connection_id)
        connection = usable_connection(uow, connection.key if connection else "")
        started = store_run(ctx, uow, connection, _command(run, connection.key, by=by))
        subject, detail = f"run:{run.public_id}", {"run": started.public_id}
        uow.audit.add(actor=by, action="undo_started", subject=subject, now=now, detail=detail)
    log.info("undo_accepted", run_id=started.id, undone_run_id=run.id)
    return started.public_id, False


def _command(run: RunRow, connection_key: str, *, by: str) -> StartRun:
    return StartRun(
        connection_key=connection_key,
        direction=run.direction,
        as_of_date=run.as_of_date,
        employees=None,
        dry_run=True,
        trigger=Trigger.UNDO,
        started_by=by,
        undone_run_id=run.id,
    )


def outlook(ctx: Context, run_public_id: str) -> Outlook:
    """What an undo of this run would take back, as far as the history tells. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_public_id)
        counts = uow.items.written_counts(run.id)
        refusal = _refusal(run, counts)
        created = uow.items.created(run.id, limit=LISTED) if counts.created else []
        other = uow.runs.open_undo_of(run.id)
    return Outlook(
        run=get_run(ctx, run_public_id),
        people=counts.people,
        values=_in_order(counts),
        unclearable=_unclearable(counts, run.direction),
        created=counts.created,
        created_people=tuple(_created(item) for item in created),
        refusal=refusal or (_already_open() if other else None),
        open_run=other.public_id if other else None,
    )


def _refusal(run: RunRow, counts: WrittenCounts) -> Refused | None:
    if not run.state.is_final:
        return Refused("run_not_finished", status=409)
    if not counts.people and not counts.created:
        return Refused("nothing_to_undo", status=409)
    if run.erased_at is not None:
        return Refused("values_erased", status=409)
    return None


def _already_open() -> Refused:
    return Refused("undo_open", status=409)


def _in_order(counts: WrittenCounts) -> tuple[tuple[str, int], ...]:
    return tuple((key, counts.by_key[key]) for key in BY_KEY if key in counts.by_key)


def _unclearable(counts: WrittenCounts, direction: Direction) -> tuple[str, ...]:
    return tuple(key for key, row in BY_KEY.items() if key in counts.by_key and direction.target in row.unclearable_in)


def _created(item: ItemRow) -> CreatedPerson:
    return CreatedPerson(item.employee_number, item.name)

"""Ticks of a preview: which values that could not be carried a person lets the run overwrite, per person and item."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.domain.errors import Refused
from app.domain.planning.carrying import whole_units
from app.domain.planning.mass_change import as_text, effects_of
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.runs.dates import today_in_japan
from app.domain.runs.run_state import RunState
from app.storage.enums import ChangeState
from app.storage.runs.rows import ChangeRow, ItemRow, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.run_lookup import find_run

Ticks = Mapping[str, Collection[str]]
"""Employee number → keys of FIELDS whose values may be overwritten."""


def tick(ctx: Context, run_id: str, position: int, keys: Collection[str], *, by: str) -> None:
    """Store exactly these ticks of one person; what belongs together is ticked together. Raises Refused: the run is no
    longer a preview, or nothing is held under one of the keys."""
    with ctx.unit_of_work() as uow:
        run = find_run(uow, run_id)
        if run.state is not RunState.PREVIEWED or run.ends_as is not None:
            raise _no_preview()
        items = uow.preview_selection.with_held(run.id, position=position)
        _tick(ctx, uow, RunState.PREVIEWED, items, keys)
        detail = {"position": position, "items": len(keys)}
        uow.audit.add(actor=by, action="overwrite_ticked", subject=f"run:{run_id}", now=ctx.clock.now(), detail=detail)


def tick_numbers(ctx: Context, uow: UnitOfWork, run: RunRow, ticks: Ticks) -> None:
    """Store the ticks that an approval brings, inside the transaction that has set the run going. People whom it does
    not name keep theirs. Raises Refused: nothing is held under one of the keys."""
    for number, keys in ticks.items():
        items = uow.preview_selection.with_held(run.id, number=number)
        _tick(ctx, uow, RunState.RUNNING, items, keys)


def _no_preview() -> Refused:
    return Refused("not_previewed.over", status=409)


def _tick(ctx: Context, uow: UnitOfWork, run_state: RunState, items: Sequence[ItemRow], keys: Collection[str]) -> None:
    changes = uow.changes.of_items([item.id for item in items])
    held = {c.key for each in changes.values() for c in each if c.state is ChangeState.HELD}
    if not set(keys) <= held:
        raise Refused("not_held", fields=("overwrite",))
    for item in items:
        _tick_one(ctx, uow, run_state, item, changes[item.id], keys)


def _tick_one(
    ctx: Context,
    uow: UnitOfWork,
    run_state: RunState,
    item: ItemRow,
    changes: Sequence[ChangeRow],
    keys: Collection[str],
) -> None:
    held = {change.key for change in changes if change.state is ChangeState.HELD}
    ticked = held & whole_units(keys)
    planned = [change for change in changes if change.key not in held or change.key in ticked]
    effects = as_text(effects_of(_plan(item, planned), today=today_in_japan(ctx.clock.now())))
    if not uow.preview_selection.tick(item.id, run_state, ticked=sorted(ticked), effects=effects):
        raise _no_preview()


def _plan(item: ItemRow, changes: Collection[ChangeRow]) -> Plan:
    """What the run would write for this person, as far as a mass change is concerned."""
    kind = PlanKind.CREATE if item.kind == PlanKind.CREATE else PlanKind.UPDATE if changes else PlanKind.NOTHING
    known = (each for each in changes if each.before is not None and each.after is not None)
    return Plan(kind, tuple(Change(each.key, each.before, each.after) for each in known))  # type: ignore[arg-type]

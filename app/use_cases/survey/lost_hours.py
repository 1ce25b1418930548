"""What the lost hours have written: after an adoption the comparison finds pairs that are equal on both sides and that
the copy does not know, or knows with other values. The original, or people, have written them since the copy was made.

It stands in the audit trail, under the run of the comparison, because that is where one looks later for what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.planned_item import Agreement, PlannedItem
from app.use_cases.shared.at_home import ADOPTER
from app.use_cases.survey.portions import portions

ACTION = "lost_hours_compared"


@dataclass(frozen=True)
class LostHours:
    """`linked`: people who are equal on both sides and were not linked in the copy; `agreed`: linked people whose both
    sides agree on other values than in the copy."""

    linked: int
    agreed: int


def lost_hours(ctx: Context, run: RunRow, planned_items: Iterable[PlannedItem]) -> LostHours | None:
    """What this comparison tells of the lost hours; None for a run that no adoption has asked for."""
    if run.started_by != ADOPTER:
        return None
    pairs = [each.agreement for each in planned_items if each.agreement is not None]
    known = {pair.link_id: pair for pair in pairs if pair.link_id is not None}
    return LostHours(len(pairs) - len(known), sum(_moved(ctx, known, ids) for ids in portions(list(known))))


def _moved(ctx: Context, pairs: Mapping[int, Agreement], ids: Sequence[int]) -> int:
    """How many of these links have other values on both sides than the link knows of."""
    with ctx.unit_of_work().reading() as uow:
        return sum(pairs[link.id].compared(link.baseline) != link.baseline for link in uow.links.of_ids(ids))


def note_lost_hours(ctx: Context, uow: UnitOfWork, run: RunRow, found: LostHours | None) -> None:
    if found is not None:
        detail = {"direction": run.direction.value, "linked": found.linked, "agreed": found.agreed}
        now = ctx.clock.now()
        uow.audit.add(actor=ADOPTER, action=ACTION, subject=f"run:{run.public_id}", now=now, detail=detail)


def noted_lost_hours(uow: UnitOfWork, run_public_id: str) -> LostHours | None:
    """What was noted of a comparison; None while it is under way."""
    rows = uow.audit.page(subject=f"run:{run_public_id}")
    told = next((row.detail for row in rows if row.action == ACTION and isinstance(row.detail, dict)), None)
    return None if told is None else LostHours(int(told["linked"]), int(told["agreed"]))

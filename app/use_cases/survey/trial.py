"""What settings that are tried would change: the plans with them beside the plans with the saved ones, both made from
the same lists. Only the people and items by which they differ are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.storage.runs.rows import NewChange, RunRow
from app.use_cases.context import Context
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.shared.lease import Lease
from app.use_cases.shared.trial_settings import FEWER
from app.use_cases.survey.survey_store import fenced


def keep_moved(
    ctx: Context, run: RunRow, planned_items: Sequence[PlannedItem], as_saved: Sequence[PlannedItem], *, lease: Lease
) -> list[PlannedItem]:
    """The people whom the tried settings would change, each with those changes alone. Of how many people less would be
    changed is noted with the run."""
    moved, fewer = moved_by(planned_items, as_saved)
    with fenced(ctx, run, lease) as uow:
        uow.trials.note(run.id, {**(run.trial or {}), FEWER: fewer})
    return moved


def moved_by(planned_items: Sequence[PlannedItem], as_saved: Sequence[PlannedItem]) -> tuple[list[PlannedItem], int]:
    """(people with changes that the saved settings do not make; how many have changes that only those make)."""
    saved = {found.item.source_id: found.item.changes for found in as_saved if found.waits}
    tried = {found.item.source_id: found.item.changes for found in planned_items if found.waits}
    moved = [
        replace(found, item=replace(found.item, changes=new))
        for found in planned_items
        if found.waits and (new := _without(found.item.changes, saved.get(found.item.source_id, ())))
    ]
    return moved, sum(bool(_without(changes, tried.get(source_id, ()))) for source_id, changes in saved.items())


def _without(changes: Sequence[NewChange], known: Sequence[NewChange]) -> tuple[NewChange, ...]:
    there = {(each.key, each.after) for each in known}
    return tuple(each for each in changes if not each.held and (each.key, each.after) not in there)

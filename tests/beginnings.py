"""The beginning of the automatic sync in tests: switched on as people do it, and approved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.domain.enums import Direction, Trigger
from app.storage.automatic.rows import BeginningRow
from app.storage.runs.rows import RunRow
from app.use_cases.connections import automatic_settings
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.survey import sweep
from tests.house import KEY, House


def switch(house: House, directions: str, **changes: Any) -> None:
    """Change the automatic sync as a person does; `changes`: other settings, as text."""
    automatic_settings.set_automatic(house.ctx, KEY, changes={"directions": directions, **changes})


def compared(house: House) -> None:
    """Let the timetable make every comparison that is due."""
    while sweep.sweep_due(house.ctx):
        house.work()


def marks(house: House) -> dict[Direction, BeginningRow]:
    with house.ctx.unit_of_work() as uow:
        return {mark.direction: mark for mark in uow.beginnings.all(house.connection.id)}


def previews(house: House) -> dict[Direction, str]:
    """Direction → the preview that waits for a person."""
    with house.ctx.unit_of_work() as uow:
        found = uow.beginnings.overview(house.connection.id)
    return {each.mark.direction: each.preview for each in found if each.preview is not None}


def gathered(house: House) -> dict[Direction, int]:
    """Direction → people whom webhooks have named and who wait for the approval."""
    with house.ctx.unit_of_work() as uow:
        found = uow.beginnings.overview(house.connection.id)
    return {each.mark.direction: each.gathered for each in found if each.gathered}


def approve(house: House, direction: Direction, employees: Sequence[str] | None = None) -> None:
    approve_retry_cancel.approve(
        house.ctx, previews(house)[direction], by="test", acknowledged=True, employees=employees
    )


def begin(house: House) -> None:
    """Compare, and approve whatever there is to approve."""
    compared(house)
    for direction in previews(house):
        approve(house, direction)
        house.work()


def comparisons(house: House, direction: Direction) -> list[RunRow]:
    """The runs of sweeps, the oldest first."""
    with house.ctx.unit_of_work() as uow:
        runs = uow.runs.page(after=None, limit=500)
    return [run for run in reversed(runs) if run.trigger is Trigger.SCHEDULE and run.direction is direction]

"""What spans say of the run they belong to, and how a webhook and the runs it has led to point at each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.storage.automatic.rows import DeliveryRow
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.telemetry.places import Place, of_delivery, of_run
from app.telemetry.spans import is_on, just_ended
from app.use_cases.context import Context

MOST_LINKS = 50
"""A burst may have named one person many times; a tool shows no more."""


def under_run(run: RunRow) -> dict[str, Any]:
    """For `spans.span`: its place under the run, and whose it is; nothing unless somebody is told."""
    return {"under": of_run(run.public_id), **about_run(run)} if is_on() else {}


def under_run_of(ctx: Context, run_id: int | None) -> dict[str, Any]:
    """As `under_run`, for who has only the number of a run, or none. Nothing is read unless somebody is told."""
    if run_id is None or not is_on():
        return {}
    with ctx.unit_of_work().reading() as uow:
        run = uow.runs.get(run_id)
    return under_run(run) if run is not None else {}


def about_run(run: RunRow) -> dict[str, object]:
    return {
        "run_id": run.public_id,
        "connection_id": run.connection_id,
        "direction": run.direction,
        "trigger": run.trigger,
    }


def receipts(ctx: Context, item: ItemRow) -> list[Place]:
    """Where the webhooks that asked for an item have told of their receipt. Nothing is read unless somebody is told."""
    if not is_on():
        return []
    with ctx.unit_of_work().reading() as uow:
        found = [uow.deliveries.get(each) for each in uow.deliveries.of_item(item.id)[:MOST_LINKS]]
    return [of_delivery(each.id, each.digest) for each in found if each is not None]


def tell_sorted(uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> None:
    """Tell, beside the receipt of each of these webhooks, to which runs it has led."""
    if not is_on():
        return
    led_to = {
        each: {run_id for _, run_id, _ in items}
        for each, items in uow.deliveries.items_of([r.id for r in rows]).items()
    }
    runs = {run_id: uow.runs.get(run_id) for run_id in set().union(*led_to.values())}
    for row in rows:
        begun = [run for run_id in sorted(led_to[row.id])[:MOST_LINKS] if (run := runs[run_id]) is not None]
        told: dict[str, Any] = {"delivery_id": row.id, "system": row.system, "connection_id": row.connection_id}
        at, links = of_delivery(row.id, row.digest), [of_run(run.public_id) for run in begun]
        just_ended("webhook sorted", seconds=0.0, under=at, links=links, **told)

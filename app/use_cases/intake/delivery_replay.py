"""Replays webhook deliveries: does once more what they ask for.

A replay collects the people of a webhook delivery anew. The direction follows from the settings that the connection has
now, jobs read both sides anew, and an employee who is equal by then ends as unchanged. So a replay too many does no
harm. A delivery whose event Awase does not know is replayed as well if it names an employee, because an operator asks
for it."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from app.domain.errors import Refused
from app.storage.automatic.rows import DeliveryRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.intake.webhook_intake import sync_requests_of
from app.use_cases.shared.delivery_lookup import DeliveryFilter, find_delivery, page_of
from app.use_cases.shared.views import ReplayView

log = structlog.get_logger(__name__)


PORTION = 100
"""How many deliveries one transaction replays: webhooks that come in meanwhile wait for it."""


MOST_PEOPLE = 2000
"""How many people one transaction takes at most, unless a single delivery (an import at the vendor) names more."""


def replay(ctx: Context, delivery_id: int, *, by: str | None = None) -> ReplayView:
    """Replay one delivery. `by`: the actor whom the audit trail names; None: whom the door knows. Raises Refused: the
    delivery is unknown, or with the present settings it asks for no employee."""
    with ctx.unit_of_work() as uow:
        done = _replay(ctx, uow, [find_delivery(uow, delivery_id)])
        if done.replayed:
            now = ctx.clock.now()
            uow.audit.add(actor=by, action="delivery_replayed", subject=f"delivery:{delivery_id}", now=now)
    if not done.replayed:
        raise Refused("nothing_to_replay", status=409)
    return done


def replay_many(
    ctx: Context, wanted: DeliveryFilter, *, after: int | None = None, limit: int = 1000, by: str | None = None
) -> ReplayView:
    """Replay up to `limit` of the deliveries that the filter finds, newest first, a portion per transaction: committed
    portions stay done when a later one fails. `by`: the actor whom the audit trail names. Raises Refused: unknown
    connection; or neither `since` nor `failed` is given, because no operator wants to replay every delivery there is.
    """
    if wanted.since is None and not wanted.failed:
        raise Refused("replay_needs_since")
    replayed = people = skipped = 0
    while limit > 0:
        with ctx.unit_of_work() as uow:
            rows = _portion(page_of(uow, wanted, after=after, limit=min(limit, PORTION)))
            done = _replay(ctx, uow, rows)
            if done.replayed:
                detail = {"deliveries": done.replayed, "first": rows[-1].id, "last": rows[0].id}
                uow.audit.add(
                    actor=by, action="deliveries_replayed", subject="deliveries", now=ctx.clock.now(), detail=detail
                )
        if not rows:
            return ReplayView(replayed, people, skipped, None)
        replayed, people, skipped = replayed + done.replayed, people + done.people, skipped + done.skipped
        limit -= len(rows)
        after = rows[-1].id
    return ReplayView(replayed, people, skipped, after)


def _portion(rows: Sequence[DeliveryRow]) -> list[DeliveryRow]:
    """The first deliveries, up to those that together name too many people for one transaction."""
    portion: list[DeliveryRow] = []
    people = 0
    for row in rows:
        people += len(row.people)
        if portion and people > MOST_PEOPLE:
            break
        portion.append(row)
    return portion


def _replay(ctx: Context, uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> ReplayView:
    now = ctx.clock.now()
    sync_requests: list[SyncRequest] = []
    done: list[int] = []
    for row in sorted(rows, key=lambda each: each.id):
        asked = sync_requests_of(
            uow, row, uow.connections.get(row.connection_id) if row.connection_id is not None else None
        )
        sync_requests += asked
        done += [row.id] if asked else []
    if sync_requests:
        collect_events(ctx, uow, sync_requests, now=now)
        uow.deliveries.mark_replayed(done, now)
        log.info("deliveries_replayed", delivery_id=done[0] if len(done) == 1 else None, deliveries=len(done))
    people = {
        (sync_request.connection.id, sync_request.direction, sync_request.source_id) for sync_request in sync_requests
    }
    return ReplayView(len(done), len(people), len(rows) - len(done), None)

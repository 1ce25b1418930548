"""Deliveries for ops: which webhooks came in and what became of them; and doing them once more.

A replay is a webhook's people gathered anew: the direction is judged as the connection is set now, both sides are read
anew, and what is equal by then ends as unchanged. So a replay too many does no harm. An event we do not know is looked
at as well, as long as it names somebody: an operator asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from app.domain.enums import System
from app.domain.errors import Refused
from app.storage.rows import DeliveryRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.intake.webhook_intake import sync_requests_of
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import DeliveryItemView, DeliveryState, DeliveryView, Page, ReplayView

log = structlog.get_logger(__name__)

PORTION = 100
"""Deliveries replayed in one transaction: webhooks that come in meanwhile wait for it."""
MOST_PEOPLE = 2000
"""In one transaction, so far as a single import does not name more."""
_LAST_ID = 2**63 - 1


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries. What came in at `until` is no longer meant. `failed`: an item of it did not end well."""

    connection: str | None = None
    state: DeliveryState | None = None
    since: datetime | None = None
    until: datetime | None = None
    failed: bool = False
    system: System | None = None


def list_deliveries(
    ctx: Context, wanted: DeliveryFilter, *, after: int | None = None, limit: int = 50
) -> Page[DeliveryView]:
    """Newest first. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        rows = _page(uow, wanted, after=after, limit=limit + 1)
        shown = rows[:limit]
        return Page(tuple(_views(uow, shown)), shown[-1].id if len(rows) > limit else None)


def get_delivery(ctx: Context, delivery_id: int) -> DeliveryView:
    """Raises Refused("delivery_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        return _views(uow, [_find(uow, delivery_id)])[0]


def count_deliveries(ctx: Context, wanted: DeliveryFilter, *, most: int = 1000) -> int:
    """How many a replay of these would do again, up to `most` + 1. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        return uow.deliveries.count(limit=most + 1, **_columns_of(uow, wanted))


def replay(ctx: Context, delivery_id: int, *, by: str | None = None) -> ReplayView:
    """One of them. `by`: who the audit trail names. Raises Refused: unknown, or there is nothing that could be done
    for it."""
    with ctx.unit_of_work() as uow:
        done = _replay(ctx, uow, [_find(uow, delivery_id)])
        if by is not None and done.replayed:
            now = ctx.clock.now()
            uow.audit.add(actor=by, action="delivery_replayed", subject=f"delivery:{delivery_id}", now=now)
    if not done.replayed:
        raise Refused("nothing_to_replay", "この通知からは、いまの設定で同期する従業員がいません。", status=409)
    return done


def replay_many(
    ctx: Context, wanted: DeliveryFilter, *, after: int | None = None, limit: int = 1000, by: str | None = None
) -> ReplayView:
    """Up to `limit` of them, newest first, a portion per transaction: what is committed stays done when a later
    portion fails. `by`: who the audit trail names. Raises Refused: unknown connection; neither `since` nor `failed`
    (nobody means everything there is).
    """
    if wanted.since is None and not wanted.failed:
        raise Refused(
            "replay_needs_since", "いつ以後の通知かを指定してください(よく終わらなかったものだけなら不要です)。"
        )
    replayed = people = skipped = 0
    while limit > 0:
        with ctx.unit_of_work() as uow:
            rows = _portion(_page(uow, wanted, after=after, limit=min(limit, PORTION)))
            done = _replay(ctx, uow, rows)
            if by is not None and done.replayed:
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
    """The first ones, until they name too many people for one transaction."""
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


def _page(uow: UnitOfWork, wanted: DeliveryFilter, *, after: int | None, limit: int) -> list[DeliveryRow]:
    return uow.deliveries.page(after=after, limit=limit, **_columns_of(uow, wanted))


def _columns_of(uow: UnitOfWork, wanted: DeliveryFilter) -> dict[str, Any]:
    """The filter as the repository takes it."""
    connection_id = None if wanted.connection is None else known_connection(uow, wanted.connection).id
    return {
        "connection_id": connection_id,
        "system": wanted.system,
        "state": wanted.state,
        "since": wanted.since,
        "until": wanted.until,
        "failed": wanted.failed,
    }


def _find(uow: UnitOfWork, delivery_id: int) -> DeliveryRow:
    row = uow.deliveries.get(delivery_id) if 0 < delivery_id <= _LAST_ID else None
    if row is None:
        raise Refused("delivery_not_found", "この通知は見つかりません。", status=404)
    return row


def _views(uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> list[DeliveryView]:
    items = uow.deliveries.items_of([row.id for row in rows])
    runs = uow.runs.public_ids(sorted({run_id for found in items.values() for _, run_id, _ in found}))
    keys = {connection.id: connection.key for connection in uow.connections.list_all()}
    return [
        DeliveryView(
            id=row.id,
            system=row.system,
            connection=keys.get(row.connection_id or 0),
            event=row.event,
            state=row.state,
            people=tuple(row.people),
            received_at=row.received_at,
            triggered_at=row.triggered_at,
            replayed_at=row.replayed_at,
            replays=row.replays,
            items=tuple(DeliveryItemView(item_id, runs[run_id], state) for item_id, run_id, state in items[row.id]),
        )
        for row in rows
    ]

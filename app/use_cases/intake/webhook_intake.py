"""Webhook deliveries with the right secret are stored and answered, then sorted into items. No broker, no call.

Two steps, because a storm must not wait for our book-keeping: `accept` stores the deliveries of everybody who knocks at
the same moment in one transaction with one INSERT, which is both the record and the outbox row of what follows.
`sort_received`, called by the relay, turns them into items of a gathering run, in the order in which they came. A row
that is not sorted yet stands in the database and is found by the next pass, whoever has died in between. (With the
items in the request's own transaction the two web processes on PostgreSQL queued on the run's row: a tenth of the
throughput, measured.)

A webhook is a hint (design decision 2): nothing of its body is used but ids. A doubled one answers like the first and
does nothing; one we do not know is kept and shown; one that cannot concern a connection's direction is kept as ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.enums import Direction, System
from app.domain.runs.commands import Delivery, ReceivedEvent
from app.domain.settings.connection_settings import Connection
from app.storage.automatic.rows import DeliveryRow, NewDelivery
from app.storage.enums import DeliveryState
from app.storage.metrics.counters import Labels, labels
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events

log = structlog.get_logger(__name__)

COUNTER = "deliveries"
PORTION = 200
"""Sorted in one transaction: webhooks that come in meanwhile wait for it (SQLite)."""
_DELETIONS = frozenset({(System.SMARTHR, "crew_deleted"), (System.FREEE, "destroyed")})
"""The vendors' words as the intake keeps them."""


@dataclass(frozen=True)
class Accepted:
    """`id` of the delivery, the first one's for a repetition. `state` as it was stored."""

    id: int
    state: DeliveryState
    repeated: bool

    @property
    def unsorted_as(self) -> str | None:
        """The outcome of a delivery nobody will sort; None: the relay tells what becomes of it."""
        if self.repeated:
            return "repeated"
        return None if self.state is DeliveryState.RECEIVED else self.state.value


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def delivery_of(ctx: Context, event: ReceivedEvent, connection_id: int | None, body: bytes) -> Delivery:
    """An event that came in now, with the keyed digest of its body."""
    digest = hmac.new(b"awase delivery " + ctx.settings.secret_key.encode(), body, hashlib.sha256).hexdigest()
    return Delivery(event, connection_id, digest, ctx.clock.now())


def accept(ctx: Context, deliveries: Sequence[Delivery]) -> list[Accepted]:
    """Store them all in one transaction; the results in the same order. Raises what the database raises, and then
    nothing of them is stored."""
    rows = [_row(delivery) for delivery in deliveries]
    with ctx.unit_of_work() as uow:
        ids = uow.deliveries.add_many(rows)
        first = _first_ones(uow, [row for row, new_id in zip(rows, ids, strict=True) if new_id is None])
    return [
        Accepted(new_id, row.state, repeated=False) if new_id is not None else first[row.dedup or ""]
        for row, new_id in zip(rows, ids, strict=True)
    ]


def _row(delivery: Delivery) -> NewDelivery:
    event = delivery.event
    if delivery.connection_id is None:
        state = DeliveryState.UNROUTED
    else:
        state = DeliveryState.RECEIVED if event.known else DeliveryState.UNKNOWN
    return NewDelivery(
        system=event.system,
        connection_id=delivery.connection_id,
        event=event.name,
        dedup=_dedup(delivery),
        digest=delivery.digest,
        state=state,
        people=event.people,
        received_at=delivery.received_at,
        triggered_at=event.triggered_at,
    )


def _dedup(delivery: Delivery) -> str | None:
    """What makes a repetition one: the vendor's own id, else the whole body with the moment in it. Without either two
    different events could look the same, and an event must not be lost: nothing is taken for a repetition then."""
    event = delivery.event
    if event.delivery_id is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{event.delivery_id}"
    if event.triggered_at is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{delivery.digest}"
    return None


def _first_ones(uow: UnitOfWork, repeated: Sequence[NewDelivery]) -> dict[str, Accepted]:
    """Key → what the first delivery got. One with another body is told, the first kept."""
    found = uow.deliveries.found([row.dedup or "" for row in repeated]) if repeated else {}
    for row in repeated:
        first = found[row.dedup or ""]
        if first.digest != row.digest:
            log.warning("delivery_differs", delivery_id=first.id, system=row.system.value)
    return {dedup: Accepted(first.id, first.state, repeated=True) for dedup, first in found.items()}


# ── sorting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def sort_received(ctx: Context) -> int:
    """What has come in becomes items, as the connections are set now. Says how many deliveries. Any number of processes
    may do this: a delivery belongs to the transaction that has it."""
    total = 0
    while True:
        with ctx.unit_of_work().reading() as uow:
            if not uow.deliveries.any_unsorted():
                return total
        with ctx.unit_of_work() as uow:
            rows = uow.deliveries.unsorted(limit=PORTION)
            _sort(ctx, uow, rows)
        if not rows:
            return total  # another process has them
        total += len(rows)


def _sort(ctx: Context, uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> None:
    connections = {each: uow.connections.get(each) for each in {row.connection_id for row in rows} if each is not None}
    sorted_rows: dict[DeliveryState, list[int]] = {}
    sync_requests: list[SyncRequest] = []
    counts: Counter[tuple[str, Labels]] = Counter()
    for row in rows:
        asked = sync_requests_of(uow, row, connections.get(row.connection_id or 0))
        state = DeliveryState.ACCEPTED if asked else DeliveryState.IGNORED
        sync_requests += asked
        sorted_rows.setdefault(state, []).append(row.id)
        counts[COUNTER, labels(system=row.system.value, event=row.event, outcome=state.value)] += 1
    for state, ids in sorted_rows.items():
        uow.deliveries.sorted_as(state, ids)
    if sync_requests:
        collect_events(ctx, uow, sync_requests, now=max(row.received_at for row in rows))
    uow.counters.add(counts)


def sync_requests_of(uow: UnitOfWork, row: DeliveryRow, connection: Connection | None) -> list[SyncRequest]:
    """Who has to be looked at because of this delivery, as its connection is set now; nobody where the direction is
    off. For a deletion at the target these are the partners, whose links are now void."""
    deleted = (row.system, row.event) in _DELETIONS
    direction = _direction(row.system, connection, deleted=deleted)
    if connection is None or direction is None:
        return []
    if direction.source is row.system:
        sources = row.people
    else:
        links = (uow.links.by_source(connection.id, row.system, person) for person in row.people)
        sources = [link.id_in(direction.source) for link in links if link]
    return [SyncRequest(connection, direction, source_id, row.id) for source_id in sources]


def _direction(system: System, connection: Connection | None, *, deleted: bool) -> Direction | None:
    directions = connection.automatic.directions if connection else ()
    own = next((direction for direction in directions if direction.source is system), None)
    return own or (directions[0] if deleted and directions else None)


# ── who sends ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Sender:
    """A connection as the intake needs it: whose deliveries these are, and the secrets they may come with."""

    connection_id: int | None
    secrets: tuple[str, ...]


def smarthr_sender(ctx: Context, connection_key: str) -> Sender:
    """Nobody (no secret matches) for an unknown key, so that it looks like a wrong secret."""
    if "\0" in connection_key:  # which PostgreSQL takes in no text
        return Sender(None, ())
    with ctx.unit_of_work().reading() as uow:
        connection = uow.connections.get_by_key(connection_key)
        webhook = uow.webhook_registrations.get(connection.id) if connection else None
    secrets = webhook.secrets_at(ctx.clock.now()) if webhook else ()
    return Sender(connection.id if connection else None, secrets)


def freee_secrets(ctx: Context) -> tuple[str, ...]:
    """One address per app (freee-hr-api.md 12.1): the token now, and the one before it while both are set."""
    settings = ctx.settings
    return tuple(filter(None, (settings.freee_webhook_token, settings.freee_webhook_token_previous)))


def freee_connections(ctx: Context, company_id: int | None) -> tuple[int | None, ...]:
    """Whose employee it is: mostly one connection. (None,): nobody's."""
    if company_id is None:
        return (None,)
    with ctx.unit_of_work().reading() as uow:
        return tuple(connection.id for connection in uow.connections.get_by_company(company_id)) or (None,)


class SenderCache:
    """Senders of the last seconds, so that a storm does not read its connection ten thousand times.

    A changed secret or connection counts within `seconds`; a secret's overlap is longer by far. While one request reads
    anew the others go on with what was known: all together they needed a database connection each.
    """

    def __init__(self, ctx: Context, *, seconds: float = 2.0) -> None:
        self._ctx = ctx
        self._seconds = seconds
        self._smarthr: dict[str, tuple[datetime, Sender]] = {}
        self._freee: dict[int, tuple[datetime, tuple[int | None, ...]]] = {}

    def smarthr(self, connection_key: str, *, fresh: bool = False) -> Sender:
        now = self._ctx.clock.now()
        kept = self._smarthr.get(connection_key)
        if kept is None or self._is_old(kept[0], now) or (fresh and kept[0] != now):
            if kept is not None:
                self._smarthr[connection_key] = now, kept[1]
            kept = now, smarthr_sender(self._ctx, connection_key)
            if kept[1].secrets:
                self._smarthr[connection_key] = kept
            else:  # invented keys are not kept: they would fill the memory
                self._smarthr.pop(connection_key, None)
        return kept[1]

    def freee(self, company_id: int | None) -> tuple[int | None, ...]:
        if company_id is None:
            return (None,)
        now = self._ctx.clock.now()
        kept = self._freee.get(company_id)
        if kept is None or self._is_old(kept[0], now):
            if kept is not None:
                self._freee[company_id] = now, kept[1]
            kept = now, freee_connections(self._ctx, company_id)
            if kept[1] != (None,):
                self._freee[company_id] = kept
            else:
                self._freee.pop(company_id, None)
        return kept[1]

    def _is_old(self, since: datetime, now: datetime) -> bool:
        return not 0 <= (now - since).total_seconds() < self._seconds

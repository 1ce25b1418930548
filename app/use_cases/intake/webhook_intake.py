"""Takes webhook deliveries: stores and answers those with the right secret, then sorts them into items. Uses neither
the broker nor a vendor.

There are two steps, so that a storm of webhooks does not wait for our book-keeping. `accept` stores all deliveries that
arrive at the same moment in one transaction with one INSERT; a delivery's row is both the record and the outbox row of
what follows. `sort_received`, called by the relay, turns the deliveries into items of a gathering run, in the order in
which they came. A row that is not sorted yet stands in the database, so the next pass finds it even if a process has
died in between. (Not chosen: to store the items in the request's own transaction. The two web processes on PostgreSQL
then queued for the run's row: a tenth of the throughput, measured.)

A webhook is a hint, because neither vendor signs its body and deliveries overtake each other: Awase uses nothing of
its body but ids. A repeated delivery is answered like the first and does nothing; a delivery with an unknown event is
stored and shown; a delivery that concerns none of the connection's directions is stored as ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import structlog

from app.domain.enums import Direction, System
from app.domain.runs.commands import Delivery, ReceivedEvent
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.storage.automatic.rows import DeliveryRow, NewDelivery
from app.storage.enums import DeliveryState
from app.storage.metrics.counters import Labels, labels
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.shared.told import tell_sorted

log = structlog.get_logger(__name__)

COUNTER = "deliveries"
PORTION = 200
"""How many deliveries one transaction sorts: webhooks that come in meanwhile wait for it (SQLite)."""
_DELETIONS = frozenset({(System.SMARTHR, "crew_deleted"), (System.FREEE, "destroyed")})
"""Events that tell of a deletion, in the vendors' words as the intake stores them."""


def deletion_events(system: System) -> frozenset[str]:
    """The events by which a system tells of a deletion."""
    return frozenset(event for of, event in _DELETIONS if of is system)


@dataclass(frozen=True)
class Accepted:
    """A delivery that was taken. For a repetition, `id` and `state` are those of the first delivery; `state`: as it was
    stored."""

    id: int
    state: DeliveryState
    repeated: bool

    @property
    def unsorted_as(self) -> str | None:
        """The outcome, for the counters, of a delivery that the relay will not sort. None: the relay will sort it and
        count its outcome."""
        if self.repeated:
            return "repeated"
        return None if self.state is DeliveryState.RECEIVED else self.state.value


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def delivery_of(ctx: Context, event: ReceivedEvent, connection_id: int | None, body: bytes) -> Delivery:
    """A delivery of an event that came in now, with the keyed digest of its body."""
    digest, *former = (_digest(key.text, body) for key in ctx.keys.signing.by_preference())
    return Delivery(event, connection_id, digest, ctx.clock.now(), tuple(former))


def _digest(key: str, body: bytes) -> str:
    return hmac.new(b"awase delivery " + key.encode(), body, hashlib.sha256).hexdigest()


def accept(ctx: Context, deliveries: Sequence[Delivery]) -> list[Accepted]:
    """Store the deliveries in one transaction. Returns the results in the same order. Raises what the database raises,
    and then none of the deliveries is stored."""
    with ctx.unit_of_work() as uow:
        rows = [_row(delivery) for delivery in _as_stored(uow, deliveries)]
        ids = uow.deliveries.add_many(rows)
        told = zip(rows, ids, deliveries, strict=True)
        repeated = [(row, {row.digest, each.digest, *each.former_digests}) for row, id_, each in told if id_ is None]
        first = _first_ones(uow, repeated)
    return [
        Accepted(new_id, row.state, repeated=False) if new_id is not None else first[row.dedup or ""]
        for row, new_id in zip(rows, ids, strict=True)
    ]


def _as_stored(uow: UnitOfWork, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
    """The deliveries, a repetition of one that is stored under a former key under the digest that it has there."""
    if not any(delivery.former_digests for delivery in deliveries):
        return deliveries
    former = [[replace(each, digest=digest) for digest in each.former_digests] for each in deliveries]
    stored = uow.deliveries.found([dedup for some in former for each in some if (dedup := _dedup(each))])
    return [
        next((each for each in some if _dedup(each) in stored), delivery)
        for delivery, some in zip(deliveries, former, strict=True)
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
    """The key by which a repetition is recognised: the vendor's own id, else the whole body with the moment in it. None
    when a delivery has neither: two different events could then look the same, and because an event must not be lost,
    Awase takes no such delivery for a repetition."""
    event = delivery.event
    if event.delivery_id is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{event.delivery_id}"
    if event.triggered_at is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{delivery.digest}"
    return None


def _first_ones(uow: UnitOfWork, repeated: Sequence[tuple[NewDelivery, Collection[str]]]) -> dict[str, Accepted]:
    """Key → what the first delivery with this key has got. When a repetition has another body, the log tells so and the
    first one stays. Each repetition comes with the digests of its body under every key that is known."""
    found = uow.deliveries.found([row.dedup or "" for row, _ in repeated]) if repeated else {}
    for row, digests in repeated:
        first = found[row.dedup or ""]
        if first.digest not in digests:
            log.warning("delivery_differs", delivery_id=first.id, system=row.system.value)
    return {dedup: Accepted(first.id, first.state, repeated=True) for dedup, first in found.items()}


# ── sorting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def sort_received(ctx: Context) -> int:
    """Sort the stored deliveries into items, by the settings that their connections have now. Returns how many
    deliveries were sorted. Several processes may do this at the same time: the transaction that reads a delivery holds
    it."""
    total = 0
    while True:
        with ctx.unit_of_work().reading() as uow:
            if not uow.deliveries.any_unsorted():
                return total
        with ctx.unit_of_work() as uow:
            rows = uow.deliveries.unsorted(limit=PORTION)
            _sort(ctx, uow, rows)
            tell_sorted(uow, rows)
        if not rows:
            return total  # another process has them
        total += len(rows)


def _sort(ctx: Context, uow: UnitOfWork, rows: Sequence[DeliveryRow]) -> None:
    connections = {each: uow.connections.get(each) for each in {row.connection_id for row in rows} if each is not None}
    sorted_rows: dict[DeliveryState, list[int]] = {}
    by_day: dict[date, list[SyncRequest]] = {}
    last: dict[date, datetime] = {}
    counts: Counter[tuple[str, Labels]] = Counter()
    for row in rows:
        asked = sync_requests_of(uow, row, connections.get(row.connection_id or 0))
        state = DeliveryState.ACCEPTED if asked else DeliveryState.IGNORED
        if asked:
            day = today_in_japan(row.received_at)
            by_day.setdefault(day, []).extend(asked)
            last[day] = max(row.received_at, last.get(day, row.received_at))
        sorted_rows.setdefault(state, []).append(row.id)
        counts[COUNTER, labels(system=row.system.value, event=row.event, outcome=state.value)] += 1
    _look_after(uow, rows, connections.values())
    for state, ids in sorted_rows.items():
        uow.deliveries.sorted_as(state, ids)
    for day, sync_requests in sorted(by_day.items()):
        collect_events(ctx, uow, sync_requests, now=last[day])
    uow.counters.add(counts)


def sync_requests_of(uow: UnitOfWork, row: DeliveryRow, connection: Connection | None) -> list[SyncRequest]:
    """The employees whom a job has to look at because of this delivery, by the present settings of its connection; []
    where the direction is off. For a deletion at the target these are the partners of the deleted people, because their
    links are now void."""
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


def _look_after(uow: UnitOfWork, rows: Sequence[DeliveryRow], connections: Iterable[Connection | None]) -> None:
    """Ask for a comparison where deliveries tell of somebody at the target of an automatic direction with whom an
    employee waits: perhaps the trouble is mended there. The comparison sees whether what the trouble blames has
    changed."""
    for connection in filter(None, connections):
        for direction in connection.automatic.directions:
            mine = (row for row in rows if (row.connection_id, row.system) == (connection.id, direction.target))
            people = sorted({person for row in mine for person in row.people})
            if people and uow.healing.waits_at_target(connection.id, direction, people):
                uow.sweeps.ask(connection.id)


def _direction(system: System, connection: Connection | None, *, deleted: bool) -> Direction | None:
    directions = connection.automatic.directions if connection else ()
    own = next((direction for direction in directions if direction.source is system), None)
    return own or (directions[0] if deleted and directions else None)


# ── the sender ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Sender:
    """The sender of a delivery: the connection to which it belongs, and the secrets with which it may come."""

    connection_id: int | None
    secrets: tuple[str, ...]


def smarthr_sender(ctx: Context, connection_key: str) -> Sender:
    """SmartHR as the sender for a connection's key. For an unknown key the sender has no secrets, so that the answer is
    the same as for a wrong secret."""
    if "\0" in connection_key:  # PostgreSQL takes no text with this character
        return Sender(None, ())
    with ctx.unit_of_work().reading() as uow:
        connection = uow.connections.get_by_key(connection_key)
        webhook = uow.webhook_registrations.get(connection.id) if connection else None
    secrets = webhook.secrets_at(ctx.clock.now()) if webhook else ()
    return Sender(connection.id if connection else None, secrets)


def freee_secrets(ctx: Context) -> tuple[str, ...]:
    """The tokens with which freee may send: the present one, and the one before it while both are set. freee sends the
    webhooks of all companies to one address per app."""
    settings = ctx.settings
    return tuple(filter(None, (settings.freee_webhook_token, settings.freee_webhook_token_previous)))


def freee_connections(ctx: Context, company_id: int | None) -> tuple[int | None, ...]:
    """The ids of the connections to which a company at freee belongs, mostly one. (None,): it belongs to no
    connection."""
    if company_id is None:
        return (None,)
    with ctx.unit_of_work().reading() as uow:
        return tuple(connection.id for connection in uow.connections.get_by_company(company_id)) or (None,)


class SenderCache:
    """Keeps the senders of the last seconds, so that a storm of webhooks reads its connection once, not 10,000 times.

    A changed secret or connection takes effect within `seconds`; the overlap of two secrets is longer by far. While one
    request reads a sender anew, the others go on with the known one, because otherwise each of them would need a
    database connection at the same moment.
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
            else:  # a key that a stranger invents is not kept: such keys would fill the memory
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

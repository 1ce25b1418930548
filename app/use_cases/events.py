"""Events: webhooks with the right secret, stored as deliveries and items in one transaction. No broker, no call.

A webhook is a hint (design decision 2): nothing of its body is used but ids. A doubled one answers like the first and
does nothing; one we do not know is kept and shown; one that cannot concern a connection's direction is kept as ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.commands import Delivery, ReceivedEvent
from app.domain.settings import Connection
from app.domain.words import Direction
from app.storage.rows import NewDelivery
from app.storage.tallies import Labels, labels
from app.storage.unit_of_work import UnitOfWork
from app.storage.words import DeliveryState
from app.use_cases.context import Context
from app.use_cases.gather import Wish, gather

log = structlog.get_logger(__name__)

TALLY = "deliveries"


@dataclass(frozen=True)
class Accepted:
    """`id` of the delivery, the first one's for a repetition. `state` as it was stored."""

    id: int
    state: DeliveryState
    repeated: bool


def delivery_of(ctx: Context, event: ReceivedEvent, connection_id: int | None, body: bytes) -> Delivery:
    """An event that came in now, with the keyed digest of its body."""
    digest = hmac.new(b"awase delivery " + ctx.settings.secret_key.encode(), body, hashlib.sha256).hexdigest()
    return Delivery(event, connection_id, digest, ctx.clock.now())


def accept(ctx: Context, deliveries: Sequence[Delivery]) -> list[Accepted]:
    """Store them all in one transaction; the results in the same order. Raises what the database raises, and then
    nothing of them is stored."""
    with ctx.unit_of_work() as uow:
        connections = {
            each: uow.connections.get(each) for each in {d.connection_id for d in deliveries} if each is not None
        }
        routed = [_routed(uow, d, connections.get(d.connection_id or 0)) for d in deliveries]
        ids = uow.deliveries.add_many([each.row for each in routed])
        first = _first_ones(uow, routed, ids)
        wishes = [wish for each, new_id in zip(routed, ids, strict=True) if new_id for wish in each.wishes(new_id)]
        if wishes:
            gather(ctx, uow, wishes, now=max(d.received_at for d in deliveries))
        results = [
            Accepted(new_id, each.row.state, repeated=False) if new_id else first[each.row.dedup or ""]
            for each, new_id in zip(routed, ids, strict=True)
        ]
        uow.tallies.add(_counts(routed, results))
    return results


@dataclass(frozen=True)
class _Routed:
    """A delivery with what is to become of it. `sources`: who of the direction's source has to be looked at."""

    row: NewDelivery
    event: ReceivedEvent
    connection: Connection | None
    direction: Direction | None
    sources: tuple[str, ...]

    def wishes(self, delivery_id: int) -> Iterator[Wish]:
        if self.connection is None or self.direction is None:
            return
        for source_id in self.sources:
            yield Wish(self.connection, self.direction, source_id, delivery_id)


def _routed(uow: UnitOfWork, delivery: Delivery, connection: Connection | None) -> _Routed:
    event = delivery.event
    state, direction = judged(event, connection)
    sources = sources_of(uow, event, connection, direction) if connection and direction else ()
    if state is DeliveryState.ACCEPTED and not sources:
        state = DeliveryState.IGNORED
    row = NewDelivery(
        system=event.system,
        connection_id=connection.id if connection else None,
        event=event.name,
        dedup=_dedup(delivery),
        digest=delivery.digest,
        state=state,
        people=event.people,
        received_at=delivery.received_at,
        triggered_at=event.triggered_at,
    )
    return _Routed(row, event, connection, direction, sources)


def judged(event: ReceivedEvent, connection: Connection | None) -> tuple[DeliveryState, Direction | None]:
    """What becomes of an event, as the connection is set now; a direction only where it is ACCEPTED."""
    if connection is None:
        return DeliveryState.UNROUTED, None
    if not event.known:
        return DeliveryState.UNKNOWN, None
    for direction in connection.automatic.directions:
        if direction.source is event.system:
            return DeliveryState.ACCEPTED, direction
    if event.deleted and connection.automatic.directions:
        return DeliveryState.ACCEPTED, connection.automatic.directions[0]
    return DeliveryState.IGNORED, None


def sources_of(uow: UnitOfWork, event: ReceivedEvent, connection: Connection, direction: Direction) -> tuple[str, ...]:
    """The people of the event, or for a deletion at the target their partners, whose links are now void."""
    if direction.source is event.system:
        return event.people
    links = (uow.links.by_source(connection.id, event.system, person) for person in event.people)
    return tuple(link.id_in(direction.source) for link in links if link)


def _dedup(delivery: Delivery) -> str | None:
    """What makes a repetition one: the vendor's own id, else the whole body with the moment in it. Without either two
    different events could look the same, and an event must not be lost: nothing is taken for a repetition then."""
    event = delivery.event
    if event.delivery_id is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{event.delivery_id}"
    if event.triggered_at is not None:
        return f"{event.system.value}:{delivery.connection_id or 0}:{delivery.digest}"
    return None


def _first_ones(uow: UnitOfWork, routed: Sequence[_Routed], ids: Sequence[int | None]) -> dict[str, Accepted]:
    """Key → what the first delivery got, for those that are repetitions. One with another body is told, the first
    kept."""
    repeated = [each.row for each, new_id in zip(routed, ids, strict=True) if new_id is None]
    found = uow.deliveries.found([row.dedup or "" for row in repeated]) if repeated else {}
    for row in repeated:
        first = found[row.dedup or ""]
        if first.digest != row.digest:
            log.warning("delivery_differs", delivery_id=first.id, system=row.system.value)
    return {dedup: Accepted(first.id, first.state, repeated=True) for dedup, first in found.items()}


def _counts(routed: Sequence[_Routed], results: Sequence[Accepted]) -> Counter[tuple[str, Labels]]:
    counts: Counter[tuple[str, Labels]] = Counter()
    for each, result in zip(routed, results, strict=True):
        outcome = "repeated" if result.repeated else each.row.state.value
        event = each.row.event if each.event.known else "other"
        counts[TALLY, labels(system=each.row.system.value, event=event, outcome=outcome)] += 1
    return counts


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
        webhook = uow.webhooks.get(connection.id) if connection else None
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

    A changed secret or connection counts within `seconds`; a secret's overlap is longer by far.
    """

    def __init__(self, ctx: Context, *, seconds: float = 2.0) -> None:
        self._ctx = ctx
        self._seconds = seconds
        self._smarthr: dict[str, tuple[datetime, Sender]] = {}
        self._freee: dict[int, tuple[datetime, tuple[int | None, ...]]] = {}

    def smarthr(self, connection_key: str) -> Sender:
        now = self._ctx.clock.now()
        kept = self._smarthr.get(connection_key)
        if kept is None or self._is_old(kept[0], now):
            kept = now, smarthr_sender(self._ctx, connection_key)
            if kept[1].secrets:  # invented keys are not kept: they would fill the memory
                self._smarthr[connection_key] = kept
        return kept[1]

    def freee(self, company_id: int | None) -> tuple[int | None, ...]:
        if company_id is None:
            return (None,)
        now = self._ctx.clock.now()
        kept = self._freee.get(company_id)
        if kept is None or self._is_old(kept[0], now):
            kept = now, freee_connections(self._ctx, company_id)
            if kept[1] != (None,):
                self._freee[company_id] = kept
        return kept[1]

    def _is_old(self, since: datetime, now: datetime) -> bool:
        return not 0 <= (now - since).total_seconds() < self._seconds

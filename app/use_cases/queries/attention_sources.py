"""Where that which waits for a person stands besides the state of people: one row of `SOURCES` per kind.

Each source reads what it needs for all connections in one query, and answers with entries. People are read by
`attention` itself, page by page, because they may be many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from app.domain.enums import Direction, System
from app.domain.error_catalogue.catalogue import ANYWHERE, Place
from app.domain.planning.stopping import WAITS, WAITS_FOR_SECOND_PERSON
from app.domain.reading import items_under
from app.domain.settings.connection_settings import Connection
from app.storage.automatic.beginnings import Waiting
from app.storage.enums import WebhookState
from app.storage.runs.standing import HeldRun
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.household import CODE as HOUSE_RESTS
from app.use_cases.queries.attention_views import Act, Entry, Kind

SILENT = frozenset({WebhookState.DISABLED, WebhookState.MISSING, WebhookState.CHANGED})
"""States of a webhook registration in which SmartHR tells nothing."""


@dataclass(frozen=True)
class Asked:
    """What a source is asked: of which connections."""

    ctx: Context
    uow: UnitOfWork
    connections: Sequence[Connection]

    @cached_property
    def beginnings(self) -> list[Waiting]:
        return self.uow.beginnings.overview()

    def named(self, connection_id: int) -> Connection | None:
        return next((each for each in self.connections if each.id == connection_id), None)


def entries_besides_people(asked: Asked) -> list[Entry]:
    """What every source tells, source after source."""
    return [entry for source in SOURCES for entry in source(asked)]


def _house(asked: Asked) -> Iterator[Entry]:
    if asked.ctx.household.shown().rests:
        yield Entry("house", Kind.HOUSE, "", "", HOUSE_RESTS, ANYWHERE, None, acts=())


def _consent(asked: Asked) -> Iterator[Entry]:
    without = [each for each in asked.connections if each.needs_consent]
    told = asked.uow.standing.told_of_consent([each.id for each in without]) if without else {}
    for each in without:
        yield _of(each, Kind.CONSENT, code="needs_consent", since=told.get(each.id), acts=(Act.SETTINGS,))


def _paused(asked: Asked) -> Iterator[Entry]:
    paused = [each for each in asked.connections if each.paused]
    since = asked.uow.standing.paused_since([each.key for each in paused]) if paused else {}
    for each in paused:
        acts = (Act.SETTINGS,) if each.doubled else (Act.RESUME, Act.SETTINGS)
        yield _of(each, Kind.PAUSED, code="connection_paused", since=since.get(each.key), acts=acts)


def _webhooks(asked: Asked) -> Iterator[Entry]:
    listening = [each for each in asked.connections if Direction.SMARTHR_TO_FREEE in each.automatic.directions]
    states = asked.uow.webhook_registrations.states() if listening else {}
    silent = [each for each in listening if states.get(each.id) in SILENT]
    since = asked.uow.standing.webhooks_checked() if silent else {}
    for each in silent:
        yield _of(each, Kind.WEBHOOK, code="webhook_silent", since=since.get(each.id), acts=(Act.SETTINGS,))


def _rights(asked: Asked) -> Iterator[Entry]:
    """Items that had values and are shown for nobody any more."""
    for each in asked.connections:
        for system in System:
            gone = each.gone(system)
            if not gone:
                continue
            since = min((standing.gone_at for standing in gone.values() if standing.gone_at), default=None)
            items = tuple(sorted(items_under(system, gone.keys())))
            yield _of(
                each,
                Kind.RIGHTS,
                code="attribute_gone",
                since=since,
                acts=(Act.SETTINGS,),
                nth=system.value,
                items=items,
            )


def _begins(asked: Asked) -> Iterator[Entry]:
    for mark, preview, gathered in asked.beginnings:
        connection = asked.named(mark.connection_id)
        if connection is None or preview is None:  # the preview is on its way: nobody has to do anything yet
            continue
        yield _of(
            connection,
            Kind.BEGINS,
            code="automatic_begins",
            since=mark.changed_at,
            acts=(Act.DECIDE,),
            nth=mark.direction.value,
            where=Place(mark.direction),
            people=gathered,
            run=preview,
        )


def _held(asked: Asked) -> Iterator[Entry]:
    for held in asked.uow.standing.held_runs():
        connection = asked.named(held.connection_id)
        if connection is not None:
            yield _held_run(connection, held)


def _held_run(connection: Connection, held: HeldRun) -> Entry:
    second = held.decide_until is not None
    return _of(
        connection,
        Kind.SECOND_PERSON if second else Kind.HELD,
        code=WAITS_FOR_SECOND_PERSON if second else WAITS,
        since=held.since,
        acts=(Act.DECIDE,),
        nth=held.run,
        where=Place(held.direction),
        people=held.people,
        run=held.run,
    )


SOURCES: tuple[Callable[[Asked], Iterator[Entry]], ...] = (
    _house,
    _consent,
    _paused,
    _webhooks,
    _rights,
    _begins,
    _held,
)


def _of(
    connection: Connection,
    kind: Kind,
    *,
    code: str,
    since: datetime | None,
    acts: tuple[Act, ...],
    nth: str = "",
    where: Place = ANYWHERE,
    items: tuple[str, ...] = (),
    people: int = 0,
    run: str | None = None,
) -> Entry:
    """`nth`: tells apart several of one kind and connection."""
    return Entry(
        id=":".join(filter(None, (kind.value, connection.key, nth))),
        kind=kind,
        connection=connection.key,
        company=connection.name,
        code=code,
        where=where,
        since=since,
        acts=acts,
        people=people,
        items=items,
        run=run,
    )

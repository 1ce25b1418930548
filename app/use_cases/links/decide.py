"""Links by hand: what a person decides about two people, one of each system.

The person sees which pairs wait for a decision, joins two people, keeps two apart, or lets go of a pair that a deletion
has broken. A decision writes nothing to either vendor, and leaves its line in the audit trail.

When an employee is deleted at one vendor, Awase never deletes the partner: it breaks the link, and neither creates nor
matches one of the two by itself until a person has said what they are to each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.domain.enums import System
from app.domain.error_catalogue.blames import Setting
from app.domain.errors import Refused
from app.domain.runs.dates import today_in_japan
from app.storage.enums import UnlinkReason
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.links.compare_pair import is_an_id
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.mended_settings import look_after

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class BrokenLink:
    """A pair of which one person was deleted. Numbers are those of the last listing, "" when it no longer had the
    person."""

    smarthr_id: str
    freee_id: str
    smarthr_number: str
    freee_number: str
    deleted_in: System
    broken_at: datetime
    name: str = field(default="", repr=False)
    """The name that the newest run has read for one of the two."""


def broken_links(ctx: Context, connection_key: str) -> list[BrokenLink]:
    """Broken pairs that wait for a decision, the newest first. Raises Refused for an unknown connection."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        broken = uow.links.broken(connection.id)
        if not broken:
            return []
        smarthr = uow.directory.entries(connection.id, System.SMARTHR, [link.smarthr_id for link in broken])
        freee = uow.directory.entries(connection.id, System.FREEE, [link.freee_id for link in broken])
        ends = uow.links.last_ends(connection.id, [link.id_in(system) for link in broken for system in System])
    names = {person_id: end.name for person_id, end in ends.items() if end.name}
    return [
        BrokenLink(
            smarthr_id=link.smarthr_id,
            freee_id=link.freee_id,
            smarthr_number=smarthr[link.smarthr_id].employee_number if link.smarthr_id in smarthr else "",
            freee_number=freee[link.freee_id].employee_number if link.freee_id in freee else "",
            deleted_in=System.SMARTHR if link.unlinked_why is UnlinkReason.SMARTHR_DELETED else System.FREEE,
            broken_at=link.unlinked_at or link.created_at,
            name=names.get(link.smarthr_id) or names.get(link.freee_id, ""),
        )
        for link in broken
    ]


def join(ctx: Context, connection_key: str, *, smarthr_id: str, freee_id: str, by: str) -> None:
    """Link these two, who are one person. Both must exist and have no other partner. Where the automatic sync is on,
    jobs compare the two at once. Raises Refused, and the errors of the gateways."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
    wanted = {System.SMARTHR: smarthr_id, System.FREEE: freee_id}
    today = today_in_japan(ctx.clock.now())
    for system, person_id in wanted.items():
        known = is_an_id(system, person_id)
        if not known or ctx.gateway(connection, system).find(person_id, as_of_date=today) is None:
            raise Refused("unknown_employee.id", status=404, system=system)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        for system, person_id in wanted.items():
            if uow.links.by_source(connection.id, system, person_id) is not None:
                raise Refused("already_linked.one", status=409, system=system)
        _let_go(uow, [link for link in uow.links.broken(connection.id) if _touches(link, smarthr_id, freee_id)])
        uow.links.no_longer_apart(connection.id, smarthr_id, freee_id)
        link = uow.links.create(connection.id, smarthr_id, freee_id, now=now)
        uow.attention.decided(connection.id, smarthr_id=smarthr_id, freee_id=freee_id)
        _note(uow, "link_joined", link, by=by, now=now)
        collect_events(
            ctx,
            uow,
            [
                SyncRequest(connection, direction, wanted[direction.source])
                for direction in connection.automatic.directions
            ],
            now=now,
        )
    log.info("link_joined", connection_id=connection.id, by=by)


def release(ctx: Context, connection_key: str, *, smarthr_id: str, freee_id: str, by: str) -> None:
    """Let go of a broken pair: the person who is left no longer has a partner, so the next run may match them with
    another person or create them anew. Raises Refused."""
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        found = [
            link
            for link in uow.links.broken(connection.id)
            if (link.smarthr_id, link.freee_id) == (smarthr_id, freee_id)
        ]
        if not found:
            raise Refused("no_broken_link", status=404)
        _let_go(uow, found)
        uow.attention.decided(connection.id, smarthr_id=smarthr_id, freee_id=freee_id)
        for link in found:
            _note(uow, "link_released", link, by=by, now=ctx.clock.now())
        look_after(uow, connection, Setting.LINK)
    log.info("link_released", connection_id=connection.id, by=by)


def cut(ctx: Context, connection_key: str, *, smarthr_id: str, by: str) -> None:
    """End the link of two people who were taken for one; Awase never matches these two again by itself. Nothing is
    written on either side. Raises Refused."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        link = uow.links.by_source(connection.id, System.SMARTHR, smarthr_id)
        if link is None:
            raise Refused("not_linked", status=404)
        uow.links.unlink(link.id, why=UnlinkReason.DIFFERENT, now=now)
        _note(uow, "link_cut", link, by=by, now=now)
        look_after(uow, connection, Setting.LINK)
    log.info("link_cut", connection_id=connection.id, by=by)


def keep_apart(ctx: Context, connection_key: str, *, smarthr_id: str, freee_id: str, by: str) -> None:
    """Note that these two look alike but are two people, so that no run asks about them again. If a deletion has broken
    their link, the pair is let go. Raises Refused: an id is blank, or the two are linked (`cut` ends that)."""
    if not smarthr_id or not freee_id:
        raise Refused("unknown_employee.nobody", status=404)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        connection = known_connection(uow, connection_key)
        live = uow.links.by_source(connection.id, System.SMARTHR, smarthr_id)
        if live is not None and live.freee_id == freee_id:
            raise Refused("already_linked.pair", status=409)
        pair = (smarthr_id, freee_id)
        _let_go(uow, [each for each in uow.links.broken(connection.id) if (each.smarthr_id, each.freee_id) == pair])
        if pair not in uow.links.different(connection.id):
            noted = uow.links.keep_apart(connection.id, smarthr_id, freee_id, now=now)
            _note(uow, "people_kept_apart", noted, by=by, now=now)
        uow.attention.kept_apart(connection.id, smarthr_id=smarthr_id, freee_id=freee_id)
        look_after(uow, connection, Setting.LINK)
    log.info("people_kept_apart", connection_id=connection.id, by=by)


def _note(uow: UnitOfWork, action: str, link: LinkRow, *, by: str, now: datetime) -> None:
    pair = {"connection": link.connection_id, "smarthr_id": link.smarthr_id, "freee_id": link.freee_id}
    uow.audit.add(actor=by, action=action, subject=f"link:{link.id}", now=now, detail=pair)


def _touches(link: LinkRow, smarthr_id: str, freee_id: str) -> bool:
    return smarthr_id == link.smarthr_id or freee_id == link.freee_id


def _let_go(uow: UnitOfWork, links: list[LinkRow]) -> None:
    for link in links:
        uow.links.decide(link.id)

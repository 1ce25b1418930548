"""All links of a connection, page by page; and a search for people by number, so that a user can link them by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import System
from app.domain.matching.linking import comparable_number
from app.domain.runs.run_state import ItemState
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import Page

PAGE_SIZE = 50
MOST_FOUND = 20
"""How many people a search by number shows at most; a user who types more digits finds fewer."""


@dataclass(frozen=True)
class LastSync:
    """How the newest item of this pair ended. `run`: the public id of its run."""

    run: str
    state: ItemState
    at: datetime


@dataclass(frozen=True)
class LinkLine:
    """One linked pair. Numbers are those of the last listing, "" when it did not have the person."""

    id: int
    smarthr_id: str
    freee_id: str
    smarthr_number: str
    freee_number: str
    since: datetime
    last: LastSync | None
    name: str = field(repr=False)


@dataclass(frozen=True)
class LinkTable:
    page: Page[LinkLine]
    total: int


@dataclass(frozen=True)
class FoundPerson:
    """A person whom the search has found. `linked`: the person has a partner already."""

    system: System
    id: str
    number: str
    linked: bool
    name: str = field(repr=False)


def link_table(
    ctx: Context, connection_key: str, *, number: str = "", after: int | None = None, limit: int = PAGE_SIZE
) -> LinkTable:
    """One page of the links, the newest first. `number`: only pairs of which one person has a number that begins with
    it. Raises Refused("unknown_connection")."""
    wanted = comparable_number(number)
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        people = None
        if wanted:
            people = {
                system: list(uow.links.numbered(connection.id, system, wanted, limit=limit * 4)) for system in System
            }
        rows = uow.links.page(connection.id, after=after, limit=limit + 1, people=people)
        shown = rows[:limit]
        lines = _lines(uow, connection.id, shown)
        total = uow.links.count(connection.id)
    return LinkTable(Page(tuple(lines), shown[-1].id if len(rows) > limit else None), total)


def find_people(ctx: Context, connection_key: str, system: System, number: str) -> list[FoundPerson]:
    """The people of one system whose number begins with `number`, from its last listing. When that has none, because
    the system was never listed or the employee is new, the system itself is asked. Raises Refused("unknown_connection")
    and the errors of the gateways."""
    wanted = comparable_number(number)
    if not wanted:
        return []
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        found = uow.links.numbered(connection.id, system, wanted, limit=MOST_FOUND)
    if not found:
        found = dict.fromkeys(ctx.gateway(connection, system).ids_by_number(wanted, fresh=False), wanted)
    with ctx.unit_of_work().reading() as uow:
        links = uow.links.page(connection.id, after=None, limit=len(found) or 1, people={system: list(found)})
        partners = {link.id_in(system): link.id_in(system.other) for link in links}
        ends = uow.links.last_ends(connection.id, [*found, *partners.values()])

    def name(person_id: str) -> str:
        known = (ends[each].name for each in (person_id, partners.get(person_id, "")) if each in ends)
        return next((each for each in known if each), "")

    return [FoundPerson(system, each, shown, linked=each in partners, name=name(each)) for each, shown in found.items()]


def _lines(uow: UnitOfWork, connection_id: int, rows: list[LinkRow]) -> list[LinkLine]:
    listed = {
        system: uow.directory.entries(connection_id, system, [row.id_in(system) for row in rows]) for system in System
    }
    ends = uow.links.last_ends(connection_id, [row.id_in(system) for row in rows for system in System])

    def number(row: LinkRow, system: System) -> str:
        entry = listed[system].get(row.id_in(system))
        return entry.employee_number if entry else ""

    def line(row: LinkRow) -> LinkLine:
        mine = sorted((ends[each] for each in (row.smarthr_id, row.freee_id) if each in ends), key=lambda end: end.at)
        return LinkLine(
            id=row.id,
            smarthr_id=row.smarthr_id,
            freee_id=row.freee_id,
            smarthr_number=number(row, System.SMARTHR),
            freee_number=number(row, System.FREEE),
            since=row.created_at,
            last=LastSync(mine[-1].run, mine[-1].state, mine[-1].at) if mine else None,
            name=next((end.name for end in reversed(mine) if end.name), ""),
        )

    return [line(row) for row in rows]

"""All links of a connection, page by page; and a search for people, so that a user can link them by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import System
from app.storage.links.link_reading import LastEnd
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.name_search import sought
from app.use_cases.shared.views import Page
from app.use_cases.survey.kept_people import ids_numbered

PAGE_SIZE = 50
MOST_FOUND = 20
"""How many people a search shows at most; a user who types more finds fewer."""


@dataclass(frozen=True)
class LinkLine:
    """One linked pair. Numbers are those of the last listing, "" when it did not have the person."""

    id: int
    smarthr_id: str
    freee_id: str
    smarthr_number: str
    freee_number: str
    since: datetime
    last: LastEnd | None
    name: str = field(repr=False)


@dataclass(frozen=True)
class LinkTable:
    """`by_name` False: the search cannot know the names of all, so it may have missed somebody."""

    page: Page[LinkLine]
    total: int
    by_name: bool = True


@dataclass(frozen=True)
class FoundPerson:
    """A person whom the search has found. `linked`: the person has a partner already."""

    system: System
    id: str
    number: str
    linked: bool
    name: str = field(repr=False)


@dataclass(frozen=True)
class Found:
    """`by_name` as in `LinkTable`."""

    people: tuple[FoundPerson, ...] = ()
    by_name: bool = True


def link_table(
    ctx: Context, connection_key: str, *, search: str = "", after: int | None = None, limit: int = PAGE_SIZE
) -> LinkTable:
    """One page of the links, the newest first. `search`: only pairs of which one person has a number, a name or a kana
    that begins with it. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection, wanted = known_connection(uow, connection_key), sought(search, ctx.keys.signing)
        rows = uow.links.page(connection.id, after=after, limit=limit + 1, sought=wanted)
        by_name = wanted is None or uow.links.is_nobody_nameless(connection.id, tuple(System), wanted)
        shown = rows[:limit]
        lines = _lines(uow, connection.id, shown)
        total = uow.links.count(connection.id)
    return LinkTable(Page(tuple(lines), shown[-1].id if len(rows) > limit else None), total, by_name)


def find_people(ctx: Context, connection_key: str, system: System, search: str) -> Found:
    """The people of one system whose number, name or kana begins with `search`, from its last listing. When that has
    nobody who has this number, because the system was never listed or the employee is new, the system itself is asked
    about it. Raises Refused("unknown_connection") and the errors of the gateways."""
    with ctx.unit_of_work().reading() as uow:
        connection, wanted = known_connection(uow, connection_key), sought(search, ctx.keys.signing)
        if wanted is None:
            return Found()
        found = uow.links.found(connection.id, system, wanted, limit=MOST_FOUND)
        by_name = uow.links.is_nobody_nameless(connection.id, [system], wanted)
    if not found and wanted.number and wanted.number.isascii():  # else it is a name, by which no vendor is asked
        ids = ids_numbered(ctx, connection, ctx.gateway(connection, system), wanted.number)
        found = dict.fromkeys(ids, wanted.number)
    if not found:
        return Found((), by_name)
    with ctx.unit_of_work().reading() as uow:
        links = uow.links.page(connection.id, after=None, limit=len(found) or 1, people={system: list(found)})
        partners = {link.id_in(system): link.id_in(system.other) for link in links}
        ends = uow.links.last_ends(connection.id, [*found, *partners.values()])

    def name(person_id: str) -> str:
        known = (ends[each].name for each in (person_id, partners.get(person_id, "")) if each in ends)
        return next((each for each in known if each), "")

    people = (
        FoundPerson(system, each, shown, linked=each in partners, name=name(each)) for each, shown in found.items()
    )
    return Found(tuple(people), by_name)


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
            last=mine[-1] if mine else None,
            name=next((end.name for end in reversed(mine) if end.name), ""),
        )

    return [line(row) for row in rows]

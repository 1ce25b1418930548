"""Everything that runs have done with one person, newest first; and who is meant by a number or a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import ItemState
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.name_search import sought
from app.use_cases.shared.views import Page

MOST_FOUND = 30
"""How many people of each system a search shows at most; a user who types more finds fewer."""
PAGE_SIZE = 50


@dataclass(frozen=True)
class KnownPerson:
    """Somebody whom a search has found. "" for the id in a system where the person has no partner; numbers are those of
    the last listing, the name that of the newest run."""

    ids: Mapping[System, str]
    number: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class FoundPeople:
    """`by_name` False: the search cannot know the names of all, so it may have missed somebody. `more`: there are more
    people than are shown."""

    people: tuple[KnownPerson, ...] = field(default=(), repr=False)
    by_name: bool = True
    more: bool = False


@dataclass(frozen=True)
class PastItem:
    """What one run has done with the person. `place`: of the person in the run, from 1. `keys`: what it has changed."""

    run: str
    place: int
    direction: Direction
    trigger: Trigger
    at: datetime
    state: ItemState
    error_code: str | None
    keys: tuple[str, ...]


@dataclass(frozen=True)
class PersonHistory:
    number: str
    name: str = field(repr=False)
    page: Page[PastItem]


def find_known(ctx: Context, connection_key: str, search: str) -> FoundPeople:
    """The people whose number, name or kana begins with `search`, from the last listings of both systems. Raises
    Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection, wanted = known_connection(uow, connection_key), sought(search, ctx.keys.signing)
        if wanted is None:
            return FoundPeople()
        found = {system: uow.links.found(connection.id, system, wanted, limit=MOST_FOUND + 1) for system in System}
        by_name = uow.links.is_nobody_nameless(connection.id, tuple(System), wanted)
        people = _people(uow, connection.id, found)
    more = any(len(each) > MOST_FOUND for each in found.values())
    return FoundPeople(tuple(people[:MOST_FOUND]), by_name, more)


def person_history(
    ctx: Context, connection_key: str, ids: Mapping[System, str], *, after: int | None = None
) -> PersonHistory:
    """One page of the person's history. `ids`: the person's id in each system, "" where unknown. Raises
    Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        rows = uow.history_of_people.of_person(connection.id, ids, before=after, limit=PAGE_SIZE + 1)
        shown = rows[:PAGE_SIZE]
        keys = uow.preview_selection.keys_of([row.item.id for row in shown])
    items = tuple(
        PastItem(
            run=row.run,
            place=row.item.position + 1,
            direction=row.item.direction,
            trigger=row.trigger,
            at=row.item.finished_at or row.item.created_at,
            state=row.item.state,
            error_code=row.item.error_code,
            keys=tuple(keys[row.item.id]),
        )
        for row in shown
    )
    name = next((row.item.name for row in shown if row.item.name), "")
    number = next((row.item.employee_number for row in shown if row.item.employee_number), "")
    return PersonHistory(number, name, Page(items, shown[-1].item.id if len(rows) > PAGE_SIZE else None))


def _people(uow: UnitOfWork, connection_id: int, found: Mapping[System, Mapping[str, str]]) -> list[KnownPerson]:
    """Found people with their partners, each pair once."""
    ids = {system: list(people) for system, people in found.items()}
    links = uow.links.page(connection_id, after=None, limit=sum(map(len, ids.values())) or 1, people=ids)
    partners = {(system, link.id_in(system)): link.id_in(system.other) for link in links for system in System}
    pairs: dict[tuple[str, str], str] = {}
    for system in System:
        for person, number in found[system].items():
            other = partners.get((system, person), "")
            pairs.setdefault((person, other) if system is System.SMARTHR else (other, person), number)
    ends = uow.links.last_ends(connection_id, [each for pair in pairs for each in pair if each])

    def name(pair: tuple[str, str]) -> str:
        return next((ends[each].name for each in pair if each in ends and ends[each].name), "")

    return [
        KnownPerson({System.SMARTHR: pair[0], System.FREEE: pair[1]}, number, name(pair))
        for pair, number in pairs.items()
    ]

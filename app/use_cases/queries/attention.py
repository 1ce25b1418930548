"""要対応: everybody and everything that waits for a person, across runs, directions and connections.

It is derived from the state of people (`storage.links.attention`), connections and approvals (`attention_sources`),
never from the last run. Page, home, API, command line and metric all read it here, so that they tell one number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from app.domain.enums import Direction, System, Trigger
from app.domain.planning.attention import ONLY_TARGET_CHANGED
from app.domain.runs.dates import today_in_japan
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.storage.links.attention import LINK_CODES
from app.storage.links.attention_reading import CauseCount, Listed, Sought
from app.storage.links.rows import AttentionRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.queries.attention_sources import Asked, entries_besides_people
from app.use_cases.queries.attention_views import (
    Act,
    Attention,
    Entry,
    Group,
    Kind,
    Waiver,
    place_of,
)
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.vendor_links import vendor_page
from app.use_cases.shared.views import Page

PREFIX = "person:"
OF_EACH = 5
"""How many people of a cause the page shows at once; the others stand on the cause's own pages."""
PAGE_SIZE = 50
_KINDS = {
    ItemState.FAILED: Kind.FAILED,
    ItemState.CONFLICT: Kind.CONFLICT,
    ItemState.NEEDS_REVIEW: Kind.REVIEW,
    ItemState.UNCHANGED: Kind.ONE_WAY,
}


@dataclass(frozen=True)
class Which:
    """Which entries are wanted. `connection`: its key. `code`, `direction`: only people who wait with this cause.
    `waived`: those that somebody has left for now, instead of the others."""

    connection: str | None = None
    code: str | None = None
    direction: Direction | None = None
    waived: bool = False

    @property
    def only_people(self) -> bool:
        return self.waived or self.code is not None or self.direction is not None


# ── the list ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def see_attention(ctx: Context, connection: str | None = None, *, of_each: int = OF_EACH) -> Attention:
    """The list grouped by cause, of one connection or of all. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        asked = Asked(ctx, uow, _connections(uow, connection))
        return _attention(asked, _sought(ctx, asked.connections, Which(connection)), of_each=of_each, summary=False)


def attention_summary(asked: Asked) -> Attention:
    """The list without its people, inside the caller's transaction. While something waits, nobody asks what was left
    for now and when all were compared."""
    return _attention(asked, _sought(asked.ctx, asked.connections, Which()), of_each=0, summary=True)


def _attention(asked: Asked, sought: Sought, *, of_each: int, summary: bool) -> Attention:
    uow = asked.uow
    causes = uow.attention.causes(sought)
    first = uow.attention.first_of_each(sought, most=of_each) if causes and of_each else []
    besides = entries_besides_people(asked)
    asks = not summary or not (causes or besides)
    groups = [*_groups_besides(besides), *_groups_of_people(asked.ctx, causes, first, _by_id(asked.connections))]
    return Attention(
        total=len(besides) + sum(each.people for each in causes),
        groups=tuple(sorted(groups, key=_oldest_first)),
        waived=uow.attention.waived(sought.today, sought.connections) if asks else 0,
        checked_at=_checked_at(uow, asked.connections) if asks else None,
    )


def list_attention(ctx: Context, which: Which, *, after: int | None = None, limit: int = PAGE_SIZE) -> Page[Entry]:
    """One page of entries: first what is about connections, runs and the installation, then people in the order in
    which they began to wait. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        of = _connections(uow, which.connection)
        rows = uow.attention.page(_sought(ctx, of, which), after=after, limit=limit + 1)
        wants_all = after is None and not which.only_people
        besides = entries_besides_people(Asked(ctx, uow, of)) if wants_all else []
    shown, known = rows[:limit], _by_id(of)
    people = [_person(ctx, each, known[each.row.connection_id]) for each in shown]
    return Page((*besides, *people), shown[-1].row.id if len(rows) > limit else None)


def counted_in(ctx: Context, uow: UnitOfWork) -> dict[tuple[int, str], int]:
    """(connection, cause) → entries, of all connections; 0 stands for what concerns no connection."""
    of = uow.connections.list_all()
    numbers = {each.key: each.id for each in of}
    found: dict[tuple[int, str], int] = defaultdict(int)
    for entry in entries_besides_people(Asked(ctx, uow, of)):
        found[numbers.get(entry.connection, 0), entry.code] += 1
    for cause in uow.attention.causes(_sought(ctx, of, Which())):
        found[cause.connection_id, cause.code] += cause.people
    return dict(found)


# ── groups ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _groups_besides(entries: Sequence[Entry]) -> Iterable[Group]:
    by_cause: dict[tuple[str, Direction | None], list[Entry]] = defaultdict(list)
    for entry in entries:
        by_cause[entry.code, entry.direction].append(entry)
    for found in by_cause.values():
        ordered = sorted(found, key=lambda entry: _moment(entry.since))
        one = ordered[0]
        yield Group(one.kind, one.code, one.where, len(ordered), one.since, tuple(ordered))


def _groups_of_people(
    ctx: Context, causes: Sequence[CauseCount], first: Sequence[Listed], known: Mapping[int, Connection]
) -> Iterable[Group]:
    counted: dict[tuple[str, Direction, bool], list[CauseCount]] = defaultdict(list)
    for cause in causes:
        counted[cause.code, cause.direction, cause.of_undo].append(cause)
    entries: dict[tuple[str, Direction, bool], list[Entry]] = defaultdict(list)
    for each in first:
        row = each.row
        entries[row.code, row.direction, _is_undo(row)].append(_person(ctx, each, known[row.connection_id]))
    for (code, direction, of_undo), of_cause in counted.items():
        shown = tuple(entries[code, direction, of_undo])
        yield Group(
            kind=shown[0].kind if shown else _kind_of_code(code, of_undo=of_undo),
            code=code,
            where=place_of(direction, of_undo=of_undo),
            count=sum(each.people for each in of_cause),
            since=min(each.since for each in of_cause),
            entries=shown,
        )


def _oldest_first(group: Group) -> tuple[bool, datetime]:
    """What stops a whole connection stands before people; then whatever waits longest."""
    return group.is_people, _moment(group.since)


def _moment(since: datetime | None) -> datetime:
    return since or datetime.max.replace(tzinfo=UTC)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _person(ctx: Context, listed: Listed, connection: Connection) -> Entry:
    row, source = listed.row, listed.row.direction.source
    ids = {source: row.source_id} if not row.source_id.startswith("?") else {}
    ids |= {source.other: row.target_id} if row.target_id else {}
    kind, waiver = kind_of(row), _waiver(row, today_in_japan(ctx.clock.now()))
    return Entry(
        id=f"{PREFIX}{row.id}",
        kind=kind,
        connection=connection.key,
        company=connection.name,
        code=row.code,
        where=place_of(row.direction, of_undo=_is_undo(row)),
        since=row.since,
        acts=_acts(kind, row, ids, waived=waiver is not None),
        people=1,
        number=row.employee_number,
        ids=ids,
        items=row.item_keys,
        mended=row.mended,
        run=listed.run,
        left_alone=listed.left_alone_since is not None,
        waiver=waiver,
        pages={system: vendor_page(ctx.settings, connection, system, ids.get(system)) for system in System},
        name=row.name,
    )


def kind_of(row: AttentionRow) -> Kind:
    if _is_undo(row):
        return Kind.UNDO
    return Kind.LINK if row.code in LINK_CODES else _KINDS[row.state]


def _kind_of_code(code: str, *, of_undo: bool) -> Kind:
    """As `kind_of`, where nobody of the cause was read."""
    if of_undo:
        return Kind.UNDO
    if code in LINK_CODES:
        return Kind.LINK
    return Kind.ONE_WAY if code == ONLY_TARGET_CHANGED else Kind.REVIEW


def _acts(kind: Kind, row: AttentionRow, ids: Mapping[System, str], *, waived: bool) -> tuple[Act, ...]:
    later = Act.TAKE_UP if waived else Act.WAIVE
    if kind is Kind.LINK:
        return (*((Act.COMPARE,) if len(ids) > 1 else ()), Act.LINKS, *_again(row), later)
    if row.mended and (again := _again(row)):
        return (*again, later)
    if kind in (Kind.CONFLICT, Kind.ONE_WAY) and len(ids) > 1 and row.employee_number:
        return (Act.SMARTHR_IS_RIGHT, Act.FREEE_IS_RIGHT, later)
    return (*_again(row), later)


def _again(row: AttentionRow) -> tuple[Act, ...]:
    """A run is started by the number; without one the person is found by a comparison of everybody. What was taken back
    is not synced again."""
    return (Act.AGAIN,) if row.employee_number and not row.source_id.startswith("?") and not _is_undo(row) else ()


def _waiver(row: AttentionRow, today: date) -> Waiver | None:
    if row.waived_until is None or row.waived_until <= today:
        return None
    return Waiver(row.waived_until, row.waived_by or "", row.waived_reason or "")


def _is_undo(row: AttentionRow) -> bool:
    return row.trigger is Trigger.UNDO


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _connections(uow: UnitOfWork, key: str | None) -> list[Connection]:
    return uow.connections.list_all() if key is None else [known_connection(uow, key)]


def _sought(ctx: Context, of: Collection[Connection], which: Which) -> Sought:
    return Sought(
        today=today_in_japan(ctx.clock.now()),
        connections=[each.id for each in of],
        direction=which.direction,
        code=which.code,
        waived=which.waived,
    )


def _by_id(of: Iterable[Connection]) -> Mapping[int, Connection]:
    return {each.id: each for each in of}


def _checked_at(uow: UnitOfWork, of: Sequence[Connection]) -> datetime | None:
    found = uow.standing.compared([each.id for each in of])
    times = [
        each.whole_at
        for each in found
        if each.whole_at is not None and (each.unsettled_at is None or each.unsettled_at <= each.whole_at)
    ]
    return min(times) if times and len(times) == len(of) else None

"""What a person does about an entry of 要対応: sync somebody once more, say which side is right, leave them for now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import structlog

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused, Sentence
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.domain.settings.names import is_clean
from app.storage.links.attention import CHUNK
from app.storage.links.attention_reading import Sought
from app.storage.links.rows import AttentionRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.start_run import MAX_NUMBERS, start_run
from app.use_cases.queries.attention import PREFIX
from app.use_cases.shared.views import RunView

log = structlog.get_logger(__name__)

LONGEST_REASON = 200
FARTHEST = timedelta(days=366)
"""Nobody is left for longer than so long."""


@dataclass(frozen=True)
class _Found:
    row: AttentionRow
    connection: Connection


def try_again(ctx: Context, entry: str, *, by: str) -> RunView:
    """Sync a person once more, in the direction in which they wait. Whoever automatic runs leave alone is tried by them
    again as well. Raises Refused, as `start_run` does, and "attention_gone" when the person does not wait any more."""
    with ctx.unit_of_work() as uow:
        found = _found(uow, entry)
        _lift(uow, [found.row])
    return _start(ctx, found.connection, found.row.direction, [found.row.employee_number], by=by)


def try_all_again(
    ctx: Context, *, code: str, direction: Direction, by: str, connection_key: str | None = None
) -> list[RunView]:
    """As `try_again`, for everybody of this connection, or of all, who waits with this cause and has a number: one run
    per connection. A connection on which no run may start holds up no other. Raises Refused when none could."""
    today = today_in_japan(ctx.clock.now())
    with ctx.unit_of_work() as uow:
        wanted: list[tuple[Connection, list[str]]] = []
        for connection in uow.connections.list_all():
            if connection_key not in (None, connection.key):
                continue
            people = uow.attention.repeatable(Sought(today, [connection.id], direction, code), most=MAX_NUMBERS)
            if people:
                _lift(uow, people)
                wanted.append((connection, list(dict.fromkeys(each.employee_number for each in people))))
    begun, refused = [], _gone()
    for connection, numbers in wanted:
        try:
            begun.append(_start(ctx, connection, direction, numbers, by=by))
        except Refused as error:
            refused = error
    if not begun:
        raise refused
    return begun


def check_now(ctx: Context, *, by: str) -> int:
    """Compare everybody of each connection on which somebody waits, in the directions in which they do, and write
    nothing: whoever was mended is offered afterwards. Returns how many comparisons were begun. Raises Refused, also
    when every such connection is being compared already."""
    refused, begun = _checking(), 0
    for connection, directions in _to_check(ctx):
        for direction in directions:
            try:
                start_run(ctx, replace(_command(ctx, connection, direction, by=by), dry_run=True))
                begun += 1
            except Refused as error:
                refused = error
    if not begun:
        raise refused
    return begun


def _to_check(ctx: Context) -> list[tuple[Connection, list[Direction]]]:
    with ctx.unit_of_work().reading() as uow:
        usable = [each for each in uow.connections.list_all() if not each.paused and not each.needs_consent]
        free = [each for each in usable if not uow.healing.is_being_checked(each.id)]
        return [(each, uow.healing.directions(each.id)) for each in free]


def _checking() -> Refused:
    return Refused("check_under_way", status=409)


def side_is_right(ctx: Context, entry: str, right: System, *, by: str) -> RunView:
    """Sync a person with this system as the source, which wins as in every run that a person starts. Raises Refused."""
    with ctx.unit_of_work() as uow:
        found = _found(uow, entry)
        _lift(uow, [found.row, *uow.attention.twins_of(found.row)])
        number = _number_in(uow, found, right)
    direction = next(each for each in Direction if each.source is right)
    return _start(ctx, found.connection, direction, [number], by=by)


def waive(ctx: Context, entry: str, *, reason: str, until: date, by: str) -> None:
    """Leave a person for now: they come back on that day, or when the cause becomes another one. Raises Refused naming
    every wrong field."""
    now, reason = ctx.clock.now(), reason.strip()
    today = today_in_japan(now)
    faults: dict[str, Sentence | str] = {}
    if not 0 < len(reason) <= LONGEST_REASON or not is_clean(reason):
        faults["reason"] = Sentence("fields.reason", longest=LONGEST_REASON)
    if not today < until <= today + FARTHEST:
        faults["until"] = Sentence("fields.until")
    if faults:
        raise Refused("invalid_waiver", fields=faults)
    with ctx.unit_of_work() as uow:
        row = _found(uow, entry).row
        if (row.waived_until, row.waived_reason) == (until, reason):  # pressed twice
            return
        uow.attention.waive(row, until=until, reason=reason, by=by, now=now)
        _note(ctx, uow, "attention_waived", row, by=by, until=until.isoformat())
    log.info("attention_waived", connection_id=row.connection_id, code=row.code, by=by)


def take_up(ctx: Context, entry: str, *, by: str) -> None:
    """The person waits again at once. Raises Refused."""
    with ctx.unit_of_work() as uow:
        row = _found(uow, entry).row
        if row.waived_until is None:  # pressed twice
            return
        uow.attention.take_up(row)
        _note(ctx, uow, "attention_taken_up", row, by=by)
    log.info("attention_taken_up", connection_id=row.connection_id, code=row.code, by=by)


def _note(ctx: Context, uow: UnitOfWork, action: str, row: AttentionRow, *, by: str, **more: str) -> None:
    detail = {"connection": row.connection_id, "direction": row.direction.value, "person": row.source_id}
    detail |= {"code": row.code, **more}
    uow.audit.add(actor=by, action=action, subject=f"attention:{row.id}", now=ctx.clock.now(), detail=detail)


def _found(uow: UnitOfWork, entry: str) -> _Found:
    number = entry.removeprefix(PREFIX)
    row = uow.attention.get(int(number)) if entry.startswith(PREFIX) and number.isdecimal() else None
    connection = uow.connections.get(row.connection_id) if row is not None else None
    if row is None or connection is None:
        raise _gone()
    return _Found(row, connection)


def _gone() -> Refused:
    return Refused("attention_gone", status=409)


def _lift(uow: UnitOfWork, rows: Sequence[AttentionRow]) -> None:
    """Let automatic runs, and writes that rest because they did not help, try these people again."""
    people: dict[tuple[int, Direction], list[str]] = defaultdict(list)
    for row in rows:
        people[row.connection_id, row.direction].append(row.source_id)
    for (connection_id, direction), ids in people.items():
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            uow.troubles.resolve(connection_id, direction, some)
            uow.links.try_again(connection_id, direction=direction, source_ids=some)


def _number_in(uow: UnitOfWork, found: _Found, system: System) -> str:
    """The person's number in this system, as it was listed last; else the one that is known."""
    row = found.row
    person_id = row.source_id if row.direction.source is system else row.target_id or ""
    listed = uow.directory.entries(found.connection.id, system, [person_id]).get(person_id)
    return (listed.employee_number if listed else "") or row.employee_number


def _start(ctx: Context, connection: Connection, direction: Direction, numbers: Sequence[str], *, by: str) -> RunView:
    command = replace(_command(ctx, connection, direction, by=by), employees=tuple(numbers), from_attention=True)
    return start_run(ctx, command)


def _command(ctx: Context, connection: Connection, direction: Direction, *, by: str) -> StartRun:
    return StartRun(
        connection_key=connection.key,
        direction=direction,
        as_of_date=today_in_japan(ctx.clock.now()),
        employees=None,
        dry_run=False,
        trigger=Trigger.MANUAL,
        started_by=by,
    )

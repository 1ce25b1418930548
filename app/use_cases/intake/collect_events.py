"""Collects what webhooks (and what follows from them) ask for, as items of one run per connection and direction.

The run stays open for a quiet window after the last event, so that a burst of webhooks becomes one run with one mail;
then the relay releases it, unless the automatic sync of the direction begins with a preview: then it waits for the
approval and goes on filling. Its day is the one on which its webhooks came in, whenever it is carried out, because the
day decides into which month is written. So a webhook of the next day releases it and begins another run; only what was
held back has the day of its approval. It needs no survey: its jobs read their employees directly. When an item of an
employee waits already, the new request joins it. When a job is working on the employee, the request gets an item of its
own, because that job may have read the employee before the change.

A run with so many people that it may be a mass change takes two passes (`hold_mass_change`): in the first its jobs only
plan.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.domain.enums import Direction, Trigger
from app.domain.planning.plan import PlanKind
from app.domain.runs.dates import today_in_japan
from app.domain.runs.queues import INTERACTIVE, queue_for
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.storage.enums import HistoryKind
from app.storage.runs.rows import NewItem, NewRun
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.mass_change import room_left

log = structlog.get_logger(__name__)

LONGEST_WINDOWS = 6
"""How many quiet windows one run stays open at most: a burst that does not end is cut into runs of this length."""
STARTED_BY = "webhook"


@dataclass(frozen=True)
class SyncRequest:
    """A request to look at this person of the direction's source. `delivery_id`: the webhook delivery that asks; None:
    Awase itself asks."""

    connection: Connection
    direction: Direction
    source_id: str
    delivery_id: int | None = None


def collect_events(ctx: Context, uow: UnitOfWork, sync_requests: Iterable[SyncRequest], *, now: datetime) -> None:
    """Store the requests as items, inside the caller's transaction."""
    groups: dict[tuple[int, Direction], list[SyncRequest]] = defaultdict(list)
    for sync_request in sync_requests:
        groups[sync_request.connection.id, sync_request.direction].append(sync_request)
    for (connection_id, direction), group in sorted(groups.items()):
        items = _items(ctx, uow, group[0].connection, direction, people=[w.source_id for w in group], now=now)
        uow.deliveries.link_items(
            [
                (sync_request.delivery_id, items[sync_request.source_id])
                for sync_request in group
                if sync_request.delivery_id is not None
            ]
        )
        log.debug("gathered", connection_id=connection_id, sync_requests=len(group))


def _items(
    ctx: Context, uow: UnitOfWork, connection: Connection, direction: Direction, *, people: Sequence[str], now: datetime
) -> dict[str, int]:
    """Source id → the item that will look at this person."""
    wanted = list(dict.fromkeys(people))
    numbers = uow.directory.entries(connection.id, direction.source, wanted)  # read before the run's row is locked
    run, items = _open_run(ctx, uow, connection, direction, people=wanted, now=now)
    new = [person for person in wanted if person not in items]
    if run is None:
        return items
    run_id, position = run
    rows = [
        NewItem(
            run_id=run_id,
            connection_id=connection.id,
            direction=direction,
            position=position + place,
            employee_number=numbers[person].employee_number if person in numbers else "",
            source_id=person,
            target_id=None,
            kind=PlanKind.NOTHING.value,
            queue=INTERACTIVE,
            state=ItemState.WAITING,
            created_at=now,
        )
        for place, person in enumerate(new)
    ]
    return items | dict(zip(new, uow.items.add_many(rows), strict=True))


def _open_run(
    ctx: Context, uow: UnitOfWork, connection: Connection, direction: Direction, *, people: Sequence[str], now: datetime
) -> tuple[tuple[int, int] | None, dict[str, int]]:
    """((run, first free position), items that the requests join). The run's row is locked before the items are looked
    for, so that of two transactions the second sees the items of the first. The first part is None when no run is open
    and every person has a waiting item in a run that is under way."""
    window, day = quiet_window(ctx, connection), today_in_japan(now)
    until, at_most = now + window, window * LONGEST_WINDOWS
    while True:
        for earlier in uow.runs.gathering_of_another_day(connection.id, direction, day):
            _release(ctx, uow, earlier, early=True)
        found = uow.runs.gather_more(
            connection.id, direction, day=day, people=len(people), until=until, at_most=at_most
        )
        items = uow.items.waiting_for(connection.id, direction, people)
        if found is not None or all(person in items for person in people):
            return found, items
        run = uow.runs.start_gathering(
            NewRun(
                public_id=str(uuid.uuid4()),
                connection_id=connection.id,
                direction=direction,
                trigger=Trigger.WEBHOOK,
                as_of_date=day,
                dry_run=False,
                scope=None,
                queue=INTERACTIVE,
                started_by=STARTED_BY,
                created_at=now,
                deadline_at=now + timedelta(hours=ctx.settings.run_deadline_hours),
                gather_until=until,
            ),
            people=len(people),
        )
        if run is not None:
            uow.history.add(run.id, HistoryKind.START, at=now)
            return (run.id, 0), items


def quiet_window(ctx: Context, connection: Connection) -> timedelta:
    seconds = connection.quiet_seconds
    return timedelta(seconds=ctx.settings.quiet_seconds if seconds is None else seconds)


def release_gathered(ctx: Context) -> int:
    """Release the runs whose quiet window is over: they become RUNNING, and their items are queued. Returns how
    many."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        due = uow.runs.gathered(now)
    return sum(_release_one(ctx, run_id) for run_id in due)


def _release_one(ctx: Context, run_id: int) -> bool:
    with ctx.unit_of_work() as uow:
        return _release(ctx, uow, run_id)


def _release(ctx: Context, uow: UnitOfWork, run_id: int, *, early: bool = False) -> bool:
    """`early`: before its quiet window is over."""
    now = ctx.clock.now()
    deadline_at = now + timedelta(hours=ctx.settings.run_deadline_hours)
    if not uow.runs.release(run_id, now=now, deadline_at=deadline_at, early=early):
        return False
    waiting = uow.items.counts(run_id).get(ItemState.WAITING, 0)
    queue = queue_for(waiting, bulk_from=ctx.settings.bulk_from)
    uow.runs.set_size(run_id, total=waiting, queue=queue)
    run = uow.runs.get(run_id)
    if run is not None and waiting > max(1, room_left(ctx, uow, run.connection_id)):
        uow.runs.await_mass_change_check(run_id)
    if queue != INTERACTIVE:
        uow.items.move_to(run_id, queue)
    uow.items.queue_waiting(run_id, now=now)
    log.info("run_released", run_id=run_id, items=waiting, queue=queue)
    return True

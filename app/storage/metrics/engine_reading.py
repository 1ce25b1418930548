"""The engine room's queries: a handful, over indexes, without anything personal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, cast, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import FINAL_ITEM_STATES, ItemState, RunState
from app.storage.enums import MailState
from app.storage.repository import Repository
from app.storage.tables.access_models import LeaderTable
from app.storage.tables.automatic_models import DeliveryTable
from app.storage.tables.conditions import waits_its_turn
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable
from app.storage.tables.outgoing_models import MailTable, OutboxTable

TROUBLED = (ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT)


@dataclass(frozen=True)
class Backlog:
    """What waits, and since when the oldest of each kind waits. `lead_until`: when the reconciler's lease ends."""

    outbox: int
    outbox_since: datetime | None
    unsorted: int
    unsorted_since: datetime | None
    item_since: datetime | None
    mails: int
    mails_since: datetime | None
    mails_failed: int
    lead_until: datetime | None


@dataclass(frozen=True)
class OpenRunRow:
    """A run that has not ended. `connection`: its key. `done` of `total`; `total` None before the survey knows it."""

    run: str
    connection: str
    direction: Direction
    trigger: Trigger
    state: RunState
    created_at: datetime
    total: int | None
    done: int


class EngineReading(Repository):
    """Part of `uow.metrics`."""

    def backlog(self, now: datetime, *, leader: str, mails_since: datetime) -> Backlog:
        """The backlog, in one query. `mails_since`: failed mails count from then on."""
        outbox = (OutboxTable.sent_at.is_(None), OutboxTable.due_at <= now)
        unsorted = text("deliveries.state = 'received'")  # as the partial index says it, or SQLite does not use it
        unsent = MailTable.state.in_([MailState.PENDING, MailState.SENDING])
        failed = (MailTable.state == MailState.FAILED, MailTable.created_at >= mails_since)
        parts: dict[str, Select[Any]] = {
            "outbox": select(func.count()).select_from(OutboxTable).where(*outbox),
            "outbox_since": select(func.min(OutboxTable.due_at)).where(*outbox, ~waits_its_turn()),
            "unsorted": select(func.count()).select_from(DeliveryTable).where(unsorted),
            "unsorted_since": select(DeliveryTable.received_at).where(unsorted).order_by(DeliveryTable.id).limit(1),
            "item_since": _oldest_due(now),
            "mails": select(func.count()).select_from(MailTable).where(unsent),
            "mails_since": select(func.min(MailTable.created_at)).where(unsent),
            "mails_failed": select(func.count()).select_from(MailTable).where(*failed),
            "lead_until": select(LeaderTable.lease_until).where(LeaderTable.name == leader),
        }
        row = self._session.execute(select(*(part.scalar_subquery().label(name) for name, part in parts.items()))).one()
        return Backlog(**row._mapping)

    def ended_per(self, seconds: int, *, since: datetime) -> dict[int, dict[bool, int]]:
        """Items that have ended: number of the span since 1970 → {in trouble: items}."""
        found = self._per(seconds, ItemTable.finished_at, ItemTable.state.in_(TROUBLED), since=since)
        return {number: {bool(bad): items for bad, items in by.items()} for number, by in found.items()}

    def received_per(self, seconds: int, *, since: datetime) -> dict[int, dict[System, int]]:
        """Webhooks that came in: number of the span since 1970 → {system: webhooks}."""
        return self._per(seconds, DeliveryTable.received_at, DeliveryTable.system, since=since)

    def _per(self, seconds: int, at: Any, by: Any, *, since: datetime) -> dict[int, dict[Any, int]]:
        """Rows since then, counted by the span in which they are, and by something else."""
        span = self._span(at, seconds)
        query = select(span, by, func.count()).where(at >= since).group_by(span, by).order_by(span)
        found: dict[int, dict[Any, int]] = {}
        for number, each, rows in self._session.execute(query):
            found.setdefault(number, {})[each] = rows
        return found

    def causes_since(self, moment: datetime) -> list[tuple[str, ItemState, int]]:
        """(cause, state, number of items) of the items that have ended in trouble since then."""
        query = (
            select(ItemTable.error_code, ItemTable.state, func.count())
            .where(ItemTable.finished_at >= moment, ItemTable.state.in_(TROUBLED), ItemTable.error_code.is_not(None))
            .group_by(ItemTable.error_code, ItemTable.state)
        )
        return [(str(code), state, items) for code, state, items in self._session.execute(query)]

    def open_runs(self, *, limit: int) -> tuple[int, list[OpenRunRow]]:
        """How many runs have not ended, and the newest of them."""
        columns = (RunTable.id, RunTable.public_id, ConnectionTable.key, RunTable.direction, RunTable.trigger)
        query = (
            select(
                *columns,
                RunTable.state,
                RunTable.created_at,
                RunTable.total,
                RunTable.equal,
                RunTable.left_out,
                RunTable.looked_at,
                func.count().over(),
            )
            .join(ConnectionTable, ConnectionTable.id == RunTable.connection_id)
            .where(RunTable.finished_at.is_(None))
            .order_by(RunTable.id.desc())
            .limit(limit)
        )
        rows = self._session.execute(query).all()
        done = self._done([row[0] for row in rows])
        found = [
            OpenRunRow(
                run,
                key,
                direction,
                trigger,
                state,
                created_at,
                total,
                done.get(run_id, 0) + equal + sum((left_out or {}).values()) - _ended(looked_at or {}),
            )
            for run_id, run, key, direction, trigger, state, created_at, total, equal, left_out, looked_at, _ in rows
        ]
        return (rows[0][-1] if rows else 0), found

    def _done(self, run_ids: Sequence[int]) -> dict[int, int]:
        query = (
            select(ItemTable.run_id, func.count().label("items"))
            .where(ItemTable.run_id.in_(run_ids), ItemTable.state.in_(FINAL_ITEM_STATES))
            .group_by(ItemTable.run_id)
        )
        return {row.run_id: row.items for row in self._session.execute(query)}

    def _span(
        self, column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None], seconds: int
    ) -> ColumnElement[int]:
        if self._transaction.dialect.name == "postgresql":
            return cast(func.floor(func.extract("epoch", column) / seconds), Integer)
        return cast(func.strftime("%s", column), Integer) // seconds


def _oldest_due(now: datetime) -> Select[Any]:
    """The query of `uow.metrics.oldest_due`, as a part of the backlog's one query."""
    works = (~ConnectionTable.paused, ~ConnectionTable.needs_consent)
    return (
        select(ItemTable.next_at)
        .join(RunTable, RunTable.id == ItemTable.run_id)
        .join(ConnectionTable, ConnectionTable.id == ItemTable.connection_id)
        .where(
            text("items.state IN ('waiting', 'running')"),
            ItemTable.state == ItemState.WAITING,
            ItemTable.next_at <= now,
            RunTable.state == RunState.RUNNING,
            RunTable.ends_as.is_(None),
            *works,
        )
        .order_by(ItemTable.next_at)
        .limit(1)
    )


def _ended(looked_at: Mapping[str, int]) -> int:
    """How many people of a run were only looked at, without those whose items left it."""
    return sum(people for state, people in looked_at.items() if state != ItemState.WAITING)

"""Items: one employee in one run. Every change of state is one conditional UPDATE; the attempt number is the fence.

A claim takes WAITING to RUNNING with a lease and the next attempt number. A worker names that number when it finishes,
postpones or renews, so that a late commit of a worker that was thought dead changes no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.error_catalogue.catalogue import checked
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import OutboxKind
from app.storage.links.attention import AttentionRepository
from app.storage.outgoing.outbox import OutboxRepository
from app.storage.repository import table_of
from app.storage.runs.item_adding import ItemAdding, note_columns
from app.storage.runs.item_reading import HELD, running_runs, waits_in
from app.storage.runs.rows import ItemRow, NewNote
from app.storage.tables.models import ItemTable, RunTable

_TABLE = table_of(ItemTable)


class ItemRepository(ItemAdding):
    """`uow.items`."""

    # ── the life of one item ──────────────────────────────────────────────────────────────────────────────────────

    def claim(self, item_id: int, attempt: int, *, now: datetime, lease_until: datetime, worker: str) -> ItemRow | None:
        """WAITING with this attempt number → RUNNING with the next one. None: the worker does not get the item.

        Either the item cannot be claimed (done, claimed, not yet due, the run is ending, the connection is paused), or
        an open item of another run holds the employee's slot, or a worker is writing the same pair in the other
        direction. In the last two cases the item waits a little and is queued again.
        """
        mine = {"item_": item_id, "attempt_": attempt, "now_": now}
        self._one_claim_at_a_time(item_id)
        try:
            with self._transaction.connection.begin_nested():
                claimed = self._changed(_claim(), {**mine, "until_": lease_until, "worker_": worker})
        except IntegrityError:
            claimed = 0
        if claimed:
            return self.get(item_id)
        if self._changed(_put_off(), {**mine, "until_": now + (lease_until - now) / 6}):
            self._queue_again(item_id, now=now)
        return None

    def _one_claim_at_a_time(self, item_id: int) -> None:
        """Let one claim per connection run at a time, because on PostgreSQL two claims at once would not see each
        other's item. (SQLite has one writer anyway.)"""
        if self._transaction.dialect.name == "postgresql":
            lock = select(func.pg_advisory_xact_lock(ItemTable.connection_id)).where(ItemTable.id == item_id)
            self._session.execute(lock)

    def renew(self, item_id: int, attempt: int, lease_until: datetime) -> bool:
        """Extend the lease. False: the worker no longer holds the item and must stop before its next write."""
        return self._if_mine(item_id, attempt, {"lease_until": lease_until})

    def record_outcome(
        self,
        item_id: int,
        attempt: int,
        *,
        state: ItemState,
        now: datetime,
        error_code: str | None = None,
        detail: str | None = None,
        notes: Iterable[NewNote] | None = None,
        kind: str | None = None,
        target_id: str | None = None,
        closing_month: str | None = None,
        pay_month: str | None = None,
        candidates: Sequence[Mapping[str, str]] | None = None,
        number: str | None = None,
        name: str | None = None,
    ) -> bool:
        """RUNNING with this attempt → a final state. None leaves a column as it is. False: the worker lost the item."""
        values: dict[str, Any] = {
            "state": state,
            "finished_at": now,
            "lease_until": None,
            "lease_by": None,
            "error_code": checked(error_code),
            "detail_enc": self._seal(detail),
        }
        given = {"kind": kind, "target_id": target_id, "closing_month": closing_month, "pay_month": pay_month}
        given |= {"employee_number": number, "name_enc": self._seal(name)}
        values |= {name: value for name, value in given.items() if value is not None}
        if notes is not None:
            values["notes"] = note_columns(notes)
        if candidates is not None:
            values["candidates_enc"] = self._vault.encrypt_json([dict(c) for c in candidates])
        return self._if_mine(item_id, attempt, values)

    def postpone(
        self,
        item_id: int,
        attempt: int,
        *,
        next_at: datetime,
        error_code: str | None,
        counts: bool,
        now: datetime,
        detail: str | None = None,
    ) -> bool:
        """RUNNING with this attempt → WAITING until `next_at`, with the outbox row for then. `counts`: the attempt
        counts as failed. When the run is ending, the item ends with it instead. False: the worker lost the item."""
        ends_as, run_error = self._session.execute(
            select(RunTable.ends_as, RunTable.error_code).join(ItemTable).where(ItemTable.id == item_id)
        ).one()
        if ends_as is not None:
            state = ItemState.CANCELLED if ends_as is RunState.CANCELLED else ItemState.FAILED
            ended = self.record_outcome(item_id, attempt, state=state, error_code=run_error or error_code, now=now)
            self._attention.of_items(ItemTable.id == item_id)
            return ended
        values = {
            "state": ItemState.WAITING,
            "next_at": next_at,
            "pushed_at": None,
            "starts": 0,
            "attempts_failed": ItemTable.attempts_failed + (1 if counts else 0),
            "lease_until": None,
            "lease_by": None,
            "error_code": checked(error_code),
            "detail_enc": self._seal(detail),
        }
        if not self._if_mine(item_id, attempt, values):
            return False
        self._queue_again(item_id, now=now)
        return True

    def hand_back(
        self, item_id: int, attempt: int, *, worker: str, next_at: datetime, error_code: str, now: datetime
    ) -> bool:
        """What a job of `worker` with this attempt number has left: RUNNING, or WAITING when its claim did not come to
        pass → WAITING until `next_at`, with the outbox row for then. It counts as no attempt. False: the item has ended
        or another worker has it."""
        by = self._session.scalar(
            select(ItemTable.lease_by).where(ItemTable.id == item_id, ItemTable.attempt == attempt + 1)
        )
        if by is not None:
            return by == worker and self.postpone(
                item_id, attempt + 1, next_at=next_at, error_code=error_code, counts=False, now=now
            )
        unclaimed = (ItemTable.id == item_id, ItemTable.attempt == attempt, ItemTable.state == ItemState.WAITING)
        if not self._changed(update(ItemTable).where(*unclaimed).values(pushed_at=None)):
            return False
        self._queue_again(item_id, now=now)
        return True

    def park(
        self,
        item_id: int,
        attempt: int,
        *,
        until: datetime,
        approved_digest: str,
        effects: str,
        kind: str,
        notes: Iterable[NewNote],
        number: str | None,
        name: str | None,
        target_id: str | None,
    ) -> bool:
        """RUNNING with this attempt → WAITING with a plan. False: the worker lost the item.

        No worker takes the item up before `until`, unless the mass change of its run is decided earlier.
        """
        values: dict[str, Any] = {
            "state": ItemState.WAITING,
            "next_at": until,
            "pushed_at": None,
            "starts": 0,
            "lease_until": None,
            "lease_by": None,
            "error_code": None,
            "approved_digest": approved_digest,
            "chosen": True,
            "effects": effects,
            "kind": kind,
            "notes": note_columns(notes),
        }
        given = {"employee_number": number, "name_enc": self._seal(name), "target_id": target_id}
        values |= {column: value for column, value in given.items() if value is not None}
        return self._if_mine(item_id, attempt, values)

    def unpark(self, run_id: int, *, now: datetime) -> None:
        """Make the parked items of a run due; they plan anew."""
        parked = update(ItemTable).where(ItemTable.run_id == run_id, is_parked())
        self._session.execute(parked.values(next_at=now, approved_digest=None))

    def show_stopped(self, item_id: int, *, effects: str, kind: str, notes: Iterable[NewNote]) -> None:
        """Renew what an item says of the changes that it shows to people."""
        values = {"effects": effects, "kind": kind, "notes": note_columns(notes)}
        self._session.execute(update(ItemTable).where(ItemTable.id == item_id).values(**values))

    def keep_ticks(self, item_id: int, ticked: Sequence[str]) -> None:
        """Keep ticks that a person has set in another run, for the item that shows the ticked changes."""
        kept = self._session.scalar(select(ItemTable.ticked).where(ItemTable.id == item_id)) or []
        values = {"ticked": sorted({*kept, *ticked})}
        self._session.execute(update(ItemTable).where(ItemTable.id == item_id).values(**values))

    def end_shown(self, item_id: int, *, now: datetime, state: ItemState, code: str | None = None) -> None:
        """WAITING → final: what the item showed to people is no difference any more, or stands elsewhere now."""
        mine = (ItemTable.id == item_id, ItemTable.state == ItemState.WAITING)
        values = {"state": state, "error_code": code, "finished_at": now}
        self._session.execute(update(ItemTable).where(*mine).values(**values))

    def set_known(self, item_id: int) -> None:
        """Mark an item that ended as it did the time before, because that is no news for a mail."""
        self._session.execute(update(ItemTable).where(ItemTable.id == item_id).values(known=True))

    def set_target(self, item_id: int, attempt: int, target_id: str, *, kind: str | None = None) -> bool:
        """Store the employee of the target as soon as it is known (just created, or found)."""
        values = {"target_id": target_id} | ({"kind": kind} if kind else {})
        return self._if_mine(item_id, attempt, values)

    def set_months(self, item_id: int, attempt: int, *, closing_month: str | None, pay_month: str | None) -> bool:
        return self._if_mine(item_id, attempt, {"closing_month": closing_month, "pay_month": pay_month})

    def _if_mine(self, item_id: int, attempt: int, values: Mapping[str, Any]) -> bool:
        plain = {name: value for name, value in values.items() if not isinstance(value, ColumnElement)}
        if len(plain) < len(values):
            statement = update(ItemTable).where(*HELD).values(values)
            return self._changed(statement, {"item_": item_id, "attempt_": attempt}) == 1
        given = {f"{name}_to": value for name, value in plain.items()}
        return self._changed(_set(tuple(plain)), {"item_": item_id, "attempt_": attempt, **given}) == 1

    def _queue_again(self, item_id: int, *, now: datetime) -> None:
        attempt, queue, due_at = self._session.execute(
            select(ItemTable.attempt, ItemTable.queue, ItemTable.next_at).where(ItemTable.id == item_id)
        ).one()
        OutboxRepository(self._transaction, self._vault).add(
            OutboxKind.ITEM, item_id, attempt=attempt, queue=queue, due_at=due_at, now=now
        )

    def queue_waiting(self, run_id: int, *, now: datetime) -> int:
        """Add outbox rows for all WAITING items of a run whose plan was just committed or approved. Says how many."""
        rows = self._session.execute(
            select(ItemTable.id, ItemTable.attempt, ItemTable.queue)
            .where(waits_in(run_id))
            .order_by(ItemTable.position)
        ).all()
        OutboxRepository(self._transaction, self._vault).add_many(
            [(item_id, attempt, queue) for item_id, attempt, queue in rows], kind=OutboxKind.ITEM, due_at=now, now=now
        )
        return len(rows)

    def move_to(self, run_id: int, queue: str) -> None:
        """Move the waiting items of a run to another queue, because the run turned out large."""
        self._session.execute(update(ItemTable).where(waits_in(run_id)).values(queue=queue))

    def end_waiting(self, run_id: int, *, state: ItemState, error_code: str | None, now: datetime) -> int:
        """Every WAITING item of the run → that final state. Returns how many."""
        ended = self._changed(
            update(ItemTable)
            .where(waits_in(run_id))
            .values(state=state, error_code=checked(error_code), finished_at=now, lease_until=None)
        )
        if ended and state is not ItemState.CANCELLED:
            self._attention.of_items(ItemTable.run_id == run_id, ItemTable.state == state, ItemTable.finished_at == now)
        return ended

    @property
    def _attention(self) -> AttentionRepository:
        return AttentionRepository(self._transaction, self._vault)


@cache
def _set(columns: tuple[str, ...]) -> Update:
    """Set these columns of the item that the attempt holds."""
    return update(_TABLE).where(*HELD).values({name: bindparam(f"{name}_to") for name in columns})


@cache
def _claim() -> Update:
    values = {
        "state": ItemState.RUNNING,
        "attempt": _TABLE.c.attempt + 1,
        "starts": _TABLE.c.starts + 1,
        "lease_until": bindparam("until_"),
        "lease_by": bindparam("worker_"),
        "started_at": func.coalesce(_TABLE.c.started_at, bindparam("now_", type_=_TABLE.c.started_at.type)),
        "holds_slot": True,
    }
    return update(_TABLE).where(*_claimable(), ~_written_the_other_way()).values(values)


@cache
def _put_off() -> Update:
    return update(_TABLE).where(*_claimable()).values(next_at=bindparam("until_"), pushed_at=None)


def _claimable() -> tuple[ColumnElement[bool], ...]:
    return (
        _TABLE.c.id == bindparam("item_"),
        _TABLE.c.attempt == bindparam("attempt_"),
        _TABLE.c.state == ItemState.WAITING,
        _TABLE.c.next_at <= bindparam("now_"),
        _TABLE.c.run_id.in_(running_runs()),
    )


def is_parked() -> ColumnElement[bool]:
    """The item, of a run that webhooks fill, waits with a plan."""
    return and_(ItemTable.state == ItemState.WAITING, ItemTable.approved_digest.is_not(None))


def _written_the_other_way() -> ColumnElement[bool]:
    """Whether a worker is working on the same pair in the other direction. Each of the two jobs would write the value
    that the other has just replaced, and both sides would end with the other's old value."""
    mine, other = _TABLE.c, _TABLE.alias().c
    return exists().where(
        other.connection_id == mine.connection_id,
        other.direction != mine.direction,
        other.state == ItemState.RUNNING,
        or_(other.source_id == mine.target_id, other.target_id == mine.source_id),
    )

"""Runs: the survey's claim, the commit of the plan, and the one conditional UPDATE that closes a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.enums import Direction, System, Trigger
from app.domain.error_catalogue.catalogue import checked
from app.domain.runs.run_state import ItemState, RunState, ended_early, result_of
from app.storage.enums import MassChangeCheck, OutboxKind
from app.storage.outgoing.outbox import OutboxRepository
from app.storage.repository import as_row, table_of
from app.storage.runs.item_reading import OPEN_STATES
from app.storage.runs.items import ItemRepository, is_parked
from app.storage.runs.rows import NewRun, RunRow, WithoutItem
from app.storage.runs.run_reading import RunReading
from app.storage.tables.conditions import held_back
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable

MISSED_KEPT = 1000
"""How many people a run names whose change no webhook has told; the counter counts all of them."""

_RUNS, _ITEMS = table_of(RunTable), table_of(ItemTable)
_ADD_CALLS = (
    update(_RUNS)
    .where(_RUNS.c.id == bindparam("run_"))
    .values(
        smarthr_calls=_RUNS.c.smarthr_calls + bindparam("smarthr_"),
        freee_calls=_RUNS.c.freee_calls + bindparam("freee_"),
    )
)
_CLOSE = (
    update(_RUNS)
    .where(
        _RUNS.c.id == bindparam("run_"),
        _RUNS.c.finished_at.is_(None),
        or_(_RUNS.c.state == RunState.RUNNING, _RUNS.c.ends_as.is_not(None)),
        ~exists().where(_ITEMS.c.run_id == bindparam("run_"), _ITEMS.c.state.in_(OPEN_STATES)),
    )
    .values(finished_at=bindparam("now_"))
)
_SURVEYING = (RunTable.state == RunState.SURVEYING, RunTable.ends_as.is_(None))
_OF_ATTEMPT = _RUNS.c.survey_attempt == func.coalesce(bindparam("attempt_", type_=Integer), _RUNS.c.survey_attempt)
_RENEW_MINE = (_RUNS.c.id == bindparam("run_"), *_SURVEYING, _OF_ATTEMPT)
_RENEW = update(_RUNS).where(*_RENEW_MINE).values(survey_lease_until=bindparam("until_"))


class RunRepository(RunReading):
    def add(self, new: NewRun) -> RunRow:
        """Add a WAITING run. Its survey is due at once (the caller adds the outbox row), unless webhooks fill it."""
        values = {column.name: getattr(new, column.name) for column in fields(new)}
        values["scope"] = None if new.scope is None else list(new.scope)
        record = RunTable(**values, state=RunState.WAITING, survey_next_at=None if new.gather_until else new.created_at)
        self._session.add(record)
        self._session.flush()
        return as_row(RunRow, record)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def open_count(self) -> int:
        query = select(func.count()).select_from(RunTable).where(RunTable.finished_at.is_(None))
        return self._session.scalar(query) or 0

    def stopped_so_before(self, run: RunRow) -> bool:
        """Whether the automatic run of this connection that ended before this one was stopped by the same error."""
        query = (
            select(RunTable.error_code)
            .where(
                RunTable.connection_id == run.connection_id,
                RunTable.trigger.in_([trigger for trigger in Trigger if trigger.is_automatic]),
                RunTable.finished_at.is_not(None),
                RunTable.id != run.id,
            )
            .order_by(RunTable.finished_at.desc(), RunTable.id.desc())
            .limit(1)
        )
        return run.trigger.is_automatic and self._session.scalar(query) == run.error_code

    # ── gathering ─────────────────────────────────────────────────────────────────────────────────────────────────

    def gather_more(
        self, connection_id: int, direction: Direction, *, day: date, people: int, until: datetime, at_most: timedelta
    ) -> tuple[int, int] | None:
        """Make room for so many people more in the run of this day that webhooks fill, and keep it open until `until`
        (but never longer than `at_most` from its beginning). A run that is held back goes on filling over midnight, and
        has the day of the last webhook. Returns (run id, first free position); None: there is no such run.

        The run's row stays locked until the transaction ends, so that two transactions do not add the same person.
        """
        mine = (*_gathering(connection_id, direction), (RunTable.as_of_date == day) | held_back())
        later_day = case((RunTable.as_of_date < day, day), else_=RunTable.as_of_date)
        found = self._session.execute(
            update(RunTable)
            .where(*mine)
            .values(total=RunTable.total + people, as_of_date=later_day)
            .returning(RunTable.id, RunTable.total, RunTable.created_at, RunTable.gather_until)
        ).first()
        if found is None:
            return None
        run_id, total, created_at, open_until = found
        longer = min(until, created_at + at_most)
        if open_until is None or longer > open_until:
            self._update(run_id, values={"gather_until": longer})
        return run_id, (total or people) - people

    def start_gathering(self, new: NewRun, *, people: int) -> RunRow | None:
        """Add a run that webhooks fill, with room for so many people. None: another transaction added one just now."""
        try:
            with self._session.begin_nested():
                run = self.add(new)
        except IntegrityError:
            return None
        self._update(run.id, values={"total": people})
        return run

    def gathering_of_another_day(self, connection_id: int, direction: Direction, day: date) -> list[int]:
        """Runs that webhooks of another day fill, and that may be released: at most one."""
        query = select(RunTable.id).where(
            *_gathering(connection_id, direction), RunTable.as_of_date != day, ~held_back()
        )
        return list(self._session.scalars(query))

    def date_gathering(self, connection_id: int, direction: Direction, day: date) -> None:
        """Give the run that webhooks fill this day: what it holds was let go on this day."""
        mine = _gathering(connection_id, direction)
        self._session.execute(update(RunTable).where(*mine).values(as_of_date=day))

    def gathered(self, now: datetime) -> list[int]:
        """Runs whose quiet window is over, and that do not wait for the approval of a beginning."""
        return list(self._session.scalars(_gathered_runs(), {"now_": now}))

    def release(self, run_id: int, *, now: datetime, deadline_at: datetime, early: bool = False) -> bool:
        """WAITING and gathered → RUNNING; no employee joins the run from here on, and the time allowed to it begins.
        `early`: although its quiet window is not over. False: more webhooks have come in and keep the run open, or
        another process released it."""
        values = {"state": RunState.RUNNING, "started_at": now, "deadline_at": deadline_at}
        return self._update(run_id, *_gathered(None if early else now), values=values)

    def set_size(self, run_id: int, *, total: int, queue: str) -> None:
        self._update(run_id, values={"total": total, "queue": queue})

    def keep_chosen(self, run_id: int, *, total: int, queue: str, looked_at: Mapping[ItemState, int]) -> None:
        """Store that the run is about the chosen people from now on, and how many people were only looked at."""
        beside = {state.value: people for state, people in looked_at.items()}
        values = {"total": total, "queue": queue, "looked_at": beside, "only_target_changed": 0}
        self._update(run_id, values=values)

    # ── a mass change without a survey ────────────────────────────────────────────────────────────────────────────────

    def await_mass_change_check(self, run_id: int) -> None:
        """Close the gate of a run: its jobs plan and keep their plans, and none writes before all plans are known."""
        self._update(run_id, values={"gate": MassChangeCheck.CLOSED})

    def decide_mass_change(self, run_id: int) -> bool:
        """CLOSED → OPEN once the plans of all the run's employees are known. True for the one caller that opened the
        gate.

        Like `close`, it must be the first statement of a transaction of its own, after the last item's commit.
        """
        return self._update(run_id, *_mass_change_check_ready(), values={"gate": MassChangeCheck.OPEN})

    def mass_change_checks_ready(self) -> list[int]:
        """Runs whose gate could open, but no process has opened it (a crash between two transactions)."""
        return list(self._session.scalars(select(RunTable.id).where(*_mass_change_check_ready())))

    # ── changes that wait for a person ────────────────────────────────────────────────────────────────────────────────

    def show_stopped(self, run_id: int, *, total: int, alarms: Sequence[Mapping[str, Any]], now: datetime) -> None:
        """WAITING or PREVIEWED → PREVIEWED: the run shows so many people whose changes were stopped."""
        values = {"state": RunState.PREVIEWED, "total": total, "surveyed_at": now, "survey_next_at": None}
        self._update(run_id, values=values | {"alarms": [dict(alarm) for alarm in alarms]})

    def set_stopped(self, run_id: int, stopped: Mapping[str, Any]) -> None:
        """Store what the run has left for a person to decide."""
        self._update(run_id, values={"stopped": dict(stopped)})

    def end_shown(self, run_id: int) -> bool:
        """PREVIEWED → RUNNING when none of the people whom it shows waits any more. The caller then asks for the
        close."""
        waits = exists().where(ItemTable.run_id == run_id, ItemTable.state.in_(OPEN_STATES))
        mine = (RunTable.trigger == Trigger.HELD, RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None))
        return self._update(run_id, *mine, ~waits, values={"state": RunState.RUNNING})

    # ── survey ────────────────────────────────────────────────────────────────────────────────────────────────────

    def claim_survey(self, run_id: int, *, now: datetime, lease_until: datetime) -> RunRow | None:
        """WAITING and due, or SURVEYING with a dead lease → SURVEYING with a new lease; starts are counted. None:
        another worker surveys, there is nothing left to survey, or the connection is paused."""
        free = or_(
            and_(RunTable.state == RunState.WAITING, RunTable.survey_next_at <= now),
            and_(RunTable.state == RunState.SURVEYING, RunTable.survey_lease_until < now),
        )
        values: dict[str, Any] = {
            "state": RunState.SURVEYING,
            "survey_attempt": RunTable.survey_attempt + 1,
            "survey_starts": RunTable.survey_starts + 1,
            "survey_lease_until": lease_until,
            "started_at": func.coalesce(RunTable.started_at, now),
        }
        works = select(ConnectionTable.id).where(~ConnectionTable.paused, ~ConnectionTable.needs_consent)
        allowed = (RunTable.ends_as.is_(None), RunTable.connection_id.in_(works))
        return self.get(run_id) if self._update(run_id, free, *allowed, values=values) else None

    def renew_survey(self, run_id: int, lease_until: datetime, *, attempt: int | None = None) -> bool:
        """Extend the survey's lease. False: the worker no longer holds the survey (the run was cancelled or failed, or,
        with `attempt` given, another worker took over)."""
        return self._changed(_RENEW, {"run_": run_id, "attempt_": attempt, "until_": lease_until}) == 1

    def postpone_survey(
        self,
        run_id: int,
        *,
        next_at: datetime,
        counts: bool,
        error_code: str | None,
        now: datetime,
        attempt: int | None = None,
    ) -> bool:
        """SURVEYING → WAITING until `next_at`, with the outbox row for then. `counts`: it counts as a failure."""
        values = {
            "state": RunState.WAITING,
            "survey_next_at": next_at,
            "survey_pushed_at": None,
            "survey_lease_until": None,
            "survey_starts": 0,
            "survey_failures": RunTable.survey_failures + (1 if counts else 0),
            "error_code": error_code,
        }
        if not self._update(run_id, *self._surveying(attempt), values=values):
            return False
        self.queue_survey(run_id, due_at=next_at, now=now)
        return True

    def queue_survey(self, run_id: int, *, due_at: datetime, now: datetime) -> None:
        attempt, queue = self._session.execute(
            select(RunTable.survey_attempt, RunTable.queue).where(RunTable.id == run_id)
        ).one()
        OutboxRepository(self._transaction, self._vault).add(
            OutboxKind.SURVEY, run_id, attempt=attempt, queue=queue, due_at=due_at, now=now
        )

    def queue_unclaimed_survey(self, run_id: int, *, now: datetime) -> None:
        """Queue a survey again whose job ended before it could claim it."""
        unclaimed = (RunTable.state == RunState.WAITING, RunTable.survey_next_at.is_not(None))
        if self._update(run_id, *unclaimed, values={"survey_pushed_at": None}):
            self.queue_survey(run_id, due_at=now, now=now)

    def plan_committed(
        self,
        run_id: int,
        *,
        state: RunState,
        total: int,
        now: datetime,
        attempt: int | None = None,
        without_item: WithoutItem | None = None,
    ) -> bool:
        """SURVEYING → PREVIEWED or RUNNING, in the transaction that added the items. `without_item`: those of `total`
        who are only counted.

        False: the worker no longer holds the survey and must roll back (by raising inside the unit of work).
        """
        values = {"state": state, "total": total, "survey_lease_until": None, "survey_starts": 0, "error_code": None}
        counted = without_item or WithoutItem()
        values |= {"equal": counted.equal, "left_out": dict(counted.left_out) or None, "surveyed_at": now}
        values |= {"only_target_changed": counted.only_target_changed}
        return self._update(run_id, *self._surveying(attempt), values=values)

    @staticmethod
    def _surveying(attempt: int | None) -> tuple[ColumnElement[bool], ...]:
        return _SURVEYING if attempt is None else (*_SURVEYING, RunTable.survey_attempt == attempt)

    def add_calls(self, run_id: int, calls: Mapping[System, int]) -> None:
        """Add to the counts of vendor requests that were sent on behalf of this run."""
        if any(calls.values()):
            counts = {f"{system.value}_": calls.get(system, 0) for system in System}
            self._run(_ADD_CALLS, {"run_": run_id, **counts})

    def add_missed(self, run_id: int, people: Sequence[Mapping[str, str]]) -> None:
        """Add people who had changed without a webhook telling, as [{"system", "id"}]; keeps the first MISSED_KEPT."""
        kept = self._session.scalar(select(RunTable.missed).where(RunTable.id == run_id)) or []
        self._update(run_id, values={"missed": [*kept, *map(dict, people)][:MISSED_KEPT]})

    # ── approval and end ──────────────────────────────────────────────────────────────────────────────────────────

    def approve(self, run_id: int, *, by: str, now: datetime, deadline_at: datetime) -> bool:
        """PREVIEWED → RUNNING; the time allowed to the run begins anew."""
        values = {"state": RunState.RUNNING, "approved_at": now, "approved_by": by, "deadline_at": deadline_at}
        waits = (RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None), RunTable.trial.is_(None))
        return self._update(run_id, *waits, values=values)

    def fail(self, run_id: int, code: str, now: datetime) -> bool:
        """Stop the run as a whole: WAITING items become FAILED with this code. False: it has ended or is ending.

        RUNNING items end by themselves, so a job finishes its own item before it calls this. The caller then asks for
        the close.
        """
        return self._end(run_id, RunState.FAILED, ItemState.FAILED, code=code, now=now)

    def cancel(self, run_id: int, now: datetime, *, code: str | None = None) -> bool:
        """Stop the run as `fail` does, but WAITING items become CANCELLED. `code`: why, if not because somebody wanted
        so."""
        return self._end(run_id, RunState.CANCELLED, ItemState.CANCELLED, code=code, now=now)

    def withdraw(self, run_id: int, code: str, now: datetime) -> bool:
        """Cancel a run that no person has approved; `code` says why. False: a person was quicker, or it has ended."""
        unapproved = RunTable.approved_at.is_(None)
        return self._end(run_id, RunState.CANCELLED, ItemState.CANCELLED, unapproved, code=code, now=now)

    def _end(
        self,
        run_id: int,
        ends_as: RunState,
        items: ItemState,
        *only: ColumnElement[bool],
        code: str | None,
        now: datetime,
    ) -> bool:
        live = (RunTable.finished_at.is_(None), RunTable.ends_as.is_(None), *only)
        if not self._update(run_id, *live, values={"ends_as": ends_as, "error_code": checked(code)}):
            return False
        ItemRepository(self._transaction, self._vault).end_waiting(run_id, state=items, error_code=code, now=now)
        return True

    def close(self, run_id: int, *, now: datetime) -> RunState | None:
        """Close a run at its end, once. Returns the result; None: it is not at its end, or another process closed it.

        Must be the first statement of a transaction of its own, after the last item's commit: one that began
        before would still see that item open.
        """
        if not self._changed(_CLOSE, {"run_": run_id, "now_": now}):
            return None
        items = ItemRepository(self._transaction, self._vault)
        counts = items.counts(run_id)
        result = self._result(run_id, counts)
        final = {state.value: count for state, count in counts.items()}
        changed = RunTable.only_target_changed + items.only_target_changed(run_id)
        values = {"state": result, "survey_lease_until": None, "counts": final, "only_target_changed": changed}
        self._update(run_id, values=values)
        return result

    def _result(self, run_id: int, counts: dict[ItemState, int]) -> RunState:
        ends_as, trigger = self._session.execute(
            select(RunTable.ends_as, RunTable.trigger).where(RunTable.id == run_id)
        ).one()
        # Both lists were read, or the one whom a webhook named was, and no employee needed a look.
        compared = not set(counts) - {ItemState.LEFT_OUT} and (trigger is Trigger.SCHEDULE or bool(counts))
        compared = compared and trigger.is_automatic
        if ends_as is not None:
            return ended_early(counts, ends_as)
        return RunState.SUCCEEDED if compared else result_of(counts)

    def closable(self) -> list[int]:
        """Runs at their end that no process has closed (a crash between two transactions)."""
        has_open = exists().where(ItemTable.run_id == RunTable.id, ItemTable.state.in_(OPEN_STATES))
        at_end = or_(RunTable.state == RunState.RUNNING, RunTable.ends_as.is_not(None))
        return list(self._session.scalars(select(RunTable.id).where(RunTable.finished_at.is_(None), at_end, ~has_open)))

    def _update(self, run_id: int, *where: ColumnElement[bool], values: dict[str, Any]) -> bool:
        return self._changed(update(RunTable).where(RunTable.id == run_id, *where).values(values)) == 1


def _gathering(connection_id: int, direction: Direction) -> tuple[ColumnElement[bool], ...]:
    return (RunTable.connection_id == connection_id, RunTable.direction == direction, *_is_gathering())


def _is_gathering() -> tuple[ColumnElement[bool], ...]:
    return (RunTable.state == RunState.WAITING, RunTable.gather_until.is_not(None), RunTable.ends_as.is_(None))


@cache
def _gathered_runs() -> Select[Any]:
    """Parameter: `now_`."""
    over = RunTable.gather_until <= bindparam("now_")
    return select(RunTable.id).where(*_gathered(None), over)


def _gathered(now: datetime | None) -> tuple[ColumnElement[bool], ...]:
    """The quiet window of a run that webhooks fill is over (None: over or not), and nothing holds it back."""
    over = () if now is None else (RunTable.gather_until <= now,)
    return (*_is_gathering(), *over, ~held_back())


def _mass_change_check_ready() -> tuple[ColumnElement[bool], ...]:
    """Every item of the run has ended or is parked with a plan."""
    unknown = exists().where(ItemTable.run_id == RunTable.id, ItemTable.state.in_(OPEN_STATES), ~is_parked())
    return (
        RunTable.gate == MassChangeCheck.CLOSED,
        RunTable.state == RunState.RUNNING,
        RunTable.ends_as.is_(None),
        ~unknown,
    )

"""The counters' queries: which runs to look at, what these have done so far, and what was counted of them before.

The transaction that counts a run also notes in the table `tallies`, under `meter.<run id>`, what it has counted. So a
repetition adds the difference and counts nothing twice. These rows go once the run is past and its number is behind the
watermark, the row `meter`: all runs up to that number have been seen.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, case, delete, func, insert, literal, select
from sqlalchemy.orm import InstrumentedAttribute

from app.domain.runs.run_state import FINAL_ITEM_STATES, FINAL_RUN_STATES, ItemState, RunState
from app.storage.metrics.counters import Labels, labels
from app.storage.repository import Repository
from app.storage.tables.automatic_models import CounterTable
from app.storage.tables.models import ItemTable, RunTable

ITEMS, RUNS, CALLS = "items", "runs", "vendor_calls"
ITEM_SECONDS, RUN_SECONDS = "item_seconds", "run_seconds"
BUCKETS: Mapping[str, tuple[float, ...]] = {
    ITEM_SECONDS: (0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
    RUN_SECONDS: (5, 15, 60, 300, 900, 3600, 14400, 86400),
}
"""Upper ends; a longer time counts under `ENDLESS`. A counter holds the count of one bucket; /metrics adds them up."""
ENDLESS = "+Inf"
MILLISECONDS = "_milliseconds"
"""Follows the name of a histogram in the name of the counter of its sum, in whole milliseconds."""
NO_CODE = "none"

_COUNTED = "meter"
_COUNTED_STATES = frozenset(FINAL_RUN_STATES | {RunState.RUNNING})
"""Runs whose items are counted. In an earlier state a survey that begins anew may still take its items back."""

Counts = Counter[tuple[str, Labels]]


@dataclass(frozen=True)
class RunTotal:
    """The counts of a run so far. `past`: the run ended a while ago, so nothing is added to it any more."""

    run_id: int
    past: bool
    counts: Counts = field(default_factory=Counter)


class CountedWork(Repository):
    """Part of `uow.metrics`."""

    def runs_to_count(self, *, limit: int) -> list[int]:
        """Runs that may have grown since they were counted last, and up to `limit` runs that were never counted."""
        tracked = self._tracked()
        new = select(RunTable.id).where(RunTable.id > self._watermark()).order_by(RunTable.id)
        unseen = [run_id for run_id in self._session.scalars(new.limit(limit + len(tracked))) if run_id not in tracked]
        return [*(run_id for run_id, past in sorted(tracked.items()) if not past), *unseen[:limit]]

    def run_totals(self, run_ids: Sequence[int], *, past_before: datetime) -> list[RunTotal]:
        """The counts of those runs that are still there (a run may have been erased)."""
        runs = list(self._session.scalars(select(RunTable).where(RunTable.id.in_(run_ids)).order_by(RunTable.id)))
        counts = {run.id: _of_run(run) for run in runs}
        counted = [run for run in runs if run.state in _COUNTED_STATES]
        self._add_items(counts, counted)
        return [
            RunTotal(run.id, run.finished_at is not None and run.finished_at < past_before, counts[run.id])
            for run in runs
        ]

    def advance(self, totals: Sequence[RunTotal]) -> Counts:
        """What the runs have added since they were counted last, which is noted as counted from now on. Never negative:
        a reading older than the one before adds nothing."""
        names = {_name(total.run_id): total for total in totals}
        before: dict[str, Counts] = {name: Counter() for name in names}
        tracked: dict[str, bool] = {}
        for record in self._session.scalars(select(CounterTable).where(CounterTable.name.in_(names))):
            found: dict[str, str] = json.loads(record.labels)
            if found:
                before[record.name][found.pop("of"), labels(**found)] = record.value
            else:
                tracked[record.name] = bool(record.value)
        grown: Counts = Counter()
        kept: list[dict[str, Any]] = []
        for name, total in names.items():
            new = total.counts - before[name]
            if tracked.get(name) or (name in tracked and not new and not total.past):
                continue
            grown.update(new)
            kept.append({"name": name, "labels": "{}", "value": int(total.past)})
            kept += [] if total.past else _rows(name, total.counts | before[name])
        self._session.execute(delete(CounterTable).where(CounterTable.name.in_([row["name"] for row in kept])))
        if kept:
            self._session.execute(insert(CounterTable), kept)
        return grown

    def finish_counting(self, *, created_before: datetime, now: datetime) -> None:
        """Move the watermark and forget the past runs behind it.

        The watermark moves over runs that are tracked and old enough that no lower number can still appear. Also notes
        when this was.
        """
        tracked, watermark = self._tracked(), self._watermark()
        query = select(RunTable.id, RunTable.created_at).where(RunTable.id > watermark).order_by(RunTable.id)
        for run_id, created_at in self._session.execute(query.limit(5000)):
            if run_id not in tracked or created_at >= created_before:
                break
            watermark = run_id
        done = [_name(run_id) for run_id, past in tracked.items() if past and run_id <= watermark]
        gone = self._erased([run_id for run_id, past in tracked.items() if not past])
        for start in range(0, len(done), 500):
            self._session.execute(delete(CounterTable).where(CounterTable.name.in_(done[start : start + 500])))
        self._session.execute(delete(CounterTable).where(CounterTable.name.in_([_name(run_id) for run_id in gone])))
        self._set(_COUNTED, watermark)
        self._set("metered_at", int(now.timestamp()))

    # ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _tracked(self) -> dict[int, bool]:
        """Run id → whether the run is past and counted for good."""
        query = select(CounterTable.name, CounterTable.value).where(
            CounterTable.name.like(f"{_COUNTED}.%"), CounterTable.labels == "{}"
        )
        return {int(name.partition(".")[2]): bool(value) for name, value in self._session.execute(query)}

    def _erased(self, run_ids: Sequence[int]) -> set[int]:
        there = set(self._session.scalars(select(RunTable.id).where(RunTable.id.in_(run_ids))))
        return set(run_ids) - there

    def _watermark(self) -> int:
        return self._session.scalar(select(CounterTable.value).where(CounterTable.name == _COUNTED)) or 0

    def _set(self, name: str, value: int) -> None:
        self._session.merge(CounterTable(name=name, labels="{}", value=value))
        self._session.flush()

    def _add_items(self, counts: Mapping[int, Counts], runs: Iterable[RunTable]) -> None:
        by_id = {run.id: run for run in runs}
        seconds = self._seconds(ItemTable.started_at, ItemTable.finished_at)
        bucket = case(
            (ItemTable.started_at.is_(None), None),
            *((seconds <= end, index) for index, end in enumerate(BUCKETS[ITEM_SECONDS])),
            else_=len(BUCKETS[ITEM_SECONDS]),
        ).label("bucket")
        query = (
            select(ItemTable.run_id, ItemTable.state, ItemTable.error_code, bucket, func.count(), func.sum(seconds))
            .where(ItemTable.run_id.in_(by_id), ItemTable.state.in_(FINAL_ITEM_STATES))
            .group_by(ItemTable.run_id, ItemTable.state, ItemTable.error_code, bucket)
        )
        for run_id, state, code, place, number, total in self._session.execute(query):
            run = by_id[run_id]
            counts[run_id][ITEMS, _item_labels(run, state, code)] += number
            if place is not None:
                _observe(counts[run_id], ITEM_SECONDS, run, place, number=number, seconds=float(total))

    def _seconds(
        self, start: InstrumentedAttribute[datetime | None], end: InstrumentedAttribute[datetime | None]
    ) -> ColumnElement[float]:
        if self._transaction.dialect.name == "postgresql":
            return func.extract("epoch", end - start).cast(Float)
        days: ColumnElement[float] = func.julianday(end) - func.julianday(start)
        return func.round(days * literal(86400.0), 3)  # julianday is exact to a few hundredths of a millisecond


def _of_run(run: RunTable) -> Counts:
    counts: Counts = Counter()
    counts[CALLS, labels(system="smarthr")] = run.smarthr_calls
    counts[CALLS, labels(system="freee")] = run.freee_calls
    if run.finished_at is not None:
        counts[RUNS, labels(direction=run.direction, trigger=run.trigger, state=run.state)] = 1
        counts[ITEMS, _item_labels(run, ItemState.UNCHANGED, None)] = run.equal
        for code, people in (run.left_out or {}).items():
            counts[ITEMS, _item_labels(run, ItemState.LEFT_OUT, code)] = people
        seconds = max((run.finished_at - run.created_at).total_seconds(), 0.0)
        ends = BUCKETS[RUN_SECONDS]
        place = next((index for index, end in enumerate(ends) if seconds <= end), len(ends))
        _observe(counts, RUN_SECONDS, run, place, number=1, seconds=seconds)
    return counts


def _item_labels(run: RunTable, state: ItemState, code: str | None) -> Labels:
    return labels(direction=run.direction, trigger=run.trigger, state=state, code=code or NO_CODE)


def _observe(counts: Counts, name: str, run: RunTable, place: int, *, number: int, seconds: float) -> None:
    ends = (*map(str, BUCKETS[name]), ENDLESS)
    where = {"direction": str(run.direction), "trigger": str(run.trigger)}
    counts[name, labels(**where, le=ends[place])] += number
    counts[name + MILLISECONDS, labels(**where)] += round(seconds * 1000)


def _name(run_id: int) -> str:
    return f"{_COUNTED}.{run_id}"


def _rows(name: str, counts: Counts) -> list[dict[str, Any]]:
    return [
        {"name": name, "labels": json.dumps({"of": of, **dict(pairs)}, sort_keys=True), "value": value}
        for (of, pairs), value in sorted(counts.items())
        if value
    ]

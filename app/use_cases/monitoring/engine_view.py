"""The engine room at a glance: what waits, what runs, what fails, and how vendors, broker and reconciler do.

It shows no personal data: only ids of runs, causes, counts and times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.domain.enums import System
from app.domain.ports import QueueDepth
from app.domain.runs.run_state import ItemState
from app.storage.metrics.engine_reading import Backlog, OpenRunRow
from app.use_cases.context import Context
from app.use_cases.monitoring.clocks import clocks
from app.use_cases.monitoring.snapshot import ConnectionMetrics, TokenDoorMeter, depths_now, metrics_of, token_door_of
from app.use_cases.shared.views import ClockView
from app.use_cases.upkeep.reconcile import LEADER

MINUTES, HOURS = 60, 24
MOST_RUNS = 20
MOST_CAUSES = 12


@dataclass(frozen=True)
class Span:
    """One bar of a chart: the time from `at` on. `parts`: name of each part of the bar → its count."""

    at: datetime
    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@dataclass(frozen=True)
class CauseCount:
    """How many people ended with one cause in the last day."""

    code: str
    by_state: Mapping[ItemState, int]

    @property
    def total(self) -> int:
        return sum(self.by_state.values())


@dataclass(frozen=True)
class Quarantined:
    """How many people automatic runs leave alone because of one cause."""

    connection: str
    name: str
    code: str
    people: int


@dataclass(frozen=True)
class EngineView:
    """What the engine room shows. `queues` None: the broker does not answer. `oldest_age`: how many seconds the oldest
    waiting job, webhook delivery, item or mail has waited; None: nothing waits. `reconciles`: a reconciler has been at
    work lately."""

    queues: tuple[QueueDepth, ...] | None
    backlog: Backlog
    oldest_age: float | None
    reconciles: bool
    ended: tuple[Span, ...]
    """Items that ended, per minute of the last hour; parts "well" and "troubled"."""
    received: tuple[Span, ...]
    """Webhook deliveries, per hour of the last day; parts are the values of System."""
    causes: tuple[CauseCount, ...]
    open_runs: int
    runs: tuple[OpenRunRow, ...]
    connections: tuple[ConnectionMetrics, ...]
    quarantine: tuple[Quarantined, ...]
    token_door: TokenDoorMeter
    skewed: tuple[ClockView, ...]
    """The processes on hosts whose clock is wrong."""

    @property
    def rate(self) -> float:
        """People per minute, averaged over the ten minutes before the current one."""
        return sum(span.total for span in self.ended[-11:-1]) / 10

    @property
    def failed_today(self) -> int:
        return sum(cause.by_state.get(ItemState.FAILED, 0) for cause in self.causes)

    @property
    def quarantined(self) -> int:
        return sum(each.people for each in self.quarantine)


def engine_view(ctx: Context) -> EngineView:
    """The engine room now. A broker that does not answer is shown as a finding and raises no error."""
    now = ctx.clock.now()
    queues = depths_now(ctx)
    with ctx.unit_of_work().reading() as uow:
        backlog = uow.metrics.backlog(now, leader=LEADER, mails_since=now - timedelta(hours=HOURS))
        minutes = uow.metrics.ended_per(60, since=_start(now, 60, MINUTES))
        hours = uow.metrics.received_per(3600, since=_start(now, 3600, HOURS))
        causes = uow.metrics.causes_since(now - timedelta(hours=HOURS))
        open_runs, runs = uow.metrics.open_runs(limit=MOST_RUNS)
        figures = uow.metrics.connections()
        troubles = uow.troubles.quarantined_causes()
        token_door = token_door_of(ctx, uow, figures)
        skewed = tuple(each for each in clocks(ctx, uow) if each.skewed)
    names = {each.id: (each.key, each.name) for each in figures}
    return EngineView(
        queues=queues,
        backlog=backlog,
        oldest_age=_oldest_age(backlog, now),
        reconciles=backlog.lead_until is not None and backlog.lead_until >= now,
        ended=_spans(
            {n: {"well": by.get(False, 0), "troubled": by.get(True, 0)} for n, by in minutes.items()},
            _start(now, 60, MINUTES),
            60,
            count=MINUTES,
            parts=("well", "troubled"),
        ),
        received=_spans(
            {n: {system.value: by.get(system, 0) for system in System} for n, by in hours.items()},
            _start(now, 3600, HOURS),
            3600,
            count=HOURS,
            parts=tuple(system.value for system in System),
        ),
        causes=_by_cause(causes),
        open_runs=open_runs,
        runs=tuple(runs),
        connections=tuple(metrics_of(ctx, each) for each in figures),
        quarantine=tuple(Quarantined(*names[each], code, people) for each, code, people in troubles if each in names),
        token_door=token_door,
        skewed=skewed,
    )


def _start(now: datetime, seconds: int, count: int) -> datetime:
    """The begin of the first of `count` whole spans; the last of these spans contains the present moment."""
    number = int(now.timestamp()) // seconds
    return datetime.fromtimestamp((number - count + 1) * seconds, UTC)


def _spans(
    found: Mapping[int, Mapping[str, int]], start: datetime, seconds: int, *, count: int, parts: tuple[str, ...]
) -> tuple[Span, ...]:
    """`count` spans in a row; spans in which nothing happened are included with zeros."""
    first = int(start.timestamp()) // seconds
    nothing = dict.fromkeys(parts, 0)
    return tuple(Span(start + timedelta(seconds=seconds * n), found.get(first + n, nothing)) for n in range(count))


def _by_cause(rows: list[tuple[str, ItemState, int]]) -> tuple[CauseCount, ...]:
    """The most frequent causes, the most frequent first."""
    by_code: dict[str, dict[ItemState, int]] = defaultdict(dict)
    for code, state, items in rows:
        by_code[code][state] = items
    causes = [CauseCount(code, by_state) for code, by_state in by_code.items()]
    return tuple(sorted(causes, key=lambda cause: (-cause.total, cause.code))[:MOST_CAUSES])


def _oldest_age(backlog: Backlog, now: datetime) -> float | None:
    waits = (backlog.outbox_since, backlog.unsorted_since, backlog.item_since, backlog.mails_since)
    since = min((each for each in waits if each is not None), default=None)
    return None if since is None else max((now - since).total_seconds(), 0.0)

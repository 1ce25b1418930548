"""Everything /metrics shows, read when Prometheus asks. When the database or the broker is away, the metrics say so
instead of raising an error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.domain.enums import System
from app.domain.errors import TemporaryError
from app.domain.ports import QueueDepth
from app.domain.runs.run_state import ItemState, RunState
from app.domain.vendors.rates import limiter_keys
from app.storage.metrics.counters import Labels as Labels
from app.storage.metrics.counters import labels
from app.storage.metrics.snapshot import ConnectionFigures, MailFigures
from app.storage.token_store import REFUSALS
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.intake.webhook_intake import COUNTER
from app.use_cases.monitoring.clocks import clocks, skew_by_host
from app.use_cases.queries.attention import counted_in
from app.use_cases.shared.outages import OUTAGES, met
from app.use_cases.shared.room import resting_connections
from app.use_cases.upkeep.heartbeat import living

log = structlog.get_logger(__name__)

NO_EVENT = "-"
"""Stands in place of the event's name for deliveries whose event we do not count by name: those refused before their
event was read, and those that are not sorted into items."""
DELIVERIES = COUNTER
TOKEN_REFUSALS = REFUSALS
ENDS_SOON = timedelta(minutes=30)
"""An access token that ends so soon should have been renewed already: pairs fall due for renewal earlier than that
(`domain.vendors.token_door`)."""
MISSED = "missed_webhooks"
"""The counter to which a survey adds the people whose change no webhook had told."""


@dataclass(frozen=True)
class ConnectionMetrics:
    """A connection, and how much of its vendors' rate limits is left."""

    figures: ConnectionFigures
    sweep_seconds: float
    closed_for: Mapping[System, float]
    silent_for: Mapping[System, float]
    remaining: Mapping[System, int]

    @property
    def state(self) -> str:
        """The same words as `ConnectionView.state`."""
        return "needs_consent" if self.figures.needs_consent else "paused" if self.figures.paused else "active"


@dataclass(frozen=True)
class TokenDoorMeter:
    """Whether freee's token endpoint lets this installation in. `closed_for`: seconds until it may be asked again.
    `refusals`: how many times in a row freee has refused. `ending`: connections whose access token has ended or ends
    within half an hour although renewing it needs no person."""

    closed_for: float
    refusals: int
    ending: int


@dataclass(frozen=True)
class DatabaseFigures:
    """The figures that come from the database. Ages are in seconds, 0.0 where nothing waits."""

    migrated: bool
    runs: Mapping[RunState, int]
    open_items: Mapping[ItemState, int]
    outbox_waiting: int
    outbox_oldest_age: float
    stopped: int
    attention: Mapping[tuple[int, str], int]
    """(connection, cause) → what waits for a person; connection 0: the installation itself."""
    unsorted: int
    unsorted_oldest_age: float
    gathering: int
    gathering_overdue: float
    items_oldest_age: float
    mails: MailFigures
    mails_oldest_age: float
    counters: Mapping[str, Mapping[Labels, int]]
    connections: tuple[ConnectionMetrics, ...]
    token_door: TokenDoorMeter
    skew_by_host: Mapping[str, float]
    house_rests: bool
    houses: int
    """How many houses live on this database; more than one is one too many."""


@dataclass(frozen=True)
class MetricsSnapshot:
    """All of /metrics. `figures` None: the database does not answer; `queues` None: the broker does not answer."""

    figures: DatabaseFigures | None
    queues: tuple[QueueDepth, ...] | None


def metrics_snapshot(ctx: Context) -> MetricsSnapshot:
    return MetricsSnapshot(_figures(ctx), depths_now(ctx))


def count_refusals(ctx: Context, refused: Mapping[tuple[System, str], int]) -> bool:
    """Add one web process's refusals to the shared counters. `refused`: (system, code) → webhook deliveries that this
    process has refused, or stored without sorting them into items, since it was asked last. False: the database did not
    take them, so the caller must keep them for the next time."""
    counts = {
        (COUNTER, labels(system=system.value, event=NO_EVENT, outcome=code)): number
        for (system, code), number in refused.items()
    }
    try:
        with ctx.unit_of_work() as uow:
            uow.counters.add(counts)
    except OUTAGES as error:
        log.warning("refusals_not_counted", kind=type(error).__name__)
        return False
    return True


def depths_now(ctx: Context) -> tuple[QueueDepth, ...] | None:
    """What waits in the broker; None, with a line in the log, when it does not answer."""
    try:
        return tuple(ctx.job_queue.depths())
    except TemporaryError as error:
        log.warning("broker_unavailable", code=error.code)
        return None


def _figures(ctx: Context) -> DatabaseFigures | None:
    now = ctx.clock.now()
    try:
        with ctx.unit_of_work().reading() as uow:
            waiting, oldest_outbox = uow.outbox.waiting(now, resting=resting_connections(ctx, uow))
            gathering, gathering_due = uow.metrics.gathering()
            mails = uow.metrics.mails()
            unsorted, oldest_unsorted = uow.metrics.unsorted()
            connections = uow.metrics.connections()
            return DatabaseFigures(
                migrated=uow.metrics.is_migrated(),
                runs=uow.metrics.runs_by_state(),
                open_items=uow.items.counts_of_open_runs(),
                outbox_waiting=waiting,
                outbox_oldest_age=oldest_outbox or 0.0,
                stopped=uow.stopped_changes.waiting_count(),
                attention=counted_in(ctx, uow),
                unsorted=unsorted,
                unsorted_oldest_age=_age(oldest_unsorted, now),
                gathering=gathering,
                gathering_overdue=_age(gathering_due, now),
                items_oldest_age=_age(uow.metrics.oldest_due(now), now),
                mails=mails,
                mails_oldest_age=_age(mails.oldest_waiting, now),
                counters=uow.metrics.counters(),
                connections=tuple(metrics_of(ctx, figures) for figures in connections),
                token_door=token_door_of(ctx, uow, connections),
                skew_by_host=skew_by_host(clocks(ctx, uow)),
                house_rests=ctx.household.standing().rests,
                houses=len({ctx.household.mark, *(each.house for each in living(ctx, uow))} - {None}),
            )
    except OUTAGES as error:
        met(error)
        return None


def metrics_of(ctx: Context, figures: ConnectionFigures) -> ConnectionMetrics:
    """The connection's figures, with what the limiter says is left of each vendor's limit."""
    keys = limiter_keys(figures.smarthr_subdomain, figures.freee_company_id)
    minutes = ctx.settings.sweep_minutes if figures.sweep_minutes is None else figures.sweep_minutes
    return ConnectionMetrics(
        figures=figures,
        sweep_seconds=minutes * 60,
        closed_for={system: ctx.limiter.closed_for(key) for system, key in keys.items()},
        silent_for={system: ctx.limiter.silent_for(key) for system, key in keys.items()},
        remaining={system: ctx.limiter.remaining(key) for system, key in keys.items()},
    )


def token_door_of(ctx: Context, uow: UnitOfWork, connections: Iterable[ConnectionFigures]) -> TokenDoorMeter:
    now = ctx.clock.now()
    door = uow.token_doors.look(ctx.settings.freee_client_id)
    soon = now + ENDS_SOON
    ending = [each for each in connections if not each.needs_consent and each.expires_at and each.expires_at < soon]
    return TokenDoorMeter(closed_for=door.opens_in(now), refusals=door.refusals, ending=len(ending))


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)

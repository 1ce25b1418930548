"""The families of /metrics: a MetricsSnapshot → what prometheus_client writes down.

Labels are closed lists, catalogue codes and numbers of connections: never a person, never a connection's key (it is
part of the webhook's address). Counters and histograms come from rows of the database, so they grow over restarts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from app.domain.enums import Direction, System
from app.domain.runs.queues import QUEUES
from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.monitoring.counters import (
    BUCKETS,
    CALLS,
    ENDLESS,
    ITEM_SECONDS,
    ITEMS,
    MILLISECONDS,
    RUN_SECONDS,
    RUNS,
)
from app.use_cases.monitoring.readiness import Readiness
from app.use_cases.monitoring.refused_jobs import COUNTER as REFUSED_JOBS
from app.use_cases.monitoring.refused_jobs import Reason
from app.use_cases.monitoring.snapshot import (
    DELIVERIES,
    MISSED,
    TOKEN_REFUSALS,
    ConnectionMetrics,
    DatabaseFigures,
    Labels,
    MetricsSnapshot,
)
from app.use_cases.shared.views import MailKind, MailState, RefreshState, WebhookState

Rows = Iterable[tuple[Sequence[str], float]]
"""(label values in the order of the labels, value)."""


def families(seen: MetricsSnapshot, ready: Readiness) -> Iterator[Metric]:
    yield from _broker(seen)
    checks = [((each.name,), float(each.ok)) for each in ready.findings]
    yield _gauge("awase_ready", "1 when this check of /health/ready finds nothing wrong", ["check"], checks)
    yield _one("awase_database_up", "1 when the database answers", float(seen.figures is not None))
    if seen.figures is None:
        return
    yield from _backlog(seen.figures)
    yield from _counters(seen.figures.counters, seen.figures.connections)
    yield from _vendors(seen.figures.connections)
    yield from _token_endpoint(seen.figures)
    yield _refused_jobs(seen.figures.counters)
    yield from _intake(seen.figures.connections)
    yield from _unreadable(seen.figures.connections)
    yield from _mails(seen.figures)
    yield _clocks(seen.figures)
    text = "1 while this process begins nothing, because the database belongs to another installation"
    yield _one("awase_house_resting", text, float(seen.figures.house_rests))
    yield _one("awase_houses", "Installations whose processes live on this database", seen.figures.houses)


def _broker(seen: MetricsSnapshot) -> Iterator[Metric]:
    yield _one("awase_broker_up", "1 when the broker answers", float(seen.queues is not None))
    for name, text in (
        ("waiting", "Jobs waiting"),
        ("running", "Jobs running"),
        ("failed", "Jobs failed in the broker"),
        ("workers", "Workers"),
    ):
        rows = [((depth.queue,), float(getattr(depth, name))) for depth in seen.queues or ()]
        yield _gauge(f"awase_queue_{name}", text, ["queue"], rows)
    ages = [((depth.queue,), depth.oldest_age or 0.0) for depth in seen.queues or ()]
    yield _gauge("awase_queue_oldest_age_seconds", "Age of the oldest job waiting", ["queue"], ages)


def _backlog(figures: DatabaseFigures) -> Iterator[Metric]:
    yield _one("awase_database_migrated", "1 when the database has what this version needs", float(figures.migrated))
    runs = [((str(s),), float(figures.runs.get(s, 0))) for s in RunState]
    yield _gauge("awase_runs", "Runs by state", ["state"], runs)
    items = [((str(s),), float(figures.open_items.get(s, 0))) for s in ItemState]
    yield _gauge("awase_open_items", "Items of open runs by state", ["state"], items)
    yield _one(
        "awase_items_oldest_age_seconds",
        "How long the item that waits longest could have begun",
        figures.items_oldest_age,
    )
    yield _one("awase_deliveries_unsorted", "Webhooks that the relay has not sorted into items yet", figures.unsorted)
    yield _one("awase_deliveries_unsorted_oldest_age_seconds", "Age of the oldest of them", figures.unsorted_oldest_age)
    yield _one("awase_gathering_runs", "Runs that webhooks are filling", figures.gathering)
    yield _one(
        "awase_gathering_overdue_seconds", "How long the oldest of them should have begun", figures.gathering_overdue
    )
    yield _one("awase_outbox_waiting", "Outbox rows not yet handed to the broker", figures.outbox_waiting)
    yield _one("awase_outbox_oldest_age_seconds", "Age of the oldest such row", figures.outbox_oldest_age)
    yield _one("awase_stopped_changes", "Changes that wait for a person's decision", figures.stopped)
    yield _attention(figures)
    moment = figures.counters.get("metered_at", {}).get((), 0)
    yield _one("awase_metered_timestamp_seconds", "When runs and items were last counted; 0: never", moment)


def _counters(counters: Mapping[str, Mapping[Labels, int]], known: Iterable[ConnectionMetrics]) -> Iterator[Metric]:
    tables = (
        ("awase_deliveries", "Webhooks received", DELIVERIES, ("system", "event", "outcome")),
        ("awase_runs", "Runs ended", RUNS, ("direction", "trigger", "state")),
        (
            "awase_items",
            "Employees of runs brought to an end, by cause",
            ITEMS,
            ("direction", "trigger", "state", "code"),
        ),
        ("awase_vendor_calls", "Requests sent to vendors on behalf of runs", CALLS, ("system",)),
    )
    for name, text, counted, labels in tables:
        yield _counter(name, text, labels, _ordered(counters.get(counted, {}), labels))
    missed = {(str(each.figures.id), system.value): 0.0 for each in known for system in System}
    missed |= {
        (values[0], values[1]): value for values, value in _ordered(counters.get(MISSED, {}), ("connection", "system"))
    }
    text = "People found changed by the comparison whom no webhook had named"
    yield _counter("awase_webhooks_missed", text, ("connection", "system"), missed.items())
    yield _histogram("awase_run_seconds", "From the beginning of a run to its end", RUN_SECONDS, counters)
    yield _histogram("awase_item_seconds", "From an employee's first start to the end", ITEM_SECONDS, counters)


def _vendors(connections: Sequence[ConnectionMetrics]) -> Iterator[Metric]:
    for system in System:
        rows = [((str(each.figures.id),), each.closed_for[system]) for each in connections]
        text = f"Seconds {system.value} stays closed for a connection (limits)"
        yield _gauge(f"awase_{system.value}_closed_seconds", text, ["connection"], rows)
    for system in System:
        rows = [((str(each.figures.id),), each.silent_for[system]) for each in connections]
        text = f"Seconds {system.value} is left alone because it answers a connection nothing"
        yield _gauge(f"awase_{system.value}_silent_seconds", text, ["connection"], rows)
    quota = [((s.value, str(each.figures.id)), float(each.remaining[s])) for each in connections for s in System]
    yield _gauge(
        "awase_vendor_quota_remaining",
        "Requests left in the longest window of the limit",
        ["system", "connection"],
        quota,
    )
    expires = [(each.figures.id, each.figures.expires_at) for each in connections]
    yield _moments("awase_freee_token_expires_timestamp_seconds", "When freee's access token ends", expires)
    refreshed = [(each.figures.id, each.figures.refreshed_at) for each in connections]
    yield _moments("awase_freee_token_refreshed_timestamp_seconds", "When it was last renewed", refreshed)
    refresh = {each.figures.id: each.figures.refresh_state for each in connections}
    yield _states("awase_freee_refresh_state", "State of freee's tokens", refresh, RefreshState)
    states = {each.figures.id: each.state for each in connections}
    yield _states("awase_connection_state", "State of a connection", states, ("active", "paused", "needs_consent"))


def _token_endpoint(figures: DatabaseFigures) -> Iterator[Metric]:
    refused: dict[tuple[str, ...], float] = {(str(status),): 0.0 for status in (429, 503)}
    refused |= dict(_ordered(figures.counters.get(TOKEN_REFUSALS, {}), ("status",)))
    text = "Requests that freee's token endpoint refused to hear"
    yield _counter("awase_freee_token_refusals", text, ("status",), refused.items())
    text = "Seconds freee's token endpoint is left alone by the whole installation"
    yield _one("awase_freee_token_door_closed_seconds", text, figures.token_door.closed_for)
    text = "Connections whose access token of freee has ended or ends within 30 minutes; not those that need a consent"
    yield _one("awase_freee_tokens_ending", text, figures.token_door.ending)


def _refused_jobs(counters: Mapping[str, Mapping[Labels, int]]) -> CounterMetricFamily:
    """With a zero for each that has not happened, so that the first one is an increase."""
    labels = ("queue", "reason")
    refused = {(queue, reason.value): 0.0 for queue in QUEUES for reason in Reason}
    refused |= {(values[0], values[1]): value for values, value in _ordered(counters.get(REFUSED_JOBS, {}), labels)}
    text = "What the workers found in the broker and dropped, because it is no job of ours"
    return _counter("awase_jobs_refused", text, labels, refused.items())


def _intake(connections: Sequence[ConnectionMetrics]) -> Iterator[Metric]:
    rows = [
        ((str(each.figures.id), str(direction)), float(direction in each.figures.automatic.directions))
        for each in connections
        for direction in Direction
    ]
    yield _gauge("awase_automatic", "1 when a connection syncs so by itself", ["connection", "direction"], rows)
    last = [
        ((str(each.figures.id), system.value), moment.timestamp())
        for each in connections
        for system, moment in each.figures.last_webhook.items()
        if moment is not None
    ]
    yield _gauge(
        "awase_webhook_last_seen_timestamp_seconds", "When the last webhook came in", ["connection", "system"], last
    )
    registered = {each.figures.id: each.figures.webhook_state for each in connections}
    yield _states("awase_webhook_registration", "State of the webhook at SmartHR", registered, WebhookState)
    done = [(each.figures.id, each.figures.sweep_done_at) for each in connections]
    yield _moments("awase_sweep_done_timestamp_seconds", "When both sides were last compared as a whole", done)
    period = [
        ((str(each.figures.id),), each.sweep_seconds) for each in connections if each.figures.automatic.directions
    ]
    yield _gauge("awase_sweep_interval_seconds", "How often they are to be compared", ["connection"], period)
    quarantined = [((str(each.figures.id),), float(each.figures.quarantined)) for each in connections]
    yield _gauge("awase_quarantined", "Employees that automatic runs leave alone", ["connection"], quarantined)


def _unreadable(connections: Sequence[ConnectionMetrics]) -> Iterator[Metric]:
    rows = [
        ((str(each.figures.id), system.value), float(number))
        for each in connections
        for system, number in each.figures.unreadable.items()
    ]
    text = "Attributes that had values and are shown for nobody any more; a person is asked why"
    yield _gauge("awase_unreadable_attributes", text, ["connection", "system"], rows)


def _attention(figures: DatabaseFigures) -> GaugeMetricFamily:
    """Also a connection for which nothing waits has a line, so that an end is a line that falls to 0."""
    found = {(str(each.figures.id), "any"): 0.0 for each in figures.connections}
    for (connection, cause), number in figures.attention.items():
        found[str(connection), cause] = float(number)
        found[str(connection), "any"] = found.get((str(connection), "any"), 0.0) + number
    text = "What waits for a person, by cause; any: all causes together; connection 0: the installation itself"
    return _gauge("awase_attention", text, ["connection", "cause"], found.items())


def _clocks(figures: DatabaseFigures) -> GaugeMetricFamily:
    rows = [((host,), skew) for host, skew in figures.skew_by_host.items()]
    text = "Seconds by which the clock of a host is ahead of the database's; negative: behind it"
    return _gauge("awase_clock_skew_seconds", text, ["host"], rows)


def _mails(figures: DatabaseFigures) -> Iterator[Metric]:
    counts = figures.mails.counts
    rows = [((str(k), str(s)), float(counts.get((k, s), 0))) for k in MailKind for s in MailState]
    yield _gauge("awase_mails", "Mails by kind and state", ["kind", "state"], rows)
    unsent = sum(counts.get((kind, state), 0) for kind in MailKind for state in (MailState.PENDING, MailState.SENDING))
    yield _one("awase_mails_waiting", "Mails not yet sent", unsent)
    yield _one("awase_mails_oldest_age_seconds", "Age of the oldest mail not yet sent", figures.mails_oldest_age)


# ── forms ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _one(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _gauge(name: str, text: str, labels: Sequence[str], rows: Rows) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in sorted(rows):
        family.add_metric(values, value)
    return family


def _moments(name: str, text: str, rows: Iterable[tuple[int, datetime | None]]) -> GaugeMetricFamily:
    """One moment per connection; a connection without such a moment is left out."""
    known = [((str(connection),), moment.timestamp()) for connection, moment in rows if moment is not None]
    return _gauge(name, text, ["connection"], known)


def _states(name: str, text: str, current: Mapping[int, str], states: Iterable[str]) -> GaugeMetricFamily:
    """1 for the state a connection is in, 0 for the others, so that a change is two lines of a graph."""
    every = list(states)
    rows = [((str(each), str(s)), float(state == s)) for each, state in current.items() for s in every]
    return _gauge(name, text, ["connection", "state"], rows)


def _counter(name: str, text: str, labels: Sequence[str], rows: Rows) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in sorted(rows):
        family.add_metric(values, value)
    return family


def _histogram(
    name: str, text: str, counted: str, counters: Mapping[str, Mapping[Labels, int]]
) -> HistogramMetricFamily:
    """A histogram from our tallies: each tally counts one bucket, while Prometheus wants a bucket and all below it."""
    labels = ("direction", "trigger")
    family = HistogramMetricFamily(name, text, labels=labels)
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for (direction, trigger, end), count in _ordered(counters.get(counted, {}), (*labels, "le")):
        found.setdefault((direction, trigger), {})[end] = count
    sums = dict(_ordered(counters.get(counted + MILLISECONDS, {}), labels))
    ends = (*map(str, BUCKETS[counted]), ENDLESS)
    for values, counts in sorted(found.items()):
        added = accumulate(counts.get(end, 0.0) for end in ends)
        family.add_metric(values, list(zip(ends, added, strict=True)), sums.get(values, 0.0) / 1000)
    return family


def _ordered(rows: Mapping[Labels, int], labels: Sequence[str]) -> list[tuple[tuple[str, ...], float]]:
    return [(tuple(dict(pairs).get(label, "") for label in labels), float(value)) for pairs, value in rows.items()]

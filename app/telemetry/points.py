"""The families of /metrics as OpenTelemetry's metrics: the same names, labels and values."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.core import CounterMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.samples import Sample

_GROWS = AggregationTemporality.CUMULATIVE
_UNKNOWN = 0
"""Since when: the counters outlive every process, and OTLP has a word for a beginning that nobody knows."""
_ENDLESS = "+Inf"


def metrics_data(families: Iterable[Family], *, resource: Resource, scope: InstrumentationScope) -> MetricsData:
    """All families at this moment."""
    now = time.time_ns()
    metrics = [metric for family in families for metric in _metric(family, now)]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def total(name: str, text: str, value: int) -> Family:
    """A counter of this process alone; its resource tells it from those of others."""
    family = CounterMetricFamily(name.removesuffix("_total"), text)
    family.add_metric([], value)
    return family


def _metric(family: Family, now: int) -> Iterator[Metric]:
    samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
    if not samples:
        return
    if family.type == "counter":  # by the name of its samples: a gauge of ours has the name of its family
        points = [_point(sample, now) for sample in samples]
        yield Metric(samples[0].name, family.documentation, "1", Sum(points, _GROWS, is_monotonic=True))
    elif family.type == "histogram":
        yield Metric(
            family.name, family.documentation, "s", Histogram(list(_histograms(family.name, samples, now)), _GROWS)
        )
    else:
        yield Metric(family.name, family.documentation, "", Gauge([_point(sample, now) for sample in samples]))


def _point(sample: Sample, now: int) -> NumberDataPoint:
    return NumberDataPoint(dict(sample.labels), _UNKNOWN, now, float(sample.value))


def _histograms(name: str, samples: Sequence[Sample], now: int) -> Iterator[HistogramDataPoint]:
    groups: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in samples:
        labels = tuple(sorted((key, value) for key, value in sample.labels.items() if key != "le"))
        groups.setdefault(labels, []).append(sample)
    for labels, group in groups.items():
        yield _histogram(name, dict(labels), group, now)


def _histogram(name: str, labels: Mapping[str, str], samples: Sequence[Sample], now: int) -> HistogramDataPoint:
    """Prometheus counts a bucket and all below it, OTLP each bucket alone."""
    below = [(sample.labels["le"], int(sample.value)) for sample in samples if sample.name == f"{name}_bucket"]
    counts = [0, *(count for _, count in below)]
    total_seconds = next((float(sample.value) for sample in samples if sample.name == f"{name}_sum"), 0.0)
    return HistogramDataPoint(
        dict(labels),
        _UNKNOWN,
        now,
        count=counts[-1],
        sum=total_seconds,
        bucket_counts=[after - before for before, after in pairwise(counts)],
        explicit_bounds=[float(end) for end, _ in below if end != _ENDLESS],
        min=None,  # type: ignore[arg-type]  # OTLP's own word for "not known"
        max=None,  # type: ignore[arg-type]
    )

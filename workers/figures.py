"""What /metrics shows, told to the collector: by one process, the leader, as the figures are those of all processes."""

from __future__ import annotations

from datetime import timedelta

from app.telemetry.process import tell_metrics
from app.use_cases.context import Context
from app.use_cases.monitoring.readiness import ReadinessWatch
from app.use_cases.monitoring.snapshot import metrics_snapshot
from app.use_cases.shared.leading import take_lead
from app.use_cases.shared.process_name import HOLDER
from app.web.ops.metric_families import families

LEADER = "telling figures"
FIGURES_SECONDS = 60.0
_LEASE = timedelta(seconds=150)


def tell_figures(ctx: Context, *, holder: str = HOLDER) -> bool:
    """Tell the figures of this moment. False: another process does."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if not take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=_LEASE):
            return False
    tell_metrics(list(families(metrics_snapshot(ctx), ReadinessWatch(ctx).readiness())))
    return True

"""The periodic jobs: `python -m workers.cron`. Any number may run; the reconciler's lease lets one of them lead.

It is a loop of our own instead of RQ's scheduler, because it has to work when the broker is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from app.config import Settings
from app.domain.errors import TemporaryError
from app.logs import configure_logging
from app.telemetry.process import telling
from app.use_cases.accounts.brakes import BRAKE_SECONDS, forget_brakes
from app.use_cases.connections.deletion import empty_deleted
from app.use_cases.context import Context
from app.use_cases.monitoring.counters import COUNT_SECONDS, count_once
from app.use_cases.survey.sweep import SECONDS, sweep_due
from app.use_cases.upkeep.bounds import SECONDS as BOUNDS_SECONDS
from app.use_cases.upkeep.bounds import keep_bounds
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.use_cases.upkeep.reconcile import reconcile_once
from app.use_cases.upkeep.rotation import RENEW_SECONDS, renew_leftovers
from app.use_cases.upkeep.token_keeping import DOUBT_SECONDS, KEEP_SECONDS, keep_tokens_alive, settle_doubts
from app.use_cases.upkeep.webhook_watch import CHECK_SECONDS, check_webhooks
from app.wiring import started_context
from workers.figures import FIGURES_SECONDS, tell_figures
from workers.loop import Stop, run_loop

EMPTY_SECONDS = 15.0
"""Between two looks for deleted connections whose data is still there."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Periodic:
    """One row of the table: which job runs, and every how many seconds."""

    name: str
    seconds: float
    work: Callable[[Context], object]


def table(settings: Settings) -> tuple[Periodic, ...]:
    """Every periodic job. A new one is a new row."""
    return (
        Periodic("reconcile", settings.reconcile_seconds, reconcile_once),
        Periodic("meter", COUNT_SECONDS, count_once),
        Periodic("keep_tokens_alive", KEEP_SECONDS, keep_tokens_alive),
        Periodic("settle_doubts", DOUBT_SECONDS, settle_doubts),
        Periodic("sweep", SECONDS, sweep_due),
        Periodic("check_webhooks", CHECK_SECONDS, check_webhooks),
        Periodic("keep_bounds", BOUNDS_SECONDS, keep_bounds),
        Periodic("empty_deleted", EMPTY_SECONDS, empty_deleted),
        Periodic("forget_brakes", BRAKE_SECONDS, forget_brakes),
        Periodic("renew_leftovers", RENEW_SECONDS, renew_leftovers),
        *((Periodic("tell_figures", FIGURES_SECONDS, tell_figures),) if settings.otel_exporter_otlp_endpoint else ()),
    )


class Timetable:
    """Runs the jobs that are due. `now` is a monotonic clock in seconds."""

    def __init__(self, rows: Sequence[Periodic], now: Callable[[], float] = time.monotonic) -> None:
        self._rows = rows
        self._now = now
        self._next = dict.fromkeys((row.name for row in rows), now())

    def run_due(self, ctx: Context) -> list[str]:
        """Run the due rows and return their names. Sets a row's next turn before it runs, so that a row that fails
        waits like the others. A row that has to wait for something keeps no other row from its turn."""
        due = [row for row in self._rows if self._next[row.name] <= self._now()]
        for row in due:
            self._next[row.name] = self._now() + row.seconds
            try:
                row.work(ctx)
            except TemporaryError as error:
                log.warning("periodic_job_waits", job=row.name, code=error.code)
        return [row.name for row in due]


def main() -> None:
    stop = Stop().on_signals()
    ctx = started_context()
    configure_logging(ctx.settings.log_level)
    timetable = Timetable(table(ctx.settings))
    with telling(ctx.settings, "cron"), Heartbeat(ctx, "cron"):
        run_loop(lambda: timetable.run_due(ctx), pause=min(1.0, ctx.settings.reconcile_seconds), stop=stop)


if __name__ == "__main__":
    main()

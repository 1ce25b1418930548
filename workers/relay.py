"""The relay process: `python -m workers.relay`. Any number may run; a job that two of them push runs only once."""

from __future__ import annotations

import time

from app.domain.errors import TemporaryError
from app.logs import configure_logging
from app.telemetry.process import telling
from app.use_cases.context import Context
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.use_cases.upkeep.relay import relay_items, relay_once
from app.wiring import started_context
from workers.loop import Stop, run_loop

PAUSE_SECONDS = 0.02
"""Between two looks at everything, beside the wait of `serve`; it grows while the database is away."""
ROUND_SECONDS = 0.05
"""Between two rounds for employees, so that many jobs that end together make one."""


def serve(ctx: Context, stop: Stop) -> None:
    """Look at everything once; then, until the next look at everything is due, hand over employees whenever a worker
    has ended a job. Without a broker it only waits."""
    end = time.monotonic() + ctx.settings.relay_seconds
    relay_once(ctx)
    while (left := end - time.monotonic()) > 0 and not stop.wait(0):
        try:
            has_room = ctx.job_queue.wait_for_room(left)
        except TemporaryError:
            stop.wait(left)
            return
        if has_room:
            relay_items(ctx)
            stop.wait(ROUND_SECONDS)


def main() -> None:
    stop = Stop().on_signals()
    ctx = started_context()
    configure_logging(ctx.settings.log_level)
    with telling(ctx.settings, "relay"), Heartbeat(ctx, "relay"):
        run_loop(lambda: serve(ctx, stop), pause=PAUSE_SECONDS, stop=stop)


if __name__ == "__main__":
    main()

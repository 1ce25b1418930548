"""One job in a process of its own: `python -m workers.alone sync_item 17 3`. Started by `workers.own_process` only.

It ends its job also when its worker is told to end or has died meanwhile: the lease in the database is its own.
"""

from __future__ import annotations

import signal
import sys

from app.domain.runs.queues import longest_seconds
from app.logs import configure_logging
from app.telemetry.process import telling
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.wiring import command_context
from workers import jobs

FUNCTIONS = {function.__name__: function for function in (jobs.survey_run, jobs.sync_item)}


def main() -> None:
    name, *args = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.alarm(longest_seconds(name))  # ends the process, whatever the job is doing
    ctx = command_context()
    configure_logging(ctx.settings.log_level)
    with telling(ctx.settings, "worker_alone"), Heartbeat(ctx, "worker_alone"):
        FUNCTIONS[name](*map(int, args))


if __name__ == "__main__":
    main()

"""The relay process: `python -m workers.relay`. Any number may run; a job that two of them push runs only once."""

from __future__ import annotations

from app.logs import configure_logging
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.use_cases.upkeep.relay import relay_once
from app.wiring import started_context
from workers.loop import Stop, run_loop


def main() -> None:
    stop = Stop().on_signals()
    ctx = started_context()
    configure_logging(ctx.settings.log_level)
    with Heartbeat(ctx, "relay"):
        run_loop(lambda: relay_once(ctx), pause=ctx.settings.relay_seconds, stop=stop)


if __name__ == "__main__":
    main()

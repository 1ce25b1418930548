"""The worker processes of one queue: `python -m workers.worker interactive` (or `bulk`).

It is RQ's own pool of SimpleWorkers: no fork per job, all modules imported once. Each process listens to exactly one
queue, because RQ loses jobs of a worker that listens to two (engine.md, finding 1). The pool replaces a worker that has
ended for any reason, because RQ's worker ends itself when the broker goes away during a job.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any

import structlog
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from app.config import Settings
from app.domain.runs.queues import BULK, INTERACTIVE, QUEUES
from app.logs import configure_logging
from app.wiring import connect_broker
from workers import jobs as jobs  # preloaded: the workers are forks of this process

log = structlog.get_logger(__name__)

MAINTENANCE_SECONDS = 60
"""How often RQ looks for jobs that dead workers left. Our own leases are quicker; this only keeps RQ's lists clean."""
_PARENT_CHECK_SECONDS = 1.0


class PatientWorker(SimpleWorker):
    """A SimpleWorker that ends with its pool, needs no scheduler, and keeps values out of logs and out of Redis."""

    log_job_description = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["maintenance_interval"] = MAINTENANCE_SECONDS
        super().__init__(*args, **kwargs)

    def work(self, *args: Any, **kwargs: Any) -> bool:
        _end_with_parent()
        kwargs["with_scheduler"] = False  # retries and delays are rows of ours; RQ would start a scheduler per worker
        return bool(super().work(*args, **kwargs))

    def procline(self, message: str) -> None:
        """Keep the command line of the Procfile, by which people and tools find a worker among the processes. Where
        setproctitle is installed, RQ would replace it with its own words."""

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a bug of ours: its place and its type. The exception's text may quote a value, so it is left out."""
        kind, _, trace = exc_info
        place = "".join(traceback.format_tb(trace))
        log.error("job_crashed", job_id=job.id, kind=kind.__name__, trace=place)

    def handle_job_failure(self, *args: Any, **kwargs: Any) -> None:
        """Blank the traceback, because RQ would keep the whole of it in Redis, with the exception's text."""
        if "exc_string" in kwargs:
            kwargs["exc_string"] = ""
        super().handle_job_failure(*args, **kwargs)


class OneQueuePool(WorkerPool):
    """A pool that stops its workers once: a second signal would make RQ break off running jobs."""

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        if self.status != self.Status.STOPPED:
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def _end_with_parent() -> None:
    """Give the worker its own process group and let it watch the pool.

    With its own group, Ctrl-C reaches only the pool, which asks each worker once. A worker whose pool is gone finishes
    its job and ends, instead of working on beside the pool that replaces the old one.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    parent = os.getppid()
    gone = threading.Event()

    def watch() -> None:
        while os.getppid() == parent:
            gone.wait(_PARENT_CHECK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def start_pool(queue: str, settings: Settings, *, burst: bool = False) -> None:
    """Work until told to stop (SIGTERM: running jobs end first), or with `burst` until the queue is empty."""
    number = {INTERACTIVE: settings.workers_interactive, BULK: settings.workers_bulk}[queue]
    pool = OneQueuePool(
        [queue],
        connection=connect_broker(settings),
        num_workers=number,
        worker_class=PatientWorker,
        serializer=JSONSerializer,
    )
    pool.start(burst=burst, logging_level="WARNING")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in QUEUES:
        sys.exit(f"usage: python -m workers.worker {'|'.join(QUEUES)}")
    settings = Settings.from_env()
    configure_logging(settings.log_level)
    log.info("worker_pool_started", queue=sys.argv[1])
    start_pool(sys.argv[1], settings)


if __name__ == "__main__":
    main()

"""The worker processes of one queue: `python -m workers.worker interactive` (or `bulk`).

It is RQ's own pool of processes, all modules imported once, with many threads in each (`workers.patient_worker`). The
pool's process reads nothing out of Redis; each worker looks at a job's bytes (`workers.guarded_job`) before anything
follows from them. Each process listens to exactly one queue, because RQ loses jobs of a worker that listens to two. The
pool replaces a worker that has ended for any reason.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import structlog
from rq.serializers import JSONSerializer

from app.config import Settings, SettingsError
from app.domain.runs.queues import BULK, INTERACTIVE, QUEUES
from app.logs import configure_logging
from app.signals import ignore_hangups
from app.telemetry.process import telling
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.wiring import admitted, connect_broker, get_context, keep_files_private
from workers.guarded_job import GuardedJob, GuardedQueue  # with the jobs: the workers are forks of this process
from workers.patient_worker import PatientWorker
from workers.pool import OneQueuePool

NEW_OBJECTS = 10_000
"""So many more objects than before are a reason to look for circles among them. A job makes some thousands and lets go
of nearly all; at Python's 700 every job was looked through a few times in vain."""

log = structlog.get_logger(__name__)


class AnnouncedWorker(PatientWorker):
    """A worker of the service: it tells that it lives, and which keys it knows."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        ctx, part = get_context(), f"worker_{'_'.join(self.queue_names())}"
        with telling(ctx.settings, part), Heartbeat(ctx, part):
            return super().work(*args, **kwargs)


def start_pool(queue: str, settings: Settings, *, burst: bool = False) -> None:
    """Work until told to stop (SIGTERM: running jobs end first), or with `burst` until the queue is empty."""
    gc.collect()
    gc.freeze()  # what has been imported stays: the workers share it, and no collection walks through it again
    gc.set_threshold(NEW_OBJECTS, 20, 20)
    number = {INTERACTIVE: settings.workers_interactive, BULK: settings.workers_bulk}[queue]
    kind = type("ThreadedWorker", (AnnouncedWorker,), {"threads": settings.worker_threads})
    pool = OneQueuePool(
        [queue],
        connection=connect_broker(settings),
        num_workers=number,
        worker_class=kind,
        job_class=GuardedJob,
        queue_class=GuardedQueue,
        serializer=JSONSerializer,
    )
    pool.start(burst=burst, logging_level="WARNING")


def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1] not in QUEUES:
        sys.exit(f"usage: python -m workers.worker {'|'.join(QUEUES)}")
    ignore_hangups()
    try:
        settings = admitted()
    except SettingsError as refused:
        sys.exit(str(refused))
    keep_files_private(settings)
    configure_logging(settings.log_level)
    log.info("worker_pool_started", queue=sys.argv[1])
    start_pool(sys.argv[1], settings)


if __name__ == "__main__":
    main()

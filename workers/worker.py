"""The worker processes of one queue: `python -m workers.worker interactive` (or `bulk`).

It is RQ's own pool of SimpleWorkers: no fork per job, all modules imported once. The pool's process reads nothing out
of Redis; each worker looks at a job's bytes (`workers.guarded_job`) before anything follows from them. Each process
listens to exactly one queue, because RQ loses jobs of a worker that listens to two when it is killed between taking a
job and marking it. The pool replaces a worker that has ended for any reason, because a worker ends itself when the
broker goes away during a job.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any

import redis
import structlog
from rq import Queue, SimpleWorker, worker_registration
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker_pool import WorkerPool

from app.config import Settings, SettingsError
from app.domain.runs.queues import BULK, INTERACTIVE, QUEUES
from app.logs import configure_logging
from app.signals import ignore_hangups
from app.use_cases.upkeep.heartbeat import Heartbeat
from app.wiring import admitted, connect_broker, get_context, keep_files_private
from workers.guarded_job import GuardedJob, GuardedQueue  # with the jobs: the workers are forks of this process
from workers.housekeeping import Housekeeping

log = structlog.get_logger(__name__)

MAINTENANCE_SECONDS = 60
"""How often a worker looks for what dead workers left. Our own leases are quicker; this only keeps RQ's lists clean."""
WAIT_SECONDS = 15
"""How long a worker waits for a job before it looks at the keys and at what it has to tell."""
_PARENT_CHECK_SECONDS = 1.0
_LONGEST_PAUSE = 5.0
_MOST_BAD_ROUNDS = 20
"""After so many rounds without a job in between, a new process under a new name tries (the pool starts it)."""


class PatientWorker(SimpleWorker):
    """A SimpleWorker that runs nothing but jobs of ours, ends with its pool, needs no scheduler, and keeps values out
    of logs and out of Redis.

    It does not listen to commands: RQ's channel takes shut-downs from whoever can publish, and nothing of ours sends
    any. It is stopped by signals only. It lives on when Redis holds what no worker can use: whatever goes wrong between
    two jobs is told, the keys are mended, and the next job is taken.
    """

    job_class = GuardedJob
    queue_class = GuardedQueue  # type: ignore[assignment]  # narrower than RQ's on purpose
    log_job_description = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["maintenance_interval"] = MAINTENANCE_SECONDS
        super().__init__(*args, **kwargs)
        (queue,) = self.queues
        if not isinstance(queue, GuardedQueue) or not issubclass(self.job_class, GuardedJob):
            raise TypeError("this worker takes guarded jobs only")
        self._queue = queue
        self._house = Housekeeping(self._queue, {self.key: "hash", self.executions_key: "set"})
        self._bad_rounds = 0

    @property
    def dequeue_timeout(self) -> int:
        return WAIT_SECONDS

    def work(self, burst: bool = False, logging_level: str | None = None, **_: Any) -> bool:  # type: ignore[override]
        """Take jobs until told to stop, or with `burst` until there is none. No scheduler is started: retries and
        delays are rows of ours. Not RQ's loop, because that one ends at the first thing it cannot read."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        _end_with_pool()
        self._house.mend()
        self.bootstrap(logging_level)
        try:
            while self._round(burst=burst):
                pass
        finally:
            self._queue.refusals.hand_over()
            self.teardown()  # type: ignore[no-untyped-call]
        return True

    def _round(self, *, burst: bool) -> bool:
        """Take one job and run it. False: the worker has to end. When the broker goes away during a job it ends too, so
        that the pool's next one registers with a broker that knows nobody any more."""
        try:
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()  # first, because it mends the keys that all the rest uses
            self.check_for_suspension(burst)
            taken = None if self._stop_requested else self._next(burst)
            if taken is None:
                return False
            self.execute_job(*taken)
            self.heartbeat()
        except StopRequested:
            return False
        except (redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("broker_unavailable", kind=type(error).__name__)
            return False
        except Exception as error:  # noqa: BLE001 - told below; whatever Redis holds must not end a worker
            return self._after(error)
        self._bad_rounds = 0
        return True

    def _next(self, burst: bool) -> tuple[Job, Queue] | None:
        return self.dequeue_job_and_maintain_ttl(None if burst else self.dequeue_timeout)

    def _after(self, error: Exception) -> bool:
        """Tell where it happened, without the text, which may quote a value; and let the keys be mended."""
        log.error("round_broken", code="round_broken", kind=type(error).__name__, trace=_place(error.__traceback__))
        self.executions.clear()
        self.last_cleaned_at = None
        self._bad_rounds += 1
        time.sleep(min(0.05 * 2**self._bad_rounds, _LONGEST_PAUSE) if self._bad_rounds > 1 else 0)
        return self._bad_rounds < _MOST_BAD_ROUNDS

    def run_maintenance_tasks(self) -> None:
        """Keep our lists clean, and register again if somebody has deleted that."""
        self._house.clean()
        with self.connection.pipeline() as pipe:
            worker_registration.register(self, pipe)
            pipe.hset(self.key, mapping=self.serialize())
            pipe.expire(self.key, self.worker_ttl + 60)
            pipe.execute()
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def subscribe(self) -> None:
        """No commands are listened to."""

    def increment_successful_job_count(self, pipeline: Any = None) -> None:
        """Written and not incremented, because what stands there may be no number."""
        self.successful_job_count += 1
        (pipeline or self.connection).hset(self.key, "successful_job_count", self.successful_job_count)

    def increment_failed_job_count(self, pipeline: Any = None) -> None:
        self.failed_job_count += 1
        (pipeline or self.connection).hset(self.key, "failed_job_count", self.failed_job_count)

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Any) -> None:
        self.total_working_time += job_execution_time.total_seconds()
        pipeline.hset(self.key, "total_working_time", self.total_working_time)

    def procline(self, message: str) -> None:
        """Keep the command line of the Procfile, by which people and tools find a worker among the processes. Where
        setproctitle is installed, RQ would replace it with its own words."""

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log a bug of ours: its place and its type. The exception's text may quote a value, so it is left out."""
        kind, _, trace = exc_info
        log.error("job_crashed", job_id=job.id, kind=kind.__name__, trace=_place(trace))

    def handle_job_failure(self, *args: Any, **kwargs: Any) -> None:
        """Blank the traceback, because RQ would keep the whole of it in Redis, with the exception's text."""
        if "exc_string" in kwargs:
            kwargs["exc_string"] = ""
        super().handle_job_failure(*args, **kwargs)


def _place(trace: TracebackType | None) -> str:
    return "".join(traceback.format_tb(trace))


class AnnouncedWorker(PatientWorker):
    """A worker of the service: it tells that it lives, and which keys it knows."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        with Heartbeat(get_context(), f"worker_{'_'.join(self.queue_names())}"):
            return super().work(*args, **kwargs)


class OneQueuePool(WorkerPool):
    """A pool that stops its workers once: a second signal would make RQ break off running jobs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._process = os.getpid()

    def request_stop(self, signum: int | None = None, frame: FrameType | None = None) -> None:
        if os.getpid() != self._process:
            raise SystemExit  # a worker that has not begun yet: it is a fork, and has inherited this handler
        if self.status != self.Status.STOPPED:
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]


def _end_with_pool() -> None:
    """Give the worker its own process group and let it watch the pool.

    With its own group, Ctrl-C reaches only the pool, which asks each worker once. A worker whose pool is gone finishes
    its job and ends, instead of working on beside the pool that replaces the old one. The pool may be gone before the
    worker gets here, so it is not the present parent that is watched.
    """
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    pool = multiprocessing.parent_process()
    parent = pool.pid if pool is not None else os.getppid()
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
        worker_class=AnnouncedWorker,
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

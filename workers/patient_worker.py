"""PatientWorker: one process, many threads, one queue.

Jobs wait for vendors most of the time, and a process of its own for each that waits costs 50 times the memory of a
thread. One thread takes jobs, and only while another one is free; each job runs in a thread; one thread tells Redis
that all of them live (`workers.books`).
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from datetime import timedelta
from types import TracebackType
from typing import Any, ClassVar

import redis
import structlog
from rq import SimpleWorker
from rq.exceptions import DequeueTimeout, StopRequested
from rq.executions import Execution
from rq.utils import now
from rq.worker import WorkerStatus

from app.domain.runs.queues import longest_seconds
from app.telemetry.process import flush
from workers.books import Books
from workers.crew import Crew
from workers.guarded_job import GuardedJob, GuardedQueue
from workers.housekeeping import Housekeeping
from workers.pool import end_with_pool

log = structlog.get_logger(__name__)

MAINTENANCE_SECONDS = 60
"""How often a worker looks for what dead workers left. Our own leases are quicker; this only keeps RQ's lists clean."""
WAIT_SECONDS = 1
"""How long a worker waits for a job before it looks whether it shall stop, is suspended, or has to tell something."""
_LONGEST_PAUSE = 5.0
_MOST_BAD_ROUNDS = 20
"""After so many rounds without a job in between, a new process under a new name tries (the pool starts it)."""
_STUCK = 70
"""Exit code of a process whose stuck job nothing else could end."""


class PatientWorker(SimpleWorker):
    """A worker that runs nothing but jobs of ours, ends with its pool, needs no scheduler, and keeps values out of logs
    and out of Redis.

    It does not listen to commands: RQ's channel takes shut-downs from whoever can publish, and nothing of ours sends
    any. It is stopped by signals only: it takes nothing more then, and ends after its last job. It lives on when Redis
    is away or holds what no worker can use: its jobs go on, whatever goes wrong between two of them is told, the keys
    are mended, and the next job is taken. No signal and no exception from outside breaks a job off, as both would
    strike in the middle of a write.
    """

    job_class = GuardedJob
    queue_class = GuardedQueue  # type: ignore[assignment]  # narrower than RQ's on purpose
    log_job_description = False
    threads: ClassVar[int] = 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["maintenance_interval"] = MAINTENANCE_SECONDS
        super().__init__(*args, **kwargs)
        (queue,) = self.queues
        if not isinstance(queue, GuardedQueue) or not issubclass(self.job_class, GuardedJob):
            raise TypeError("this worker takes guarded jobs only")
        self._queue = queue
        self._house = Housekeeping(self._queue, {self.key: "hash", self.executions_key: "set"})
        self._books = Books(self, queue)
        self._crew = Crew(self.threads)
        self._asked_to_stop = threading.Event()
        self._counting = threading.Lock()
        self._suspension_due = 0.0
        self._bad_rounds = 0

    @property
    def dequeue_timeout(self) -> int:
        return WAIT_SECONDS

    def work(self, burst: bool = False, logging_level: str | None = None, **_: Any) -> bool:  # type: ignore[override]
        """Take jobs until told to stop, or with `burst` until there is none; then let those that run end. No scheduler
        is started: retries and delays are rows of ours."""
        self._install_signal_handlers()
        end_with_pool()
        self._house.mend()
        self.bootstrap(logging_level)
        self._books.open()
        try:
            while self._round(burst=burst):
                pass
        finally:
            self._leave()
        return True

    def request_stop(self, *_: Any) -> None:
        """Take no more jobs. A second signal changes nothing, because running jobs are never broken off."""
        self._asked_to_stop.set()

    def _leave(self) -> None:
        all_done = self._crew.wait()
        self._books.close()
        self._queue.refusals.hand_over()
        try:
            self.teardown()  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            log.warning("broker_unavailable", kind=type(error).__name__)
        if not all_done:
            log.error("job_stuck", code="job_stuck", jobs=self._crew.busy)
            flush()
            os._exit(_STUCK)

    # ── taking jobs ───────────────────────────────────────────────────────────────────────────────────────────────

    def _round(self, *, burst: bool) -> bool:
        """Take one job and let a thread begin it. False: take no more."""
        if self._asked_to_stop.is_set() or self._crew.has_stuck_job:
            return False
        try:
            self._keep_house(burst=burst)
            return self._take(burst=burst)
        except StopRequested:
            return False
        except (redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("broker_unavailable", kind=type(error).__name__)
            self.last_cleaned_at = None  # a broker that comes back may know nobody any more
            self._rest()
            return not burst
        except Exception as error:  # noqa: BLE001 - told below; whatever Redis holds must not end a worker
            self._after(error)
            self._rest()
            return self._bad_rounds < _MOST_BAD_ROUNDS

    def _keep_house(self, *, burst: bool) -> None:
        if self.should_run_maintenance_tasks:
            self.run_maintenance_tasks()  # first, because it mends the keys that all the rest uses
        if time.monotonic() >= self._suspension_due:
            self._suspension_due = time.monotonic() + WAIT_SECONDS
            self.check_for_suspension(burst)
            self._show_state()

    def check_for_suspension(self, burst: bool) -> None:
        if not self._asked_to_stop.is_set():
            super().check_for_suspension(burst)

    def _take(self, *, burst: bool) -> bool:
        if not self._crew.thread_is_free(WAIT_SECONDS):
            return True
        begun = False
        try:
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()  # the job that had the thread may have found keys that have to be mended
            job = self._next(burst=burst)
            if job is not None:
                begun = self._begin(job)
        except DequeueTimeout:
            return True
        finally:
            if not begun:
                self._crew.let_go()
        return job is not None

    def _next(self, *, burst: bool) -> GuardedJob | None:
        """The next job. None: there is none, and `burst` does not wait. Raises DequeueTimeout."""
        taken = self._queue.dequeue_any([self._queue], None if burst else WAIT_SECONDS, connection=self.connection)
        return taken[0] if taken else None

    def _begin(self, job: GuardedJob) -> bool:
        job.redis_server_version = self.get_redis_server_version()  # type: ignore[no-untyped-call]
        execution = self._books.begin(job)
        self.executions[execution.id] = execution
        self._crew.begin(lambda: self._do(job, execution), longest=longest_seconds(job.func_name or ""))
        self._bad_rounds = 0
        return True

    def _show_state(self) -> None:
        """Say whether this worker is at work, when that has changed."""
        state = WorkerStatus.BUSY if self.executions else WorkerStatus.IDLE
        if state != self.get_state():
            self.set_state(state)

    def _rest(self) -> None:
        if self._bad_rounds > 1 or self.last_cleaned_at is None:
            self._asked_to_stop.wait(min(0.05 * 2**self._bad_rounds, _LONGEST_PAUSE))

    def _after(self, error: Exception) -> None:
        """Tell where it happened, without the text, which may quote a value; and let the keys be mended."""
        log.error("round_broken", code="round_broken", kind=type(error).__name__, trace=_place(error.__traceback__))
        self.last_cleaned_at = None
        self._bad_rounds += 1

    # ── in a thread of its own ────────────────────────────────────────────────────────────────────────────────────

    def _do(self, job: GuardedJob, execution: Execution) -> None:
        """Run one job and note its end. Whatever Redis holds or does must not take the thread from the next job."""
        try:
            self._run(job, execution)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            log.warning("broker_unavailable", kind=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - told below, as between two jobs
            self._after(error)
        finally:
            self.executions.pop(execution.id, None)

    def _run(self, job: GuardedJob, execution: Execution) -> None:
        try:
            job.perform()
        except BaseException as error:  # noqa: BLE001 - a bug of ours, whatever it is: told, and kept as failed
            self._failed(job, execution, error)
            return
        self._count(job, successful=1)
        self._books.end(job, execution)

    def _failed(self, job: GuardedJob, execution: Execution, error: BaseException) -> None:
        """Log a bug of ours: its place and its type. The exception's text may quote a value, so it is left out."""
        log.error("job_crashed", job_id=job.id, kind=type(error).__name__, trace=_place(error.__traceback__))
        job.ended_at = now()
        self._count(job, failed=1)
        self.handle_job_failure(job=job, queue=self._queue, exc_string="", execution=execution)
        self._books.tell_relay()

    def _count(self, job: GuardedJob, *, successful: int = 0, failed: int = 0) -> None:
        spent = now() - job.started_at if job.started_at else timedelta()
        with self._counting:
            self.successful_job_count += successful
            self.failed_job_count += failed
            self.total_working_time += spent.total_seconds()

    # ── what RQ would do otherwise ────────────────────────────────────────────────────────────────────────────────

    def _install_signal_handlers(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.request_stop)

    def run_maintenance_tasks(self) -> None:
        """Keep our lists clean, and register again if somebody has deleted that."""
        self._house.clean()
        self._books.beat()
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def subscribe(self) -> None:
        """No commands are listened to."""

    def increment_failed_job_count(self, pipeline: Any = None) -> None:
        """The books tell counts, as numbers of their own: what stands in Redis may be no number."""

    def increment_total_working_time(self, job_execution_time: timedelta, pipeline: Any) -> None:
        """As above."""

    def procline(self, message: str) -> None:
        """Keep the command line of the Procfile, by which people and tools find a worker among the processes. Where
        setproctitle is installed, RQ would replace it with its own words."""


def _place(trace: TracebackType | None) -> str:
    return "".join(traceback.format_tb(trace))

"""What Redis holds about one worker process and the jobs in its threads: as much as `rq info` shows and the recovery
needs, in RQ's own form.

RQ itself makes some 50 commands for a job. Here it is one pipeline when a job begins and one when it ends; whatever
only has to be fresh (signs of life, counts of jobs) is written by one thread for all jobs, every few seconds.
"""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import redis
import structlog
from rq import SimpleWorker, worker_registration
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.utils import current_timestamp, now, utcformat

from app.domain.runs.queues import ENDED_KEY
from workers.guarded_job import GuardedQueue, side_keys

log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0
LIFE_SECONDS = 90
"""So long after its process's last sign of life a job counts as abandoned in RQ's lists. Our own leases are quicker."""
_ENDED_SECONDS = 60


class Books:
    """The entries of one worker."""

    def __init__(self, worker: SimpleWorker, queue: GuardedQueue) -> None:
        self._worker = worker
        self._queue = queue
        self._broker: redis.Redis = queue.connection
        self._started = StartedJobRegistry(queue=queue).key
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="books", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(BEAT_SECONDS)

    def begin(self, job: Job) -> Execution:
        """Note that this worker runs the job, and take it off the way between queue and worker."""
        execution = Execution(uuid4().hex, job.id, self._broker, worker_name=self._worker.name)
        execution._job = job
        with self._broker.pipeline() as pipe:
            job.prepare_for_execution(self._worker.name, pipeline=pipe)
            pipe.persist(job.key)
            pipe.hset(execution.key, mapping=execution.serialize())
            pipe.expire(execution.key, LIFE_SECONDS)
            pipe.zadd(self._started, {execution.composite_key: current_timestamp() + LIFE_SECONDS})
            pipe.sadd(self._worker.executions_key, execution.composite_key)
            pipe.lrem(self._queue.intermediate_queue_key, 1, job.id)
            pipe.execute()
        return execution

    def end(self, job: Job, execution: Execution) -> None:
        """Forget the job, which has been done; nothing is kept of its result."""
        with self._broker.pipeline() as pipe:
            pipe.delete(job.key, execution.key, *side_keys(job.id.encode()))
            pipe.zrem(self._started, execution.composite_key)
            pipe.srem(self._worker.executions_key, execution.composite_key)
            self._tell_relay(pipe)
            pipe.execute()

    def tell_relay(self) -> None:
        """Tell the relay that a thread is free again, when `end` has not."""
        with self._broker.pipeline() as pipe:
            self._tell_relay(pipe)
            pipe.execute()

    @staticmethod
    def _tell_relay(pipe: Any) -> None:
        pipe.lpush(ENDED_KEY, 1)
        pipe.ltrim(ENDED_KEY, 0, 0)
        pipe.expire(ENDED_KEY, _ENDED_SECONDS)

    def beat(self) -> None:
        """Tell that the worker lives, with all its jobs, and register it anew if somebody has deleted that. A key of
        another kind than ours is left to the housekeeping."""
        worker, running = self._worker, list(self._worker.executions.values())
        worker.last_heartbeat = now()
        written = {
            **worker.serialize(),
            "last_heartbeat": utcformat(worker.last_heartbeat),
            "state": worker.get_state(),
            "successful_job_count": worker.successful_job_count,
            "failed_job_count": worker.failed_job_count,
            "total_working_time": worker.total_working_time,
        }
        with self._broker.pipeline(transaction=False) as pipe:
            worker_registration.register(worker, pipe)
            pipe.hset(worker.key, mapping=written)
            pipe.expire(worker.key, worker.worker_ttl + 60)
            pipe.expire(worker.executions_key, LIFE_SECONDS)
            for execution in running:
                pipe.expire(execution.key, LIFE_SECONDS)
                until = {execution.composite_key: current_timestamp() + LIFE_SECONDS}
                pipe.zadd(self._started, until, xx=True)
            pipe.execute(raise_on_error=False)

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                self.beat()
            except redis.RedisError as error:
                log.warning("broker_unavailable", kind=type(error).__name__)

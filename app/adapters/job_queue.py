"""RqJobQueue: carries ids to workers over RQ and keeps nothing that matters. No other adapter knows RQ.

RQ's own retries, callbacks and results are off, because the database decides what runs again: RQ keeps what it knows of
a job in Redis only, and loses it with a worker or a broker that dies at the wrong moment. The serializer is JSON, never
pickle. That alone stops nobody who can write to Redis: to RQ, a job is the name of anything that can be imported. What
runs is therefore decided where jobs are taken, by a table of functions (`workers.guarded_job`), and here nothing is
believed of what Redis holds: numbers are counted by the server, and the one text that is read is a moment, or it is
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import redis
import structlog
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcformat, utcparse
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from app.domain.errors import TemporaryError
from app.domain.ports import Clock, QueueDepth, QueuedJob
from app.domain.runs.queues import ENDED_KEY, FAILURE_SECONDS, JOB_SECONDS, QUEUES
from app.failpoints import failpoint

SERIALIZER = JSONSerializer

RESULT_TTL = 0
OLDEST_SECONDS = FAILURE_SECONDS
"""The greatest age that is told of a waiting job. A forged moment of the year 1 would be outside what dates can be."""

_PROOF = "awase:written"
_PROOF_SECONDS = 60
_MOMENT_BYTES = 32
_LONGEST_WAIT = 2.0
_JOB_ID = re.compile(r"[A-Za-z0-9_-]+")


log = structlog.get_logger(__name__)


class RqJobQueue:
    """The port JobQueue on one Redis."""

    def __init__(self, broker: redis.Redis, clock: Clock | None = None) -> None:
        """`clock`: the one by which all hosts go; None: this host's own, where there is only one."""
        self._broker = broker
        self._now = clock.now if clock is not None else lambda: datetime.now(UTC)

    def push(self, jobs: Sequence[QueuedJob]) -> None:
        """Push all jobs or none, in one MULTI; an id that comes twice in one call is pushed once.

        Raises TemporaryError("queue_unavailable") when Redis does not take them.
        """
        if not jobs:
            return
        for job in jobs:
            if job.queue not in QUEUES or not _JOB_ID.fullmatch(job.id):
                raise ValueError(f"not a job of ours: {job.id!r} for {job.queue!r}")
        try:
            with self._broker.pipeline() as pipe:
                for queue in QUEUES:
                    mine = {job.id: job for job in jobs if job.queue == queue}
                    if mine:
                        self._queue(queue).enqueue_many(map(_prepared, mine.values()), pipeline=pipe)
                    for job_id in mine:  # over RQ's own moment, which is this host's clock
                        pipe.hset(Job.key_for(job_id), "enqueued_at", utcformat(self._now()))
                failpoint("before_push", error=redis.ConnectionError)
                pipe.execute()
                failpoint("after_push", error=redis.ConnectionError)
        except redis.RedisError as error:
            raise TemporaryError("queue_unavailable", type(error).__name__) from None

    def depths(self) -> list[QueueDepth]:
        """One row per queue. Raises TemporaryError("queue_unavailable")."""
        try:
            return [self._depth(self._queue(name)) for name in QUEUES]
        except redis.RedisError as error:
            raise TemporaryError("queue_unavailable", type(error).__name__) from None

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until a worker has ended a job. Raises TemporaryError("queue_unavailable")."""
        try:
            return self._broker.blpop([ENDED_KEY], min(seconds, _LONGEST_WAIT)) is not None
        except redis.RedisError as error:
            raise TemporaryError("queue_unavailable", type(error).__name__) from None

    def takes_writes(self) -> bool:
        """Write one key that ends by itself. Raises TemporaryError("queue_unavailable") when no answer comes."""
        try:
            self._broker.set(_PROOF, 1, ex=_PROOF_SECONDS)
        except redis.ResponseError as error:  # full (OOM), a replica (READONLY), its disk is full (MISCONF)
            log.warning("broker_takes_no_writes", kind=type(error).__name__)
            return False
        except redis.RedisError as error:
            raise TemporaryError("queue_unavailable", type(error).__name__) from None
        return True

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._broker, serializer=SERIALIZER)

    def _depth(self, queue: Queue) -> QueueDepth:
        # Counted by the server: a look must not move jobs about (that is the workers' maintenance), nor fetch any.
        with self._broker.pipeline(transaction=False) as pipe:
            pipe.llen(queue.key)
            pipe.zcard(StartedJobRegistry(queue=queue).key)
            pipe.zcard(FailedJobRegistry(queue=queue).key)
            pipe.scard(WORKERS_BY_QUEUE_KEY % queue.name)
            pipe.lindex(queue.key, 0)
            waiting, running, failed, workers, head = pipe.execute()
        return QueueDepth(
            queue=queue.name,
            waiting=waiting,
            running=running,
            failed=failed,
            oldest_age=self._age(head) if head else None,
            workers=workers,
        )

    def _age(self, job_id: bytes) -> float | None:
        """Seconds since the job was pushed. None: a worker took it meanwhile, or it is none of ours."""
        key = Job.redis_job_namespace_prefix.encode() + job_id
        try:
            if not 0 < self._broker.hstrlen(key, "enqueued_at") <= _MOMENT_BYTES:
                return None
            queued_at = utcparse((self._broker.hget(key, "enqueued_at") or b"").decode())  # type: ignore[union-attr]
        except (ValueError, redis.ResponseError):
            return None
        return min(max((self._now() - queued_at).total_seconds(), 0.0), OLDEST_SECONDS)


def _prepared(job: QueuedJob):  # type: ignore[no-untyped-def]  # RQ exports no name for the result
    """The job for RQ. `description` is fixed because RQ would store the call with its arguments as text."""
    return Queue.prepare_data(
        job.function,
        args=job.args,
        timeout=JOB_SECONDS,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_SECONDS,
        description=job.function.rpartition(".")[2],
        job_id=job.id,
    )

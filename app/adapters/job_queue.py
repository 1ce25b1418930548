"""RqJobQueue: carries ids to workers over RQ and keeps nothing that matters. No other adapter knows RQ.

RQ's own retries, callbacks and results are off, because the database decides what runs again (engine.md A, findings 1
to 4). The serializer is JSON, never pickle, because a process that can write to Redis must not be able to run code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import redis
import structlog
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from app.domain.errors import TemporaryError
from app.domain.ports import QueueDepth, QueuedJob
from app.domain.runs.queues import QUEUES
from app.failpoints import failpoint

SERIALIZER = JSONSerializer

JOB_TIMEOUT = 900
"""Seconds after which RQ kills a job, as the last safety net. Leases and HTTP deadlines end honest jobs long before."""
RESULT_TTL = 0
FAILURE_TTL = 7 * 24 * 3600

_PROOF = "awase:written"
_PROOF_SECONDS = 60
_JOB_ID = re.compile(r"[A-Za-z0-9_-]+")


log = structlog.get_logger(__name__)


class RqJobQueue:
    """The port JobQueue on one Redis."""

    def __init__(self, broker: redis.Redis) -> None:
        self._broker = broker

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
        # cleanup=False: a look must not move jobs about, because that is the workers' maintenance.
        return QueueDepth(
            queue=queue.name,
            waiting=queue.count,
            running=StartedJobRegistry(queue=queue).get_job_count(cleanup=False),
            failed=FailedJobRegistry(queue=queue).get_job_count(cleanup=False),
            oldest_age=self._oldest_age(queue.get_job_ids(0, 1)),
            workers=Worker.count(queue=queue),
        )

    def _oldest_age(self, head: Iterable[str]) -> float | None:
        for job_id in head:
            try:
                queued_at = Job.fetch(job_id, connection=self._broker, serializer=SERIALIZER).enqueued_at
            except NoSuchJobError:
                return None  # a worker took it meanwhile
            return max((datetime.now(UTC) - queued_at).total_seconds(), 0.0) if queued_at else None
        return None


def _prepared(job: QueuedJob):  # type: ignore[no-untyped-def]  # RQ exports no name for the result
    """The job for RQ. `description` is fixed because RQ would store the call with its arguments as text."""
    return Queue.prepare_data(
        job.function,
        args=job.args,
        timeout=JOB_TIMEOUT,
        result_ttl=RESULT_TTL,
        failure_ttl=FAILURE_TTL,
        description=job.function.rpartition(".")[2],
        job_id=job.id,
    )

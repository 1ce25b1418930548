"""What RQ calls maintenance, done with nothing but keys and numbers.

RQ's own fetches the jobs it finds in its registries, runs their failure callbacks, queues what it takes for ready, and
ends its worker over an entry it cannot read. We use three of those lists: the queue, the jobs being run, and the failed
ones. These are kept clean; the rest is deleted when somebody has made it. Every worker does this by itself, because
each step may be done twice, and a lock in Redis could be held for ever by a stranger.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import redis
from rq import SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.job import JobStatus
from rq.job_lifecycle import record_job_failure
from rq.registry import (
    CanceledJobRegistry,
    DeferredJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ReadyJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.utils import current_timestamp
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

from app.domain.runs.queues import FAILURE_SECONDS, JOB_SECONDS
from app.use_cases.monitoring.refused_jobs import Reason
from workers.guard import Refused, is_job_id
from workers.guarded_job import GuardedQueue

AT_ONCE = 1000
"""Entries looked at in one pass."""
_UNUSED = (FinishedJobRegistry, DeferredJobRegistry, ReadyJobRegistry, ScheduledJobRegistry, CanceledJobRegistry)
_SLACK_SECONDS = 300
_WORKER = SimpleWorker.redis_worker_namespace_prefix.encode()


class Housekeeping:
    """The upkeep of one queue by one worker. `worker_keys`: the worker's own key → the kind it has to be."""

    def __init__(self, queue: GuardedQueue, worker_keys: dict[str, str]) -> None:
        self._queue = queue
        self._broker: redis.Redis = queue.connection
        self._started = StartedJobRegistry(queue=queue).key
        self._failed = FailedJobRegistry(queue=queue).key
        self._by_queue = WORKERS_BY_QUEUE_KEY % queue.name
        self._unused = [kind(queue=queue).key for kind in _UNUSED]
        self._seen_on_the_way: set[bytes] = set()
        self._kinds = {
            queue.key: "list",
            queue.intermediate_queue_key: "list",
            self._started: "zset",
            self._failed: "zset",
            self._by_queue: "set",
            REDIS_WORKER_KEYS: "set",
            queue.redis_queues_keys: "set",
            **worker_keys,
        }

    def mend(self) -> None:
        """Delete the keys we use that hold another kind of value than they should. Without this, one SET in place of a
        list would keep every worker from every job."""
        with self._broker.pipeline(transaction=False) as pipe:
            for key in self._kinds:
                pipe.type(key)
            found = [kind.decode() for kind in pipe.execute()]
        for key, kind in zip(self._kinds, found, strict=True):
            if kind not in ("none", self._kinds[key]):
                self._broker.delete(key)
                self._queue.refusals.note(Reason.KIND)

    def clean(self) -> None:
        """Bring the lists of the queue in order."""
        self.mend()
        self._forget_unused()
        self._fail_abandoned()
        self._forget_lost_on_the_way()
        self._forget_dead_workers()

    def _forget_unused(self) -> None:
        self._refuse(self._broker.delete(*self._unused))

    def _fail_abandoned(self) -> None:
        """Jobs whose worker has died are shown among the failed ones. Entries whose end lies further ahead than a job
        of ours can last are none of ours."""
        now = current_timestamp()
        for entry in cast("list[bytes]", self._broker.zrangebyscore(self._started, "-inf", now, start=0, num=AT_ONCE)):
            self._fail(entry.partition(b":")[0])
            self._broker.zrem(self._started, entry)
        self._forget_beyond(self._started, now + JOB_SECONDS + _SLACK_SECONDS)
        self._broker.zremrangebyscore(self._failed, "-inf", now)
        self._forget_beyond(self._failed, now + FAILURE_SECONDS + _SLACK_SECONDS)

    def _forget_beyond(self, key: str, end: int) -> None:
        self._refuse(self._broker.zremrangebyscore(key, f"({end}", "+inf"))

    def _refuse(self, number: object) -> None:
        self._queue.refusals.note(Reason.REGISTRY, number=cast("int", number))

    def _fail(self, raw: bytes) -> None:
        """Move the job to the failed ones, if it is one of ours and was being run."""
        try:
            if not is_job_id(raw):
                raise Refused(Reason.REGISTRY)
            job = self._queue.job_class.fetch(raw.decode(), connection=self._broker)
        except Refused as refused:
            self._queue.drop(raw, refused.reason)
            return
        except NoSuchJobError:
            return
        if job.get_status(refresh=False) == JobStatus.STARTED:
            with self._broker.pipeline() as pipe:
                record_job_failure(job, "", pipe)
                pipe.execute()

    def _forget_lost_on_the_way(self) -> None:
        """A worker that dies between taking a job and beginning it leaves its id on the way. Whatever was there in the
        pass before as well is lost; the reconciler queues the work again, under the same id."""
        key = self._queue.intermediate_queue_key
        now = set(cast("list[bytes]", self._broker.lrange(key, 0, AT_ONCE - 1)))
        for raw in now & self._seen_on_the_way:
            if job := self._queue.checked(raw):
                self._broker.expire(job.key, FAILURE_SECONDS)
            self._broker.lrem(key, 0, raw)  # type: ignore[arg-type]
        self._seen_on_the_way = now - self._seen_on_the_way

    def _forget_dead_workers(self) -> None:
        for registry in (self._by_queue, REDIS_WORKER_KEYS):
            members = self._some(registry)
            alive = {key for key in members if key.startswith(_WORKER) and self._broker.exists(key)}
            if gone := set(members) - alive:
                self._broker.srem(registry, *gone)

    def _some(self, key: str) -> Iterable[bytes]:
        return cast("list[bytes]", self._broker.srandmember(key, AT_ONCE))

"""GuardedJob and GuardedQueue: RQ's job and queue for brokers that strangers may write to.

A job runs when its hash is exactly one of ours (`workers.guard`), and then it is a function of the table in
`workers.jobs` with whole numbers: its name is looked up there and never imported. All that RQ would otherwise turn into
action is a constant here: no callbacks, no instance, no webhooks, no dependents, no retries, no repetitions, no groups,
no limits on rates, and JSON whatever serializer RQ asks for. What is refused is deleted, counted and told, and nothing
is lost by that: the work stands in the database, and the reconciler queues it again.

Both classes have to be named wherever RQ makes jobs out of what Redis holds: for the workers by `workers.worker`, for
RQ's own tools by RQ_JOB_CLASS and RQ_QUEUE_CLASS (docs/ops/runbook.md), because `rq info` cleans registries, and the
cleaning of a stock RQ runs the failure callback of whatever job stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.executions import ExecutionRegistry
from rq.job import Job, parse_job_id
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import get_version

from app.domain.runs.queues import FAILURE_SECONDS, JOB_SECONDS
from app.use_cases.monitoring.refused_jobs import Reason
from workers import jobs
from workers.guard import FIELDS, MOST_BYTES, MOST_FIELDS, Functions, Refused, call_of, is_job_id
from workers.refusals import Refusals

_LEAST_FOR_MOVE = (6, 2, 0)
_JOBS = Job.redis_job_namespace_prefix.encode()


class GuardedJob(Job):
    """One call of the table. Reading anything else out of Redis raises Refused."""

    functions: ClassVar[Functions] = jobs.FUNCTIONS

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None) -> None:
        super().__init__(id, connection=connection, serializer=JSONSerializer)

    @classmethod
    def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> GuardedJob:
        """The job. Raises NoSuchJobError when there is none, and Refused when there is another thing."""
        job_id = parse_job_id(id)
        if not is_job_id(job_id.encode()):
            raise Refused(Reason.JOB_ID)
        job = cls(job_id, connection=connection)
        job.refresh()
        return job

    @classmethod
    def fetch_many(cls, job_ids: Iterable[str], connection: Any, serializer: Any = None) -> list[Job | None]:
        return [cls._fetch_or_none(job_id, connection) for job_id in job_ids]

    @classmethod
    def _fetch_or_none(cls, job_id: str, connection: Any) -> GuardedJob | None:
        try:
            return cls.fetch(job_id, connection=connection)
        except NoSuchJobError:
            return None

    def refresh(self) -> None:
        self.restore(_hash_of_ours(self.connection, self.key))

    def restore(self, raw_data: Mapping[str, bytes]) -> None:
        """Take over the call. Every other attribute (callbacks, webhooks, dependencies, retries, repetitions, meta,
        group, limit on its rate) keeps the nothing that `__init__` gave it, or is this version's constant."""
        call = call_of(raw_data, self.functions)
        self.func_name, self.args, self.kwargs, self.instance = call.function, list(call.args), {}, None
        self.origin, self._status = call.origin, call.status
        self.created_at, self.enqueued_at = call.created_at, call.enqueued_at
        self.timeout, self.result_ttl, self.failure_ttl = JOB_SECONDS, 0, FAILURE_SECONDS
        self.description = call.function.rpartition(".")[2]

    @property
    def func(self) -> Callable[..., object]:
        return self.functions[self.func_name or ""]

    def delete(self, pipeline: Any = None, remove_from_queue: bool = True, delete_dependents: bool = False) -> None:
        """Delete the hash and what hangs on it, without reading any of it: RQ would fetch executions, groups and
        dependents by what Redis says of them."""
        connection = pipeline if pipeline is not None else self.connection
        connection.delete(self.key, *side_keys(self.id.encode()))
        connection.zrem(self.failed_job_registry.key, self.id)


def _hash_of_ours(broker: redis.Redis, key: str) -> dict[str, bytes]:
    """The fields of the hash that are ours. Sizes are asked first, so that a hash of any size costs us little. Raises
    Refused, and NoSuchJobError when there is no such key."""
    try:
        with broker.pipeline() as pipe:
            pipe.hlen(key)
            for name in FIELDS:
                pipe.hstrlen(key, name)
            number, *sizes = pipe.execute()
        if not number:
            raise NoSuchJobError(key)
        if number > MOST_FIELDS or max(sizes) > MOST_BYTES:
            raise Refused(Reason.TOO_LARGE)
        values: list[bytes | None] = broker.hmget(key, list(FIELDS))  # type: ignore[assignment]
    except redis.ResponseError as error:
        raise _wrong_kind(error) from None
    found = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
    if len(found) != number:
        raise Refused(Reason.FIELDS)
    return found


def _wrong_kind(error: redis.ResponseError) -> Exception:
    return Refused(Reason.KIND) if "WRONGTYPE" in str(error) else error


def side_keys(job_id: bytes) -> list[bytes]:
    """The keys beside a job's hash in which RQ looks for dependents, executions and results. Ours has none of them
    before it runs."""
    return [
        _JOBS + job_id + b":dependents",
        _JOBS + b":" + job_id + b":dependencies",
        ExecutionRegistry.key_template.format("").encode() + job_id,
        Result.get_key("").encode() + job_id,  # type: ignore[no-untyped-call]
    ]


class GuardedQueue(Queue):
    """A queue out of which only GuardedJobs come. Drops and counts the rest, and queues nothing because of a job."""

    job_class = GuardedJob
    refusals_class = Refusals

    def __init__(self, name: str = "default", connection: Any = None, **kwargs: Any) -> None:
        given = kwargs.pop("job_class", None) or self.job_class
        if not issubclass(given, GuardedJob):
            raise TypeError("a guarded queue has guarded jobs")
        kwargs["serializer"] = JSONSerializer
        super().__init__(name, connection=connection, job_class=given, **kwargs)
        self.refusals = self.refusals_class(name)

    @classmethod
    def dequeue_any(  # type: ignore[override]  # one queue, and ours
        cls, queues: Iterable[GuardedQueue], timeout: int | None, connection: Any, **_kwargs: Any
    ) -> tuple[GuardedJob, GuardedQueue] | None:
        """The next job of the one queue. Raises DequeueTimeout when none comes within `timeout` seconds; None means
        not to wait, and then None is the answer."""
        (queue,) = queues
        while True:
            queue.refusals.hand_over_if_due()
            taken = queue._take(timeout)
            if taken is None:
                return None
            job = queue.checked(taken)
            if job is not None:
                return job, queue

    def _take(self, timeout: int | None) -> bytes | None:
        if get_version(self.connection) >= _LEAST_FOR_MOVE:
            taken = self.lmove(self.connection, self.key, timeout)
        else:
            taken = self.lpop([self.key], timeout, connection=self.connection)
        return taken[1] if taken else None

    def checked(self, raw: bytes) -> GuardedJob | None:
        """The job of this entry, if it is one of ours. None: there is none, or it was dropped."""
        try:
            if not is_job_id(raw):
                raise Refused(Reason.JOB_ID)
            job: GuardedJob = self.job_class.fetch(raw.decode(), connection=self.connection)
            if job.origin != self.name:
                raise Refused(Reason.QUEUE)
        except Refused as refused:
            self.drop(raw, refused.reason)
            return None
        except NoSuchJobError:
            self.connection.lrem(self.intermediate_queue_key, 1, raw)  # type: ignore[arg-type]
            return None
        self.connection.delete(*side_keys(raw))
        return job

    def drop(self, raw: bytes, reason: Reason) -> None:
        """Delete the entry and all that goes with it, and tell of it."""
        with self.connection.pipeline() as pipe:
            pipe.lrem(self.intermediate_queue_key, 0, raw)  # type: ignore[arg-type]
            pipe.zrem(self.failed_job_registry.key, raw)
            pipe.delete(_JOBS + raw, *side_keys(raw))
            pipe.execute(raise_on_error=False)  # a key of another kind is mended by the next housekeeping
        self.refusals.note(reason, raw)

    def move_dependents_to_ready(self, *_args: Any, **_kwargs: Any) -> dict[str, list[str]]:
        return {}  # our jobs have none

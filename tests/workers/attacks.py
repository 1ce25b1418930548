"""Everything a writer into Redis can do to RQ 3.0.0, as a table: what is written, and what stock RQ makes of it.

A trap is what must not happen: a file is created, a module is imported, a request arrives, a result is stored. Attacks
write into the queue `interactive` behind the name of the attack; the test puts a genuine job behind them.
"""

from __future__ import annotations

import json
import pickle
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import redis

JOBS = "tests.workers.jobs_of_tests"
QUEUE = "rq:queue:interactive"
ON_THE_WAY = "rq:queue:interactive:intermediate"
JOB = "rq:job:evil"
LONG_AGO = "2026-11-22T03:00:00.000000Z"


@dataclass(frozen=True)
class Traps:
    """Where an attack would show. `module` can be imported and writes `folder`/imported when it is."""

    folder: Path
    module: str
    url: str

    @property
    def file(self) -> Path:
        return self.folder / "ran"

    @property
    def touch(self) -> str:
        return f"touch {self.file}"


class Pickled:
    """What creates the file when it is unpickled."""

    def __init__(self, traps: Traps) -> None:
        self._command = traps.touch

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os.system, (self._command,)


def data(
    function: object = f"{JOBS}.note", *arguments: object, instance: object = None, by_name: object = None
) -> bytes:
    return zlib.compress(json.dumps([function, instance, list(arguments), by_name or {}]).encode())


def genuine(**changed: object) -> dict[str, object]:
    """The hash of a job as we push it, with other fields."""
    fields = {
        "data": data(f"{JOBS}.note", 13),
        "origin": "interactive",
        "status": "queued",
        "description": "note",
        "created_at": LONG_AGO,
        "enqueued_at": LONG_AGO,
        "started_at": "",
        "ended_at": "",
        "last_heartbeat": "",
        "worker_name": "",
        "group_id": "",
        "success_callback_name": "",
        "failure_callback_name": "",
        "stopped_callback_name": "",
        "timeout": "900",
        "result_ttl": "0",
        "failure_ttl": "604800",
    }
    return {name: value for name, value in (fields | changed).items() if value is not None}


Plant = Callable[[redis.Redis, Traps], object]


def queued(**changed: Callable[[Traps], object] | object) -> Plant:
    """A job in the queue. A callable makes its value of the traps."""

    def plant(broker: redis.Redis, traps: Traps) -> None:
        values = {name: value(traps) if callable(value) else value for name, value in changed.items()}
        broker.hset(JOB, mapping=genuine(**values))  # type: ignore[arg-type]
        broker.rpush(QUEUE, "evil")

    return plant


def calling(function: str, argument: Callable[[Traps], str]) -> Plant:
    return queued(data=lambda traps: data(function, argument(traps)))


def webhook(status: str) -> Callable[[Traps], str]:
    return lambda traps: json.dumps([{"url": traps.url, "job_status": status}])


def abandoned(broker: redis.Redis, traps: Traps) -> None:
    fields = genuine(status="started", failure_callback_name=f"{traps.module}.anything")
    broker.hset(JOB, mapping=fields)  # type: ignore[arg-type]
    broker.zadd("rq:wip:interactive", {"evil:execution": 1})


def ready(broker: redis.Redis, traps: Traps) -> None:
    fields = genuine(status="ready_to_enqueue", data=data("os.system", traps.touch))
    broker.hset(JOB, mapping=fields)  # type: ignore[arg-type]
    broker.zadd("rq:ready:interactive", {"evil": 1})


def dependent(broker: redis.Redis, traps: Traps) -> None:
    queued()(broker, traps)
    broker.sadd(f"{JOB}:dependents", "worse")
    fields = genuine(status="deferred", data=data("os.system", traps.touch), dependency_ids='["evil"]')
    broker.hset("rq:job:worse", mapping=fields)  # type: ignore[arg-type]


def pickled_on_the_way(broker: redis.Redis, traps: Traps) -> None:
    """RQ's pool makes its queues without our serializer, so their upkeep unpickles."""
    broker.hset(JOB, mapping=genuine(meta=pickle.dumps(Pickled(traps))))  # type: ignore[arg-type]
    broker.rpush(ON_THE_WAY, "evil")


def stuck_on_the_way(broker: redis.Redis, traps: Traps) -> None:
    """The upkeep fails a job that is stuck, and queues what depends on it."""
    dependent(broker, traps)
    broker.lrem(QUEUE, 1, "evil")
    broker.hset("rq:job:worse", "allow_dependency_failures", "1")
    broker.rpush(ON_THE_WAY, "evil")
    broker.set(f"{ON_THE_WAY}:first_seen:evil", time.time() - 120)


CODE: dict[str, Plant] = {
    "os.system as the job": calling("os.system", lambda traps: traps.touch),
    "exec as the job": calling("exec", lambda traps: f"open({str(traps.file)!r}, 'w')"),
    "a function that leads to another of its module": calling(f"{JOBS}.Path.touch", lambda traps: str(traps.file)),
    "a module that runs when it is imported": calling("trap_module.nothing", lambda traps: ""),
    "a success callback": queued(success_callback_name=lambda traps: f"{traps.module}.anything"),
    "a failure callback": queued(
        data=data(f"{JOBS}.fail", 1), failure_callback_name=lambda traps: f"{traps.module}.anything"
    ),
    "a failure callback, no job run": abandoned,
    "a string with a method as the instance": queued(
        data=data("upper", instance="a method was called"), result_ttl="500"
    ),
    "a webhook when it is done": queued(webhooks=webhook("finished")),
    "a webhook when it fails": queued(data=data(f"{JOBS}.fail", 1), webhooks=webhook("failed")),
    "a dependent": dependent,
    "a job that is ready": ready,
    "a pickle on the way": pickled_on_the_way,
    "a dependent of a job on the way": stuck_on_the_way,
}
"""Attacks that make stock RQ do what Redis says: something shows in a trap."""


def key(name: str, kind: str) -> Plant:
    """A key of another kind than RQ expects, with a job behind it."""

    def plant(broker: redis.Redis, traps: Traps) -> None:
        if name not in (QUEUE, JOB):
            queued()(broker, traps)
        broker.delete(name)
        if kind == "text":
            broker.set(name, "x")
        else:
            broker.rpush(name, "x")
        if name == JOB:
            broker.rpush(QUEUE, "evil")

    return plant


def entry(value: bytes | str) -> Plant:
    return lambda broker, _traps: broker.rpush(QUEUE, value)


def member(registry: str, value: bytes | str, score: float = 1) -> Plant:
    return lambda broker, _traps: broker.zadd(f"rq:{registry}:interactive", {value: score})


def deep(_traps: Traps) -> bytes:
    return zlib.compress(b"[" * 995)


NUMBERS = ("result_ttl", "failure_ttl", "timeout", "ttl", "retries_left", "number_of_retries", "repeats_left")
NUMBERS += ("success_callback_timeout", "failure_callback_timeout", "stopped_callback_timeout", "enqueue_at_front")
NUMBERS += ("allow_dependency_failures", "enqueue_at_front_on_retry", "rate_limit_concurrency")
TEXTS = ("status", "origin", "worker_name", "group_id", "description", "dependency_id", "rate_limit_key", "exc_info")
TEXTS += ("success_callback_name", "failure_callback_name", "stopped_callback_name")
MOMENTS = ("created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat")
LISTS = ("dependency_ids", "retry_intervals", "repeat_intervals", "webhooks", "meta", "result", "unknown_field")

POISON: dict[str, Plant] = {
    **{f"{name} is no number": queued(**{name: "many"}) for name in NUMBERS},
    **{f"{name} is no moment": queued(**{name: "yesterday"}) for name in MOMENTS},
    **{f"{name} is no UTF-8": queued(**{name: b"\xff\xfe"}) for name in (*NUMBERS, *TEXTS, *MOMENTS, *LISTS)},
    **{f"{name} is no list": queued(**{name: "{"}) for name in LISTS},
    **{f"{name} is very long": queued(**{name: b"9" * 2_000_000}) for name in ("result_ttl", "description", "data")},
    "retries": queued(data=data(f"{JOBS}.fail", 1), retries_left="5", retry_intervals="[0]"),
    "repetitions": queued(repeats_left="5", repeat_intervals="[0]"),
    "a group that is none": queued(group_id="nowhere"),
    "a limit on its rate": queued(rate_limit_key="x", rate_limit_concurrency="1"),
    "the status of nobody": queued(status="asleep"),
    "another queue": queued(origin="bulk"),
    "no data": queued(data=None),
    "data: nothing": queued(data=b""),
    "data: broken compression": queued(data=data(f"{JOBS}.note", 1)[:-4]),
    "data: not compressed": queued(data=json.dumps([f"{JOBS}.note", None, [1], {}])),
    "data: a pickle": queued(data=lambda traps: zlib.compress(pickle.dumps(Pickled(traps)))),
    "data: unfolds to gigabytes": queued(data=zlib.compress(b" " * 900_000)),
    "data: nested without end": queued(data=deep),
    "data: a number longer than Python reads": queued(data=zlib.compress(b"1" * 990)),
    "data: another shape": queued(data=zlib.compress(b'{"a": 1}')),
    "function: a list": queued(data=data([1], 1)),
    "function: no name": queued(data=data("", 1)),
    "function: a constant of the module": queued(data=data(f"{JOBS}.RAN", 1)),
    "argument: a text": queued(data=data(f"{JOBS}.note", "1; DROP TABLE runs")),
    "argument: true": queued(data=data(f"{JOBS}.note", True)),
    "argument: a fraction": queued(data=data(f"{JOBS}.note", 1.5)),
    "argument: below zero": queued(data=data(f"{JOBS}.note", -1)),
    "argument: beyond the database": queued(data=data(f"{JOBS}.note", 2**63)),
    "argument: one too many": queued(data=data(f"{JOBS}.note", 1, 2)),
    "argument: none": queued(data=data(f"{JOBS}.note")),
    "argument: by name": queued(data=data(f"{JOBS}.note", by_name={"number": 1})),
    "an entry that is no UTF-8": entry(b"\xff\xfe\x00"),
    "an entry that is no id": entry("../../etc:passwd %s {0} *"),
    "an entry that is nothing": entry(""),
    "an entry of a megabyte": entry(b"x" * 1_000_000),
    "an entry without a job": entry("nobody"),
    "a started job without an execution": member("wip", "evil"),
    "a started job that is no UTF-8": member("wip", b"\xff:\xff"),
    "a started job for ever": member("wip", "evil:execution", 1e300),
    "a failed job for ever": member("failed", b"\xff", 1e300),
    "a scheduled job": member("scheduled", b"\xff"),
    "a ready job that is no UTF-8": member("ready", b"\xff"),
    "an entry on the way that is no UTF-8": lambda broker, _traps: broker.rpush(ON_THE_WAY, b"\xff"),
    "a worker that is no UTF-8": lambda broker, _traps: broker.sadd("rq:workers:interactive", b"\xff"),
    "a group that is no UTF-8": lambda broker, _traps: broker.sadd("rq:groups", b"\xff"),
    "a rate limit that is no UTF-8": lambda broker, _traps: broker.sadd("rq:rl-keys", b"\xff"),
    "a lock for ever": lambda broker, _traps: broker.set("rq:clean_registries:interactive", "1"),
    **{
        f"{name} is a text": key(name, "text")
        for name in (
            QUEUE,
            ON_THE_WAY,
            JOB,
            "rq:wip:interactive",
            "rq:failed:interactive",
            "rq:finished:interactive",
            "rq:ready:interactive",
            "rq:workers",
            "rq:workers:interactive",
            "rq:queues",
            "rq:groups",
            "rq:rl-keys",
            "rq:executions:evil",
            "rq:results:evil",
            f"{JOB}:dependents",
        )
    },
    f"{JOB} is a list": key(JOB, "list"),
    "executions of nobody": lambda broker, traps: (
        queued()(broker, traps),
        broker.zadd("rq:executions:evil", {b"\xff": time.time() + 99}),
    ),
}
"""What no worker can use. Much of it ends a stock worker; none of it may end ours."""

MEASURED = (
    "result_ttl is no number",
    "timeout is no number",
    "created_at is no moment",
    "the status of nobody",
    "dependency_ids is no list",
    "retry_intervals is no list",
    "an entry that is no UTF-8",
    "a started job that is no UTF-8",
    f"{QUEUE} is a text",
    "rq:workers is a text",
)
"""Some that end a stock worker for certain."""

UNTOLD = {
    "an entry without a job",  # as RQ does: a second push of one job leaves such entries
    "a started job without an execution",
    "a worker that is no UTF-8",
    "a group that is no UTF-8",
    "a rate limit that is no UTF-8",
    "a lock for ever",
    "rq:groups is a text",
    "rq:rl-keys is a text",
    "rq:executions:evil is a text",
    "rq:results:evil is a text",
    f"{JOB}:dependents is a text",
    "executions of nobody",
}
"""These are never looked at, or are put in order without a job being refused."""

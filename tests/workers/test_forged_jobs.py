"""Whoever can write to Redis runs nothing in a worker, and stops none: every attack of `attacks`, on a real server."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from app.domain.runs.queues import ENDED_KEY
from app.use_cases.monitoring.refused_jobs import Reason
from tests.adapters.conftest import _session_broker, broker, broker_process
from tests.workers import jobs_of_tests
from tests.workers.attacks import CODE, JOBS, MEASURED, ON_THE_WAY, POISON, UNTOLD, Traps, data, dependent, genuine
from tests.workers.guarded import FUNCTIONS, WorkerOfTests, refused, take_all, worker_for
from workers.guarded_job import GuardedJob, GuardedQueue
from workers.patient_worker import PatientWorker

__all__ = ["_session_broker", "broker", "broker_process"]


class Listener(http.server.BaseHTTPRequestHandler):
    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return None


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/trap"
    server.shutdown()
    server.server_close()


@pytest.fixture
def traps(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Traps]:
    (tmp_path / "trap_module.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'imported')!r}).touch()\ndef anything(*_):\n    pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.setdefault(JOBS, jobs_of_tests)
    jobs_of_tests.RAN.clear()
    Listener.heard.clear()
    yield Traps(tmp_path, "trap_module", address)
    sys.modules.pop("trap_module", None)


def sprung(traps: Traps, broker: redis.Redis) -> set[str]:
    """The traps in which something shows."""
    found = {
        "file": traps.file.exists(),
        "import": (traps.folder / "imported").exists(),
        "request": bool(Listener.heard),
        "result": bool(broker.exists("rq:results:evil")),
    }
    return {name for name, shows in found.items() if shows}


def put_genuine(broker: redis.Redis) -> None:
    """A job of ours behind the attack, as a push writes it."""
    broker.hset("rq:job:good", mapping=genuine(data=data(f"{JOBS}.note", 7)))  # type: ignore[arg-type]
    if broker.type("rq:queue:interactive") in (b"list", b"none"):
        broker.rpush("rq:queue:interactive", "good")


class StockWorker(SimpleWorker):
    def subscribe(self) -> None:
        """Its thread would take a second to end."""


def take_all_stock(broker: redis.Redis) -> None:
    """As RQ's pool starts a worker: the queues know neither serializer nor job class."""
    queue = Queue("interactive", connection=broker)
    StockWorker([queue], connection=broker, serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")


@pytest.mark.parametrize("attack", list(CODE))
def test_stock_rq_does_what_redis_says(broker: redis.Redis, traps: Traps, attack: str) -> None:
    """The traps work: without our job class every one of these attacks shows in one."""
    CODE[attack](broker, traps)
    take_all_stock(broker)
    assert sprung(traps, broker)


@pytest.mark.parametrize("attack", MEASURED)
def test_stock_rq_ends_over_poison(broker: redis.Redis, traps: Traps, attack: str) -> None:
    POISON[attack](broker, traps)
    put_genuine(broker)
    with suppress(redis.ResponseError):
        take_all_stock(broker)
    assert jobs_of_tests.RAN == []


def meet(broker: redis.Redis) -> WorkerOfTests:
    """What a worker does with the attack, which stands before a genuine job."""
    put_genuine(broker)
    worker = take_all(broker)
    worker.run_maintenance_tasks()
    worker._queue.refusals.hand_over()
    return worker


@pytest.mark.parametrize("attack", list(CODE))
def test_nothing_of_it_happens_here(broker: redis.Redis, traps: Traps, attack: str) -> None:
    CODE[attack](broker, traps)
    meet(broker)
    assert sprung(traps, broker) == set()
    assert 7 in jobs_of_tests.RAN
    assert left(broker) <= ({"rq:job:evil"} if attack in ORPHANS else set())
    assert refused() or attack in SILENT


ORPHANS = {"a job that is ready", "a dependent of a job on the way"}
"""The hash stays, and nothing that a worker reads leads to it."""
SILENT = {"a dependent", "a dependent of a job on the way"}
"""The job is one of ours; what would hang on it is deleted unseen."""


@pytest.mark.parametrize("attack", list(POISON))
def test_no_poison_ends_a_worker(broker: redis.Redis, traps: Traps, attack: str) -> None:
    POISON[attack](broker, traps)
    worker = meet(broker)
    told = sum(refused().values())
    if not broker.exists("rq:queue:interactive") and 7 not in jobs_of_tests.RAN:
        put_genuine(broker)  # the queue was of another kind and could not take the genuine job before
        worker = take_all(broker)
    assert 7 in jobs_of_tests.RAN
    assert sprung(traps, broker) == set()
    assert left(broker) == set()
    assert told == (attack not in UNTOLD)
    assert worker.broken_rounds == 0


def test_what_is_spoiled_while_a_job_runs_is_mended(broker: redis.Redis, traps: Traps) -> None:
    """Everything but the queue becomes a text under a running job: the worker's own keys, its lists, what RQ writes
    after a job. The same worker mends that, registers again, and does the next job."""
    turns: list[int] = []

    def spoil(number: int) -> None:
        turns.append(number)
        for key in {*broker.scan_iter(), b"rq:results:evil", b"rq:executions:evil"}:
            if key not in (b"rq:queue:interactive", b"rq:job:good"):
                broker.set(key, "x")

    functions = {**FUNCTIONS, "spoil": spoil}
    worker = worker_for(broker, functions)
    broker.hset("rq:job:evil", mapping=genuine(data=data("spoil", 1)))  # type: ignore[arg-type]
    broker.rpush("rq:queue:interactive", "evil")
    put_genuine(broker)
    worker.work(burst=True, logging_level="CRITICAL")
    assert (turns, jobs_of_tests.RAN) == ([1], [7])
    assert 1 <= worker.broken_rounds <= 2
    assert {key for key in left(broker) if ":evil" not in key} == set()


@pytest.mark.parametrize("kind", ["shutdown", "kill-horse", "stop-job", "stop-execution"])
def test_nobody_listens_to_commands(broker: redis.Redis, traps: Traps, kind: str) -> None:
    heard: list[int] = []

    def publish(_number: int) -> None:
        order = json.dumps({"command": kind, "job_id": "evil", "execution_id": "x"})
        heard.append(broker.publish(f"rq:pubsub:{worker.name}", order))

    functions = {**FUNCTIONS, "publish": publish}
    worker = worker_for(broker, functions)
    broker.hset("rq:job:evil", mapping=genuine(data=data("publish", 1)))  # type: ignore[arg-type]
    broker.rpush("rq:queue:interactive", "evil")
    put_genuine(broker)
    worker.work(burst=True, logging_level="CRITICAL")
    assert (heard, jobs_of_tests.RAN) == ([0], [7])


@pytest.mark.parametrize("guarded", [True, False])
def test_what_is_hung_on_a_job_while_it_runs_stays_hanging(
    broker: redis.Redis, traps: Traps, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependent, a callback, a webhook and a repetition that come while the function is at work."""

    def hang_on(_number: int) -> None:
        dependent(broker, traps)
        broker.delete("rq:queue:interactive")
        asked = {"webhooks": json.dumps([{"url": traps.url, "job_status": "finished"}]), "repeats_left": "3"}
        broker.hset("rq:job:evil", mapping={**asked, "success_callback_name": f"{traps.module}.anything"})

    monkeypatch.setattr(jobs_of_tests, "hang_on", hang_on, raising=False)  # so that stock RQ finds it by its name
    name = f"{JOBS}.hang_on"
    broker.hset("rq:job:evil", mapping=genuine(data=data(name, 1)))  # type: ignore[arg-type]
    broker.rpush("rq:queue:interactive", "evil")
    if guarded:
        take_all(broker, {**FUNCTIONS, name: hang_on})
    else:
        take_all_stock(broker)
    assert sprung(traps, broker) == (set() if guarded else {"file"})


def test_what_is_written_beside_a_job_while_it_runs_does_not_fail_it(broker: redis.Redis, traps: Traps) -> None:
    """RQ looks for dependents, executions and a group when a job has ended, and stumbles over what it finds there."""

    def litter(_number: int) -> None:
        broker.set("rq:job:evil:dependents", "x")
        broker.zadd("rq:executions:evil", {b"\xff": 1e12, "nobody": 1e12})
        broker.hset("rq:job:evil", mapping={"status": "asleep", "group_id": "nowhere", "timeout": "many"})

    broker.hset("rq:job:evil", mapping=genuine(data=data("litter", 1)))  # type: ignore[arg-type]
    broker.rpush("rq:queue:interactive", "evil")
    worker = take_all(broker, {"litter": litter})
    assert (worker.successful_job_count, worker.failed_job_count, worker.broken_rounds) == (1, 0, 0)
    assert left(broker) == set()


def test_a_job_of_ours_whose_worker_died_is_shown_as_failed(broker: redis.Redis) -> None:
    broker.hset("rq:job:i1-a0", mapping=genuine(status="started"))  # type: ignore[arg-type]
    broker.zadd("rq:wip:interactive", {"i1-a0:execution": 1})
    take_all(broker)
    assert broker.zrange("rq:failed:interactive", 0, -1) == [b"i1-a0"]
    assert broker.zcard("rq:wip:interactive") == 0
    assert broker.ttl("rq:job:i1-a0") > 0
    assert refused() == {}


def test_who_works_is_known_again_and_who_is_dead_is_forgotten(broker: redis.Redis) -> None:
    """Somebody has emptied the broker, or written workers that never were."""
    worker = worker_for(broker)
    worker.register_birth()
    broker.flushall()
    broker.sadd("rq:workers:interactive", "rq:worker:nobody", "x", b"\xff")
    worker.run_maintenance_tasks()
    assert broker.smembers("rq:workers:interactive") == broker.smembers("rq:workers") == {worker.key.encode()}
    assert broker.ttl(worker.key) > 60
    worker.register_death()


@pytest.mark.parametrize("fields", [{"data": b"x" * 5_000_000}, dict.fromkeys(map(str, range(5_000)), b"x")])
def test_a_large_job_is_refused_without_being_read(broker: redis.Redis, traps: Traps, fields: dict[str, bytes]) -> None:
    broker.hset("rq:job:evil", mapping={**genuine(), **fields})  # type: ignore[arg-type]
    broker.rpush("rq:queue:interactive", "evil")
    broker.config_resetstat()
    take_all(broker)
    assert refused() == {Reason.TOO_LARGE: 1}
    assert {"cmdstat_hmget", "cmdstat_hgetall", "cmdstat_hget"} & broker.info("commandstats").keys() == set()


def test_a_worker_without_the_guard_does_not_start(broker: redis.Redis) -> None:
    with pytest.raises(TypeError):
        PatientWorker([Queue("interactive", connection=broker)], connection=broker)
    with pytest.raises(TypeError):
        PatientWorker([GuardedQueue("interactive", connection=broker)], connection=broker, job_class=Job)
    with pytest.raises(TypeError):
        GuardedQueue("interactive", connection=broker, job_class=Job)
    assert GuardedQueue("interactive", connection=broker).serializer is JSONSerializer
    assert GuardedJob("x", connection=broker).serializer is JSONSerializer


def left(broker: redis.Redis) -> set[str]:
    """Keys of the attack that are still there, other than those that no worker ever looks at."""
    keys = {key.decode(errors="replace") for key in broker.scan_iter()}
    ours = {"rq:workers", "rq:queues", "rq:workers:interactive", "rq:failed:interactive", ENDED_KEY}
    unread = {"rq:groups", "rq:rl-keys", "rq:clean_registries:interactive", "rq:job:worse"}
    return {key for key in keys - ours - unread if not key.startswith(("rq:worker:", f"{ON_THE_WAY}:first_seen"))}

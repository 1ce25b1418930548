"""Workers: one queue a process, ids only, nothing personal left behind, and a pool that outlives its broker."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from inspect import signature
from itertools import product
from pathlib import Path

import fakeredis
import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from sqlalchemy import update

from app.adapters.job_queue import RqJobQueue
from app.domain.ports import QueuedJob
from app.storage.enums import MailState, OutboxKind
from app.storage.outgoing.rows import OutboxRow
from app.storage.tables.outgoing_models import MailTable
from app.storage.unit_of_work import Database
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.upkeep.relay import job_of, relay_once
from tests.chaos.parts import broker_in
from tests.conftest import missing
from tests.storage.databases import KEY, running_run
from tests.use_cases.engine_room import Room, open_room
from tests.workers.guarded import take_all
from tests.workers.slow_to_begin import SECONDS
from workers import broker as embedded
from workers.jobs import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
SECRET = "架空の山田さん"


def leaking_job(_item_id: int) -> None:
    """A bug whose exception quotes a personal value."""
    raise ValueError(f"invalid literal: {SECRET!r}")


def test_every_queued_name_is_a_function_that_takes_ids() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    for kind, starts in product(OutboxKind, (0, 2)):
        row = OutboxRow(1, kind, 1, attempt=0, queue="bulk", due_at=now, created_at=now, sent_at=None, starts=starts)
        job = job_of(row, max_starts=3)
        parameters = signature(FUNCTIONS[job.function]).parameters.values()
        assert len(parameters) == len(job.args)
        assert all(each.annotation == "int" for each in parameters)


def test_a_crashed_job_leaves_no_value_in_redis_or_logs(capsys: pytest.CaptureFixture[str]) -> None:
    broker = fakeredis.FakeStrictRedis()
    RqJobQueue(broker).push([QueuedJob("i1-a0", "interactive", "leaking_job", (1,))])
    take_all(broker, {"leaking_job": leaking_job})
    queue = Queue("interactive", connection=broker, serializer=JSONSerializer)
    assert FailedJobRegistry(queue=queue).get_job_ids() == ["i1-a0"]
    job = Job.fetch("i1-a0", connection=broker, serializer=JSONSerializer)
    result = job.latest_result()
    kept = [result.exc_string if result else None, *map(repr, broker.scan_iter())]
    assert SECRET not in repr(kept)
    for key in broker.scan_iter():
        kind = broker.type(key)
        content = broker.hgetall(key) if kind == b"hash" else broker.dump(key)
        assert SECRET.encode() not in repr(content).encode()
        assert "\\xe5\\xb1\\xb1\\xe7\\x94\\xb0" not in repr(content)
    output = "".join(capsys.readouterr())
    assert "job_crashed" in output
    assert "leaking_job" in output  # where it happened is told
    assert SECRET not in output


# ── real processes on a real broker ───────────────────────────────────────────────────────────────────────────────


@dataclass
class Station:
    """A broker that can be stopped and started, a database, and worker pools."""

    room: Room
    socket: Path
    database_url: str
    folder: Path
    server: subprocess.Popen[bytes] | None = None
    pools: list[subprocess.Popen[bytes]] | None = None

    def start_broker(self) -> None:
        binary = embedded.server_binary()
        assert binary is not None
        self.server = subprocess.Popen(
            embedded.command(binary, self.socket), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: self.socket.exists() and answers(self.connect()), "the broker")

    def stop_broker(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None
            self.socket.unlink(missing_ok=True)

    def connect(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def start_pool(self, queue: str, *, workers: int = 2, in_background: bool = False) -> subprocess.Popen[bytes]:
        """`in_background`: as a shell starts what stands before `&`, with SIGINT ignored."""
        env = {
            **os.environ,
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"unix://{self.socket}",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": KEY,
            "WORKERS_INTERACTIVE": str(workers),
        }
        log = (self.folder / "worker.log").open("ab")
        command = [sys.executable, "-m", "workers.worker", queue]
        if in_background:
            command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
        pool = subprocess.Popen(command, cwd=ROOT, env=env, stderr=log)
        self.pools = [*(self.pools or []), pool]
        return pool

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def mail_to_settle(self) -> int:
        """A mail without recipient: a worker that works marks it as skipped."""
        run, _ = running_run(self.room.database, self.room.connection, items=0)
        assert close_run_if_done(self.room.ctx, run.id)
        mail = self.room.mail_of(run.id)
        assert mail is not None
        assert relay_once(self.room.ctx) >= 1
        return mail.id

    def end_leases_of_mails(self) -> None:
        """Let the leases of all mails be over, and the clock of this room show the present."""
        with self.room.database.engine.begin() as connection:
            connection.execute(update(MailTable).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
        self.room.clock.instant = datetime.now(UTC)  # type: ignore[attr-defined]

    def settled(self, mail_id: int) -> bool:
        with self.room.database.unit_of_work().reading() as uow:
            mail = uow.mails.get(mail_id)
        return mail is not None and mail.state is MailState.SKIPPED


@pytest.fixture
def station(tmp_path: Path, database: Database) -> Iterator[Station]:
    if embedded.server_binary() is None:
        missing("no valkey-server or redis-server on this machine")
    room = open_room(database)
    with database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_to=()))
    url = database.engine.url.render_as_string(hide_password=False)
    opened = Station(room, tmp_path / "b.sock", url, tmp_path)
    opened.start_broker()
    opened.room = replace(room, ctx=replace(room.ctx, job_queue=RqJobQueue(opened.connect())))
    yield opened
    for pool in opened.pools or []:
        if pool.poll() is None:
            pool.kill()
            pool.wait()
    opened.stop_broker()


def answers(broker: redis.Redis) -> bool:
    try:
        return bool(broker.ping())
    except redis.RedisError:
        return False


def wait_for(condition: Callable[[], object], what: str, seconds: float = 45.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == pid and stat[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.processes
def test_jobs_are_done_and_the_pool_ends_in_order(station: Station) -> None:
    first = station.mail_to_settle()
    station.room.ctx.job_queue.push([QueuedJob("m999-a0", "bulk", "workers.jobs.send_mail", (999,))])
    pool = station.start_pool("interactive")
    wait_for(lambda: station.settled(first), "the mail job")
    bulk = Queue("bulk", connection=station.connect(), serializer=JSONSerializer)
    assert bulk.get_job_ids() == ["m999-a0"]  # the other queue is none of this pool's business
    workers = children(pool.pid)
    assert len(workers) == 2
    pool.send_signal(signal.SIGTERM)
    assert pool.wait(20) == 0
    assert not any(alive(worker) for worker in workers)
    lines = [json.loads(line) for line in station.log().splitlines() if line.startswith("{")]
    assert {"mail_settled"} <= {line.get("event") for line in lines}


@pytest.mark.processes
@pytest.mark.parametrize("in_background", [False, True])
def test_a_pool_ends_that_is_told_so_while_its_workers_only_begin(station: Station, in_background: bool) -> None:
    pool = station.start_pool("interactive", workers=3, in_background=in_background)
    wait_for(lambda: len(children(pool.pid)) == 3, "the last worker")
    workers = children(pool.pid)
    pool.send_signal(signal.SIGTERM)
    pool.wait(20)
    wait_for(lambda: not any(alive(worker) for worker in workers), "the end of the workers", seconds=5)


@pytest.mark.processes
def test_the_pool_outlives_its_broker_and_its_workers(station: Station) -> None:
    pool = station.start_pool("interactive")
    first = station.mail_to_settle()
    wait_for(lambda: station.settled(first), "the first mail")
    station.stop_broker()
    time.sleep(1.5)
    station.start_broker()
    for worker in children(pool.pid):
        os.kill(worker, signal.SIGKILL)
    station.room = replace(station.room, ctx=replace(station.room.ctx, job_queue=RqJobQueue(station.connect())))
    second = station.mail_to_settle()
    wait_for(lambda: station.settled(second), "the mail after the outage")
    assert pool.poll() is None


@pytest.mark.reach("all")
@pytest.mark.processes
def test_orphans_end(station: Station) -> None:
    pool = station.start_pool("interactive")
    wait_for(lambda: len(children(pool.pid)) == 2, "both workers")
    first = station.mail_to_settle()
    wait_for(lambda: station.settled(first), "the first mail")
    orphans = children(pool.pid)
    pool.kill()
    pool.wait()
    wait_for(lambda: not any(alive(orphan) for orphan in orphans), "the orphans' end", 15)


@pytest.fixture
def slow_pool(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pool whose workers are not yet at work (`slow_to_begin`)."""
    broker = broker_in(tmp_path)
    broker.start()
    command = [sys.executable, "-m", "tests.workers.slow_to_begin", f"unix://{broker.socket}"]
    pool = subprocess.Popen(command, cwd=ROOT)
    wait_for(lambda: len(children(pool.pid)) == 2, "both workers")
    yield pool
    pool.kill()
    pool.wait()
    broker.stop()


@pytest.mark.reach("all")
@pytest.mark.processes
def test_workers_end_whose_pool_dies_before_they_begin(slow_pool: subprocess.Popen[bytes]) -> None:
    orphans = children(slow_pool.pid)
    slow_pool.kill()
    slow_pool.wait()
    wait_for(lambda: not any(alive(orphan) for orphan in orphans), "the orphans' end", SECONDS + 15)


@pytest.mark.reach("all")
@pytest.mark.processes
def test_a_replaced_worker_told_to_stop_before_it_begins_ends_and_stops_no_other(
    slow_pool: subprocess.Popen[bytes],
) -> None:
    first, other = children(slow_pool.pid)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: set(children(slow_pool.pid)) - {first, other}, "the replacement")
    (replacement,) = set(children(slow_pool.pid)) - {first, other}
    os.kill(replacement, signal.SIGINT)
    wait_for(lambda: not alive(replacement), "its end", SECONDS + 15)
    time.sleep(SECONDS)
    assert alive(other) and slow_pool.poll() is None


@pytest.mark.parametrize("arguments", [[], ["everything"], ["interactive", "bulk"]])
def test_a_pool_takes_exactly_one_known_queue(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers.worker", *arguments], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert b"usage: python -m workers.worker interactive|bulk" in done.stderr

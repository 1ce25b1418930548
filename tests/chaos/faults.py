"""Faults of processes, broker and database: F1, F3, F7 to F11, F17, F22, F23. Each is one function on a scene."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
import uuid

import requests

from tests.chaos.deployment import running
from tests.chaos.judge import Broken
from tests.chaos.parts import wait_for
from tests.chaos.scene import NotReached, Scene
from tests.chaos.workload import TO_SMARTHR
from tests.e2e.processes import kill, parent_of
from tests.storage.servers import restart_cluster


def worker_killed(scene: Scene) -> None:
    """kill -9 of a worker in the middle of a run, both directions in turn."""
    direction = {"direction": TO_SMARTHR} if scene.turn % 2 else {}
    scene.start(8, 0 if direction else 2, **direction)
    scene.await_writes(random.randint(1, 6))
    kill_a_worker(scene)
    scene.over()


def kill_a_worker(scene: Scene) -> None:
    workers = scene.house.pids("workers.worker interactive")
    kill(random.choice([pid for pid in workers if parent_of(pid) in workers]))


def worker_frozen(scene: Scene) -> None:
    """A worker stands still beyond its lease, somebody else finishes its work, then it goes on: in turn before it has
    read the target (its write must not leave) and just before a write (the late write brings nothing new)."""
    kind = "before_put_profile_rule", "after_get_employees"
    scene.house.failpoints.arm(of_a_job(scene, kind[scene.turn % 2]), "freeze")
    known = len(scene.house.failpoints.hits())
    batch = scene.start(5, 0)
    wait_for(lambda: len(scene.house.failpoints.hits()) > known, seconds=60, what="a frozen worker")
    scene.over()
    wait_for(lambda: scene.is_final(batch), seconds=120, what="the run, ended by others")
    os.kill(scene.house.failpoints.hits()[-1][1], signal.SIGCONT)
    time.sleep(2)  # the late worker does what it still means to do


def of_a_job(scene: Scene, kind: str) -> str:
    """The boundary of this kind that a job for one employee meets. Raises NotReached."""
    others = ("survey", "intake", "offered", "connections")
    for site in scene.house.failpoints.seen():
        met, _, place = site.partition("@")
        if met == kind and place.split(".")[2] not in others:
            return site
    raise NotReached(kind)


def broker_flushed(scene: Scene) -> None:
    """FLUSHALL in the middle of a run."""
    scene.start()
    scene.await_writes(2)
    scene.house.broker.client.flushall()
    scene.over()


def broker_down(scene: Scene) -> None:
    """The broker dies in the middle of a run and comes back empty; what is asked for meanwhile is accepted at once."""
    scene.start()
    scene.await_writes(2)
    scene.house.broker.stop()
    accepted_at_once(scene)
    scene.pause(8, long=30)
    scene.house.broker.start()
    scene.over()


def broker_deaf(scene: Scene) -> None:
    """The broker takes connections and answers nothing."""
    scene.start()
    scene.await_writes(2)
    scene.house.broker_wire.deaf = True
    accepted_at_once(scene)
    scene.pause(8, long=20)
    scene.house.broker_wire.pass_on()
    scene.over()


def broker_slow(scene: Scene) -> None:
    """Every answer of the broker is half a second late."""
    scene.house.broker_wire.delay = 0.25  # each way
    scene.start()
    scene.pause(5, long=15)
    scene.house.broker_wire.pass_on()
    scene.over()


def broker_full(scene: Scene) -> None:
    """The broker has no memory left and refuses every write."""
    client = scene.house.broker.client
    client.config_set("maxmemory", "1")
    try:
        accepted_at_once(scene)
        scene.pause(6, long=20)
    finally:
        client.config_set("maxmemory", "256mb")
    scene.over()


def accepted_at_once(scene: Scene) -> None:
    """Intake needs no broker: no request may be refused while it is away."""
    batch = scene.start(3, 1)
    if batch.refusals:
        scene.findings.append(Broken("I1", f"refused {batch.refusals} times while only the broker was away"))


def database_locked(scene: Scene) -> None:
    """SQLite: somebody holds the write lock longer than a writer waits for it."""
    scene.start(4, 1)
    scene.await_writes(1)
    held = sqlite3.connect(scene.house.folder / "awase.db", isolation_level=None, timeout=30)
    held.execute("BEGIN EXCLUSIVE")
    try:
        batch = scene.edit(2, 0)
        asking = threading.Thread(target=scene.work.trigger, args=(batch,))
        asking.start()
        time.sleep(22)
    finally:
        held.execute("ROLLBACK")
        held.close()
    scene.over()
    asking.join()


def database_restarted(scene: Scene) -> None:
    """PostgreSQL crashes and recovers in the middle of a run."""
    scene.start()
    scene.await_writes(2)
    assert scene.house.cluster is not None
    restart_cluster(scene.house.cluster)
    scene.over()
    scene.start(2, 0)


def asked_many_times(scene: Scene) -> None:
    """The same request 40 times at once with one Idempotency-Key is one run."""
    batch = scene.edit(3, 1)
    body, key = scene.work.body(batch), uuid.uuid4().hex
    answers: list[requests.Response | None] = []

    def ask() -> None:
        answers.append(scene.work.try_once("/api/v1/runs", body, key=key))

    callers = [threading.Thread(target=ask) for _ in range(40)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    runs = {answer.json()["id"] for answer in answers if answer is not None and answer.ok}
    told = sorted({answer.status_code if answer is not None else 0 for answer in answers})
    if len(runs) != 1 or any(not 200 <= status < 300 for status in told):
        scene.findings.append(Broken("I1", f"one request sent 40 times: {len(runs)} runs, statuses {told}"))
    batch.run_id = runs.pop()
    scene.over()


def service_restarted(scene: Scene) -> None:
    """SIGTERM to every process of the service in the middle of a run: a deployment."""
    scene.start()
    scene.await_writes(2)
    for pid in running(scene.house.processes.pid):
        os.kill(pid, signal.SIGTERM)
    scene.over()


def leader_killed(scene: Scene) -> None:
    """Two cron processes, one leads; it is killed together with a worker, and the other one picks up the pieces."""
    with scene.house.another("workers.cron"):
        time.sleep(1.5)
        scene.start()
        scene.await_writes(2)
        for pid in scene.house.pids("workers.cron"):
            kill(pid)
        kill_a_worker(scene)
        scene.over()
        for batch in scene.batches:
            wait_for(lambda: scene.is_final(batch), seconds=120, what="the run")  # noqa: B023


def boundary(scene: Scene, prefix: str, what: str) -> None:
    """One boundary by the beginning of its name, met by an ordinary run. Raises NotReached."""
    points = scene.house.failpoints
    site = next((each for each in points.seen() if each.startswith(prefix)), None)
    if site is None:
        raise NotReached(prefix)
    known = len(points.hits())
    points.arm(site, what)
    scene.start(3, 1)
    wait_for(lambda: len(points.hits()) > known, seconds=60, what=site)
    scene.over_at = points.hits()[-1][2]

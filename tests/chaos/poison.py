"""F20: an employee whose job never ends well. Three starts, then it is given up; everybody else goes through."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.chaos.faults import of_a_job
from tests.chaos.judge import Broken
from tests.chaos.parts import Failpoints, wait_for
from tests.chaos.scene import Scene
from tests.chaos.workload import Batch

STARTS = 3
"""MAX_STARTS of a house."""
BOUNDARY = "after_get_crews"
"""A job has read SmartHR and has not written yet."""
PATIENCE_SECONDS = 60


def killed(scene: Scene) -> None:
    """Somebody kills every worker that takes this employee."""
    batch = _poisoned(scene, "kill", lambda _: None)
    _given_up(scene, batch)
    scene.again(batch)


def segfault(scene: Scene) -> None:
    """Every worker that takes this employee dies of a segmentation fault."""
    batch = _poisoned(scene, "freeze", _segfault)
    _given_up(scene, batch)
    scene.again(batch)


def out_of_time(scene: Scene) -> None:
    """A job in an endless loop keeps its lease, because its heartbeat goes on, and no thread can be broken off: what
    ends it, after a quarter of an hour, is the end of its process. Here an alarm ends the process at once; at the last
    start it is the alarm that the process of a single job has set itself."""
    batch = _poisoned(scene, "freeze", _ring)
    _given_up(scene, batch)
    scene.again(batch)


def frozen(scene: Scene) -> None:
    """Every worker that takes this employee stands still beyond its lease, and goes on when another one has taken over:
    no write of any of them leaves. The last one is still frozen when the employee is given up and others go through."""
    stopped: list[int] = []

    def next_one_stands_still(pid: int) -> None:
        if stopped:
            _go_on(stopped[-1])
        stopped.append(pid)

    try:
        batch = _poisoned(scene, "freeze", next_one_stands_still)
        _given_up(scene, batch)
    finally:
        if stopped:
            _go_on(stopped[-1])
    scene.pause(2)  # what the late ones still mean to do
    scene.findings += judge_late(scene.house.api.pages(f"/api/v1/runs/{batch.run_id}/items"))
    scene.again(batch)


def judge_late(items: Iterable[Mapping[str, Any]]) -> list[Broken]:
    """A job that lost its lease before its first write must not have left one."""
    return [Broken("I6", f"item {item['id']}: a late worker wrote") for item in items if item["steps"]]


def _poisoned(scene: Scene, what: str, meets: Callable[[int], object]) -> Batch:
    """One employee whose job meets `what` at each start; `meets` gets the process every time."""
    points = scene.house.failpoints
    site, since = of_a_job(scene, BOUNDARY), [_last_hit(points)]
    batch = scene.edit(1, 0)
    batch.may_fail = True
    points.arm(site, what)
    scene.work.trigger(batch)
    for start in range(1, STARTS + 1):
        wait_for(lambda: _last_hit(points) > since[-1], seconds=PATIENCE_SECONDS, what=f"start {start}")
        since.append(_last_hit(points))
        if start < STARTS:
            points.arm(site, what)
        meets(points.hits()[-1][1])
    scene.over()
    return batch


def _last_hit(points: Failpoints) -> float:
    """When; the number of hits does not tell, one process may be hit twice."""
    return max((at for _, _, at in points.hits()), default=0.0)


def _given_up(scene: Scene, batch: Batch) -> None:
    """The item ends as poisoned, not started a fourth time, and those who come meanwhile end well."""
    others = scene.start(2, 0)
    wait_for(lambda: scene.is_final(others), seconds=PATIENCE_SECONDS, what="the others")
    wait_for(lambda: scene.is_final(batch), seconds=PATIENCE_SECONDS, what="the end of a poisoned run")
    (item,) = scene.house.api.pages(f"/api/v1/runs/{batch.run_id}/items")
    scene.findings += judge_poisoned(item)


def judge_poisoned(item: Mapping[str, Any]) -> list[Broken]:
    """Three bad starts, and nothing more of it."""
    if (item["state"], item["error_code"]) != ("failed", "poisoned"):
        return [Broken("I2", f"{STARTS} bad starts, and the item is {item['state']} {item['error_code']}")]
    return []


def _segfault(pid: int) -> None:
    wait_for(lambda: _stands_still(pid), seconds=10, what="a frozen worker")
    resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))  # a core would hold what the process knew of people
    os.kill(pid, signal.SIGSEGV)
    _go_on(pid)


def _ring(pid: int) -> None:
    wait_for(lambda: _stands_still(pid), seconds=10, what="a frozen worker")
    os.kill(pid, signal.SIGALRM)
    _go_on(pid)


def _go_on(pid: int) -> None:
    """Also somebody who has ended meanwhile."""
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def _stands_still(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

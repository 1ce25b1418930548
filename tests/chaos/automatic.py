"""Faults while webhooks drive: nobody presses a button, both directions are on, both vendors tell of every write.

Runs are found, not asked for: judged is what was edited (equal on both sides), and every run there is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import requests

from app.domain.planning.stopping import WAITS
from app.practice.house.demo import DemoError
from tests.chaos import faults
from tests.chaos.evidence import Evidence, RunSeen, collect
from tests.chaos.house import House
from tests.chaos.judge import FINAL_ITEMS, VENDOR_LIMIT, Broken, judge, lost, over_limit
from tests.chaos.parts import wait_for
from tests.chaos.scene import RECOVERY_SECONDS, NotReached, Scene
from tests.chaos.workload import TO_FREEE, TO_SMARTHR, Batch
from tests.e2e.processes import kill

OVERTAKEN = "approved_plan_changed"


@dataclass
class AutomaticScene(Scene):
    """A scene whose runs start by themselves."""

    def start(self, updates: int = 8, creates: int = 2, *, direction: str = "smarthr_to_freee") -> Batch:
        self.work.accounts = False
        return self.edit(updates, creates, direction=direction)

    def settle(self) -> None:
        """Wait until nobody has anything left to tell or to do, then judge."""
        left = max(self.over_at + RECOVERY_SECONDS - time.time(), 5.0)
        if not self._wait(lambda: is_quiet(self.house), seconds=left):
            self.findings.append(Broken("I3", f"not quiet {RECOVERY_SECONDS} s after the fault"))
        self.recovery = max(0.0, time.time() - self.over_at)
        self._wait(lambda: not self.house.missing_programs(), seconds=30)
        for batch in self.batches:
            self.work.arrived(batch)
        self._judge()

    def _judge(self) -> None:
        """Everybody edited is equal, every run has ended and all their items well; the practice company's own people,
        whom the sweep finds as well, have stories of their own."""
        edited = frozenset(number for batch in self.work.batches for number in batch.numbers)
        runs = [self._found(run, edited) for run in self.house.api.pages("/api/v1/runs")]
        seen = collect(self.house, [], frozenset(self.work.canaries), ended={})
        calls = [call for call in seen.calls if call.method != "POST"]  # the sweep creates others as well
        remembered = [
            call for call in calls if not any(first <= call.at <= last for first, last in self.lane.forgotten)
        ]
        found = judge(replace(seen, runs=runs, calls=remembered, listed=()))
        found += over_limit(calls, limit=VENDOR_LIMIT) + lost(self._everybody(seen, edited))
        met = {number for run in runs for number in run.batch.numbers}
        found += [Broken("I1", f"nobody looked after {number}") for number in sorted(edited - met - self.lane.unheard)]
        new = [each for each in dict.fromkeys(found) if each not in self.lane.reported]
        self.lane.reported.update(new)
        self.findings += new

    def _everybody(self, seen: Evidence, edited: frozenset[str]) -> Evidence:
        """All who were edited as one batch: they have to be equal whatever runs the database knows of."""
        whole = Batch(edited, TO_FREEE, "", phones=self._typed())
        return replace(seen, runs=[RunSeen(whole, {}, ())])

    def _typed(self) -> dict[str, str]:
        return {number: phone for batch in self.work.batches for number, phone in batch.phones.items()}

    def _found(self, run: dict[str, Any], edited: frozenset[str]) -> RunSeen:
        """A run may have two items of one person: one for an event that came while the first was at work. Somebody
        edited while a held run waited is not written by it, but by the run of that edit. What a run has left for a
        person is in the held run, which is approved."""
        items = [
            item
            for item in self.house.api.pages(f"/api/v1/runs/{run['id']}/items")
            if item["employee_number"] in edited and item["error_code"] not in (OVERTAKEN, WAITS)
        ]
        once = {item["employee_number"]: item for item in items}
        batch = Batch(frozenset(once), run["direction"], run["trigger"], run_id=run["id"], phones=self._typed())
        unfinished = [item for item in items if item["state"] not in FINAL_ITEMS and item not in once.values()]
        told = {"state": run["state"], "progress": {"total": None}}
        return RunSeen(batch, told, (*once.values(), *unfinished))


def is_quiet(house: House) -> bool:
    """Four times within two seconds: a webhook may be about to leave, and a quiet window about to end."""
    for _ in range(3):
        if not _is_idle(house):
            return False
        time.sleep(0.5)
    return _is_idle(house)


def say_it_is_meant(house: House) -> None:
    """What the mass-change guard holds (the lane's first people, created at once) waits for a person: here they are."""
    for run in house.api.pages("/api/v1/runs"):
        if run["state"] == "previewed":
            house.api.post(f"/api/v1/runs/{run['id']}/approve", {"acknowledge_mass_change": True})


def _is_idle(house: House) -> bool:
    try:
        say_it_is_meant(house)
        queue = house.api.get("/api/v1/queue")
    except (requests.RequestException, DemoError):
        return False
    busy = queue["runs_open"] or queue["outbox_waiting"] or queue["mails_waiting"]
    return not busy and house.smarthr.is_idle() and house.freee.is_idle()


def web_killed(scene: Scene) -> None:
    """kill -9 of the web process while webhooks arrive: the vendors come again."""
    for turn in range(3):
        scene.start(3, 1)
        time.sleep(0.2 * turn)
        for pid in scene.house.pids("wsgi:app")[1:]:
            kill(pid)
    scene.over()


def both_sides_edited(scene: Scene) -> None:
    """Edits on both sides while a worker dies: every echo ends."""
    scene.start(4, 2)
    scene.start(4, 0, direction=TO_SMARTHR)
    scene.await_writes(2)
    faults.kill_a_worker(scene)
    scene.over()


INTAKE = ("events", "gather")
"""Use cases whose boundaries only webhooks meet."""


def boundary(scene: Scene, kind: str) -> None:
    """Every boundary of the intake of webhooks and of their gathering, one after the other. Raises NotReached."""
    points = scene.house.failpoints
    sites = [site for site in points.seen() if site.partition("@")[2].split(".")[2] in INTAKE]
    if not sites:
        raise NotReached("no boundary of the intake")
    for site in sites:
        known = len(points.hits())
        points.arm(site, kind)
        scene.start(2, 1)
        wait_for(lambda: len(points.hits()) > known, seconds=60, what=site)  # noqa: B023
    scene.over()

"""One repetition of one fault: the people edited, the runs started, when the fault was over, what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import requests

from app.practice.house.demo import DemoError
from app.practice.house.processes import ROOT
from tests.chaos.evidence import RunSeen, calls, collect, mails
from tests.chaos.house import House, open_house
from tests.chaos.judge import FINAL_RUNS, Broken, judge
from tests.chaos.parts import wait_for
from tests.chaos.workload import TO_FREEE, Batch, Workload

RECOVERY_SECONDS = 180
"""Invariants hold this long after the end of a fault, without a human."""


class NotReached(Exception):
    """The fault did not happen in this repetition (the work was over before); it says nothing."""


@dataclass
class Lane:
    """One house and everything that has happened in it."""

    house: House
    work: Workload
    ended: dict[str, RunSeen] = field(default_factory=dict)
    reported: set[Broken] = field(default_factory=set)
    forgotten: list[tuple[float, float]] = field(default_factory=list)
    """From a backup to its restore (epoch seconds): of what was written then the history knows nothing."""
    unheard: set[str] = field(default_factory=set)
    """Numbers of whom only that time has heard; they need not be anybody's item, only equal."""
    beside: list[Workload] = field(default_factory=list)
    """What people do meanwhile in the house's other companies."""


@dataclass
class Scene:
    lane: Lane
    turn: int = 0
    long: bool = False
    batches: list[Batch] = field(default_factory=list)
    findings: list[Broken] = field(default_factory=list)
    over_at: float = field(default_factory=time.time)
    recovery: float = 0.0
    beside: list[tuple[Workload, Batch]] = field(default_factory=list)
    """Of the other companies: each has a small run of its own while the fault lasts, and is judged like the first."""
    met_before: int = 0
    """How often the mail server had given this scene's answer before it."""
    _writes: int = 0

    def __post_init__(self) -> None:
        self._writes = self._written()

    @property
    def house(self) -> House:
        return self.lane.house

    @property
    def work(self) -> Workload:
        return self.lane.work

    def edit(self, updates: int, creates: int, *, direction: str = TO_FREEE) -> Batch:
        batch = self.work.edit(updates, creates, direction=direction)
        self.batches.append(batch)
        return batch

    def start(self, updates: int = 8, creates: int = 2, *, direction: str = TO_FREEE) -> Batch:
        self._start_beside()
        batch = self.edit(updates, creates, direction=direction)
        self.work.trigger(batch)
        return batch

    def _start_beside(self) -> None:
        """Once a scene, before the first company's own run, so that everybody is at work when it breaks."""
        for work in self.lane.beside if not self.beside else ():
            batch = work.edit(1, 1) if work.ready else work.edit(0, 2)
            self.beside.append((work, batch))
            work.trigger(batch)

    def again(self, batch: Batch) -> Batch:
        repeated = self.work.again(batch)
        self.batches.append(repeated)
        return repeated

    def await_writes(self, number: int = 2) -> None:
        """Until the targets have received so many writes in this scene: now somebody is in the middle of something."""
        wait_for(lambda: self._written() - self._writes >= number, seconds=60, what="the first writes")

    def over(self) -> None:
        """The fault ends now; what is left is recovery."""
        self.over_at = time.time()

    def pause(self, seconds: float, *, long: float | None = None) -> None:
        time.sleep(long if self.long and long is not None else seconds)

    def state(self, batch: Batch) -> str:
        """The run's state, "" while nobody can tell."""
        try:
            return str(self.house.api.get(f"/api/v1/runs/{batch.run_id}")["state"])
        except (requests.RequestException, DemoError):
            return ""

    def is_final(self, batch: Batch) -> bool:
        return self.state(batch) in FINAL_RUNS

    def settle(self) -> None:
        """Wait until every run has ended and every program runs, then judge."""
        for work, batch in [*((self.work, batch) for batch in self.batches), *self.beside]:
            if batch.run_id:
                self._follow(batch)
                if self.state(batch) == "succeeded":
                    work.arrived(batch)
        self.recovery = max(0.0, time.time() - self.over_at)
        self._wait(lambda: not self.house.missing_programs(), seconds=30)
        canaries = self.work.canaries.union(*(work.canaries for work in self.lane.beside))
        found = judge(collect(self.house, self.work.batches, frozenset(canaries), ended=self.lane.ended))
        for work in self.lane.beside:
            theirs = judge(collect(work.house, work.batches, frozenset(), ended=self.lane.ended))
            found += [Broken(each.invariant, f"{work.house.connection}: {each.about}") for each in theirs]
        new = [each for each in dict.fromkeys(found) if each not in self.lane.reported]
        self.lane.reported.update(new)
        self.findings += new

    def _follow(self, batch: Batch) -> None:
        left = self.over_at + RECOVERY_SECONDS - time.time()
        if not self._wait(lambda: self.is_final(batch), seconds=max(left, 5.0)):
            self.findings.append(Broken("I3", f"run {batch.run_id} has not ended {RECOVERY_SECONDS} s after the fault"))

    @staticmethod
    def _wait(true: Callable[[], bool], *, seconds: float) -> bool:
        try:
            wait_for(true, seconds=seconds, what="the end")
        except TimeoutError:
            return False
        return True

    def _written(self) -> int:
        return self.house.freee.writes() + self.house.smarthr.writes()

    # ── what the log outside tells about this scene ───────────────────────────────────────────────────────────────

    def refreshes(self, since: float) -> int:
        """Requests for new tokens that freee has received."""
        return sum(call.at >= since and call.path.endswith("/public_api/token") for call in calls(self.house))

    def mailed(self, batch: Batch) -> int:
        return sum(mail.run_id == batch.run_id for mail in mails(self.house.mails))


@contextmanager
def opened(
    folder: Path,
    database: str,
    *,
    people: int,
    automatic: bool = False,
    scene: Callable[[Lane], Scene] | None = None,
    env: Mapping[str, str] = MappingProxyType({}),
    checkout: Path = ROOT,
    connections: int = 1,
) -> Iterator[Lane]:
    """A house in which so many people are in both systems. `connections`: so many companies; faults of vendors are the
    first one's, everything else meets them all. Raises AssertionError when that fails without any fault."""
    with open_house(
        folder, database, env, automatic=automatic, checkout=checkout, connections=connections
    ) as whole_house:
        house, *others = whole_house.companies()
        lane = Lane(house, Workload(house), beside=[Workload(each) for each in others])
        first = (scene or Scene)(lane)
        first.start(0, people)
        first.over()
        first.settle()
        assert not first.findings, f"without any fault: {first.findings}"
        yield lane

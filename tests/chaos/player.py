"""What plays scenes in one house and remembers what came of them, for one row of the table or another."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from app.practice.house.demo import DemoError
from app.practice.house.environment import StartError
from tests.chaos.catalogue import BOTH
from tests.chaos.evidence import Mail, mails
from tests.chaos.judge import Broken, judge_mails
from tests.chaos.parts import wait_for
from tests.chaos.scene import Lane, NotReached, Scene
from tests.chaos.table import Row
from tests.chaos.workload import Batch

MAILS_SECONDS = 240
"""A mail whose sender died waits for that sender's lease of three minutes."""
BREAKS = (
    *(TimeoutError, AssertionError, DemoError, StartError, requests.RequestException, OSError, LookupError),
    *(RuntimeError, subprocess.SubprocessError),
)
"""What a scene raises when the house no longer does what it should."""


@dataclass(frozen=True)
class Options:
    short: bool = False
    repeat: int = 20
    only: tuple[str, ...] = ()
    databases: tuple[str, ...] = BOTH
    lanes: int = 3
    connections: int = 1
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="awase-chaos-")))

    def wants(self, name: str) -> bool:
        """`F13` means F13a to F13e, and not F1 all the others that begin with it."""
        return not self.only or any(
            re.fullmatch(rf"{re.escape(each)}[a-z]?", name, re.IGNORECASE) for each in self.only
        )


@dataclass
class Report:
    """Rows of every lane, and what is said while it works."""

    rows: list[Row] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def row(self, fault: str, title: str, database: str) -> Row:
        with self._lock:
            for row in self.rows:
                if (row.fault, row.database) == (fault, database):
                    return row
            self.rows.append(Row(fault, title, database))
            return self.rows[-1]

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.started:6.0f} s  {text}", file=sys.stderr, flush=True)

    @property
    def broken(self) -> bool:
        return any(row.findings for row in self.rows)


@dataclass
class Player:
    """Plays scenes in one lane and remembers which row each run belongs to."""

    lane: Lane
    options: Options
    report: Report
    scene: Callable[..., Scene] = Scene
    owners: list[tuple[Row, Batch]] = field(default_factory=list)

    def play(self, row: Row, act: Callable[[Scene], None], *, turn: int) -> None:
        scene = self.scene(self.lane, turn=turn, long=not self.options.short)
        try:
            act(scene)
            scene.settle()
            row.runs += 1
            row.recoveries.append(scene.recovery)
            self._note_unmet(row)
        except NotReached as why:
            row.notes.append(f"not reached: {why}")
        except BREAKS as error:
            scene.findings.append(Broken("I9", f"{type(error).__name__}: {error}"))
        finally:
            self.lane.house.mend()
        row.findings += scene.findings
        everybody = [*scene.batches, *(batch for _, batch in scene.beside)]
        self.owners += [(row, batch) for batch in everybody if batch.run_id]
        told = "; ".join(f"{each.invariant} {each.about}" for each in scene.findings) or f"{scene.recovery:.1f} s"
        self.report.say(f"{row.fault} {row.title} ({row.database}): {told}")

    def _note_unmet(self, row: Row) -> None:
        """Wrong answers nobody has met prove nothing."""
        house = self.lane.house
        rules = [rule for vendor in (house.smarthr, house.freee) for rule in vendor.ask("GET", "faults")]
        met = sum(rule["fired"] > 0 for rule in rules)
        if met < len(rules):
            row.notes.append(f"{met} of {len(rules)} wrong answers met")

    def judge_mails(self) -> None:
        """At the end, because a mail may take longer than its run."""
        wanted = {batch.run_id for _, batch in self.owners if batch.mails}

        def all_came() -> bool:
            """And no copy is still to come from a sender thought dead."""
            waiting = self.lane.house.api.get("/api/v1/queue")["mails_waiting"]
            return not waiting and wanted <= {mail.run_id for mail in self._mails()}

        try:
            wait_for(all_came, seconds=MAILS_SECONDS, what="mails")
        except TimeoutError:
            self.report.say("some mails have not come")
        time.sleep(2)  # a second one would be seen
        received = self._mails()
        for row, batch in self.owners:
            mine = [mail for mail in received if mail.run_id == batch.run_id]
            row.mails.append(len({mail.message_id for mail in mine}))
            row.copies += len(mine) - row.mails[-1]
            row.findings += judge_mails(batch, mine)

    def _mails(self) -> Sequence[Mail]:
        return mails(self.lane.house.mails)

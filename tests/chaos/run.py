"""`make chaos`: plays the catalogue on real houses, judges, prints the table; exits non-zero when an invariant broke.

`--short`: each fault once on SQLite and a chosen few on PostgreSQL, boundaries in portions. Else every fault
`--repeat` times (20) on every database. Lanes are houses that work at the same time.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType

import requests

from app.practice.demo import DemoError
from app.practice.surroundings import StartError
from tests.chaos import automatic, disk, sweep
from tests.chaos.catalogue import BOTH, DISK, ELSEWHERE, FAULTS, SQLITE, SWEEPS, Fault
from tests.chaos.evidence import Mail, mails
from tests.chaos.house import stop_everything
from tests.chaos.judge import Broken, judge_mails
from tests.chaos.parts import wait_for
from tests.chaos.scene import Lane, NotReached, Scene, opened
from tests.chaos.table import Row, render
from tests.chaos.workload import Batch
from tests.storage.servers import missing_parts

MAILS_SECONDS = 240
"""A mail whose sender died waits for that sender's lease of three minutes."""
LONG_LIST = 16
PORTION = {True: 16, False: 4}
"""Boundaries armed at once: short, long."""
PEOPLE = 16
BREAKS = (TimeoutError, AssertionError, DemoError, StartError, requests.RequestException, OSError, LookupError)
"""What a scene raises when the house no longer does what it should."""


@dataclass(frozen=True)
class Options:
    short: bool = False
    repeat: int = 20
    only: tuple[str, ...] = ()
    databases: tuple[str, ...] = BOTH
    lanes: int = 3
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="awase-chaos-")))

    def wants(self, name: str) -> bool:
        """`F13` means F13a to F13e, and not F1 all the others that begin with it."""
        return not self.only or any(re.fullmatch(rf"{re.escape(each)}[a-z]?", name, re.I) for each in self.only)


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
        self.owners += [(row, batch) for batch in scene.batches if batch.run_id]
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


def play_faults(faults: Sequence[Fault], database: str, options: Options, report: Report, part: int) -> None:
    with opened(options.folder / f"faults-{database}-{part}", database, people=PEOPLE) as lane:
        player = Player(lane, options, report)
        for fault in faults:
            row = report.row(fault.name, fault.title, database)
            for turn in range(1 if options.short else options.repeat):
                player.play(row, fault.play, turn=turn)
        player.judge_mails()


def play_sweep(what: str, database: str, options: Options, report: Report) -> None:
    """Trace, then `what` at every boundary."""
    with opened(options.folder / f"{what}-{database}", database, people=PEOPLE, env=sweep.FORGIVING) as lane:
        player = Player(lane, options, report)
        player.play(report.row("trace", "an ordinary day without a fault", database), sweep.ordinary_day, turn=0)
        sites = lane.house.failpoints.seen()
        row = report.row(what, SWEEPS[what], database)
        met: set[str] = set()
        for turn in range(1 if options.short else options.repeat):
            if not options.short:
                random.shuffle(sites)
            for portion in sweep.groups(sites, PORTION[options.short]):
                player.play(row, partial(_meet, sites=portion, what=what, met=met), turn=turn)
        row.notes.append(f"{len(met)} of {len(sites)} boundaries met")
        report.say(f"{what}: not met again: {' '.join(sorted(set(sites) - met))}")
        player.judge_mails()


def _meet(scene: Scene, sites: Sequence[str], what: str, met: set[str]) -> None:
    met.update(set(sites) - set(sweep.meet(scene, sites, what)))


def play_automatic(database: str, options: Options, report: Report) -> None:
    """Webhooks instead of buttons. Mails: every run that has one has one."""
    folder = options.folder / f"automatic-{database}"
    with opened(folder, database, people=PEOPLE, automatic=True, scene=automatic.AutomaticScene) as lane:
        player = Player(lane, options, report, automatic.AutomaticScene)
        for name, (title, act) in automatic.ACTS.items():
            if options.wants(name):
                row = report.row(name, title, database)
                for turn in range(1 if options.short else options.repeat):
                    player.play(row, act, turn=turn)
        ids = Counter(mail.run_id for mail in set(mails(lane.house.mails)))
        row = report.row("W", "webhooks: every run of all of them", database)
        row.mails = list(ids.values())
        row.findings += [
            Broken("I4", f"run {run} has {count} different mails") for run, count in ids.items() if count > 1
        ]


def lanes(options: Options, report: Report) -> list[Callable[[], None]]:
    """What may work at the same time, the longest first."""
    work: list[Callable[[], None]] = []
    for database in options.databases:
        if database == SQLITE or not options.short:
            work += [partial(play_sweep, what, database, options, report) for what in SWEEPS if options.wants(what)]
        chosen = [
            fault
            for fault in FAULTS
            if options.wants(fault.name) and database in (fault.short if options.short else fault.databases)
        ]
        if any(map(options.wants, automatic.ACTS)) and (database == SQLITE or not options.short):
            work.append(partial(play_automatic, database, options, report))
        for part, portion in enumerate(_portions(chosen, options)):
            work.append(partial(play_faults, portion, database, options, report, part))
    if options.wants(DISK):
        work.append(partial(disk.play, options.folder / "disk", report.row(DISK, "disk full", SQLITE)))
    return work


def _portions(faults: Sequence[Fault], options: Options) -> list[Sequence[Fault]]:
    """Two houses share a long list: most of a fault is waiting."""
    shares = [faults[::2], faults[1::2]] if len(faults) > LONG_LIST and options.lanes > 1 else [faults]
    return [share for share in shares if share]


def _guarded(lane: Callable[[], None], report: Report) -> None:
    """A house that cannot be opened, or is beyond use, is a finding like any other."""
    try:
        lane()
    except BREAKS as error:
        report.row("house", "a house came to its end", "-").findings.append(
            Broken("I9", f"{type(error).__name__}: {error}")
        )


def play(options: Options) -> Report:
    report = Report()
    if "postgresql" in options.databases and (reason := missing_parts()):
        report.say(f"PostgreSQL: skipped, {reason}")
        options = replace(options, databases=(SQLITE,))
    with ThreadPoolExecutor(options.lanes) as pool:
        for done in [pool.submit(_guarded, lane, report) for lane in lanes(options, report)]:
            done.result()
    return report


def told(report: Report) -> str:
    elsewhere = "\n".join(f"  {name}: {where}" for name, where in ELSEWHERE.items())
    return f"{render(report.rows)}\n\nProved elsewhere or not at all:\n{elsewhere}"


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    databases = (given.database,) if given.database else BOTH
    options = Options(given.short, given.repeat, tuple(given.only), databases, given.lanes)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stop)
    report = play(options)
    print(told(report))
    if report.broken:
        print(f"logs: {options.folder}")
        return 1
    shutil.rmtree(options.folder)
    return 0


def _stop(number: int, _frame: FrameType | None) -> None:
    """Ends every process of every house; the lanes are threads that would go on otherwise."""
    stop_everything()
    os._exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run")
    parser.add_argument("--short", action="store_true", help="each fault once")
    parser.add_argument("--repeat", type=int, default=20, help="how often each fault is played")
    parser.add_argument("--only", action="append", default=[], help="names that begin so: F7, kill, raise")
    parser.add_argument("--database", choices=BOTH)
    parser.add_argument("--lanes", type=int, default=3, help="houses that work at the same time")
    return parser


if __name__ == "__main__":
    sys.exit(main())

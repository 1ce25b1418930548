"""`make chaos`: plays the catalogue on real houses, judges, prints the table; exits non-zero when an invariant broke.

`--short`: each fault once on SQLite and a chosen few on PostgreSQL, boundaries in portions. Else every fault
`--repeat` times (20) on every database. Lanes are houses that work at the same time. `--connections 20`: the faults of
processes, broker, database and vendors in a house of so many companies, each with a run of its own meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import FrameType, MappingProxyType

from tests.chaos import automatic, disk, restore, sweep, versions
from tests.chaos.catalogue import AUTOMATIC, BOTH, DISK, ELSEWHERE, FAULTS, RESTORES, SQLITE, SWEEPS, VERSIONS, Fault
from tests.chaos.evidence import mails
from tests.chaos.house import stop_everything
from tests.chaos.judge import Broken, judge_found
from tests.chaos.player import BREAKS, Options, Player, Report
from tests.chaos.scene import Scene, opened
from tests.chaos.table import render
from tests.storage.servers import missing_parts

LONG_LIST = 16
PORTION = {True: 16, False: 4}
"""Boundaries armed at once: short, long."""
PEOPLE = 16
MAIL = "F13"
NOTHING_MORE: Mapping[str, str] = MappingProxyType({})


def play_faults(faults: Sequence[Fault], database: str, options: Options, report: Report, part: int) -> None:
    folder = options.folder / f"faults-{database}-{part}"
    with opened(folder, database, people=PEOPLE, connections=options.connections) as lane:
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


def play_automatic(
    acts: Sequence[Fault], database: str, options: Options, report: Report, *, env: Mapping[str, str] = NOTHING_MORE
) -> None:
    """Webhooks instead of buttons. Mails: every run that has one has one."""
    folder = options.folder / f"{acts[0].name}-{database}"
    with opened(folder, database, people=PEOPLE, automatic=True, scene=automatic.AutomaticScene, env=env) as lane:
        player = Player(lane, options, report, automatic.AutomaticScene)
        for act in acts:
            row = report.row(act.name, act.title, database)
            for turn in range(1 if options.short else options.repeat):
                player.play(row, act.play, turn=turn)
        received = mails(lane.house.mails)
        row = report.row(f"W {acts[0].name}", "webhooks: mails of that whole house", database)
        row.mails = list(Counter(mail.run_id for mail in set(received) if mail.run_id).values())
        row.copies = len(received) - len(set(received))
        row.findings += judge_found(received)


def play_versions(database: str, options: Options, report: Report) -> None:
    """A house is migrated once, so each repetition has its own."""
    older = versions.older_checkout(options.folder / f"older-{database}")
    for fault in chosen(VERSIONS, database, options):
        row = report.row(fault.name, fault.title, database)
        if older is None:
            row.notes.append("skipped: no history of the project here")
            continue
        for turn in range(1 if options.short else options.repeat):
            folder = options.folder / f"{fault.name}-{database}-{turn}"
            with opened(folder, database, people=PEOPLE, checkout=older) as lane:
                player = Player(lane, options, report)
                player.play(row, fault.play, turn=turn)
                player.judge_mails()


def chosen(faults: Sequence[Fault], database: str, options: Options) -> list[Fault]:
    return [
        fault
        for fault in faults
        if options.wants(fault.name) and database in (fault.short if options.short else fault.databases)
    ]


def lanes(options: Options, report: Report) -> list[Callable[[], None]]:
    """What may work at the same time, the longest first."""
    if options.connections > 1:
        return [
            partial(play_faults, portion, database, options, report, part)
            for database in options.databases
            for part, portion in enumerate(_portions(_of_many(chosen(FAULTS, database, options)), options))
        ]
    work: list[Callable[[], None]] = []
    for database in options.databases:
        if database == SQLITE or not options.short:
            work += [partial(play_sweep, what, database, options, report) for what in SWEEPS if options.wants(what)]
        if acts := chosen(AUTOMATIC, database, options):
            work.append(partial(play_automatic, acts, database, options, report))
        for part, portion in enumerate(_portions(chosen(FAULTS, database, options), options)):
            work.append(partial(play_faults, portion, database, options, report, part))
        if acts := chosen(RESTORES, database, options):
            work.append(partial(play_automatic, acts, database, options, report, env=restore.SWEEPING))
        if chosen(VERSIONS, database, options):
            work.append(partial(play_versions, database, options, report))
    if options.wants(DISK):
        work.append(partial(disk.play, options.folder / "disk", report.row(DISK, "disk full", SQLITE)))
    return work


def _of_many(faults: Sequence[Fault]) -> list[Fault]:
    """Faults among which companies make a difference: the mail server knows none, and its next answers, which are
    counted, would be used up by mails of others."""
    return [fault for fault in faults if not fault.name.startswith(MAIL)]


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
    options = Options(
        given.short, given.repeat, tuple(given.only), databases, given.lanes, connections=given.connections
    )
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
    parser.add_argument(
        "--connections",
        type=int,
        default=1,
        help="companies in a house, all at work in every fault of process or vendor",
    )
    parser.add_argument("--lanes", type=int, default=3, help="houses that work at the same time")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`make hosts`: three hosts, one PostgreSQL, one broker. What breaks in a run costs time and nothing else.

Prints a table; exits 1 when anything is lost, doubled, told twice or not finished. Names of cases play only these.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.judge import Broken
from tests.chaos.parts import wait_for
from tests.hosts.network import missing_parts
from tests.hosts.rehearsal import Rehearsal, opened
from tests.storage.servers import missing_parts as missing_server
from tests.storage.servers import restart_cluster

OFF = 300
"""Seconds by which a clock is wrong."""


@dataclass(frozen=True)
class Case:
    """`before`, `after`: what is done while no run goes on; `play`: in the middle of one."""

    title: str
    play: Callable[[Rehearsal], None] = lambda _: None
    before: Callable[[Rehearsal], None] = lambda _: None
    after: Callable[[Rehearsal], None] = lambda _: None


# ── clocks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _set_clock(rehearsal: Rehearsal, number: int, off: int) -> None:
    host = rehearsal.hosts[number - 1]
    host.stop()
    host.start(off=off)
    wait_for(rehearsal.ready, seconds=90, what=f"{host.name}, {off:+d} s")


def _skewed(number: int, off: int, title: str) -> Case:
    def told(rehearsal: Rehearsal) -> None:
        host = rehearsal.hosts[number - 1]
        assert rehearsal.said("clock_skewed", host), f"{host.name} does not say that its clock is wrong"

    return Case(
        title,
        before=lambda rehearsal: _set_clock(rehearsal, number, off),
        play=told,
        after=lambda rehearsal: _set_clock(rehearsal, number, 0),
    )


# ── hosts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _kill(rehearsal: Rehearsal) -> None:
    rehearsal.hosts[1].kill()


def _start_again(rehearsal: Rehearsal) -> None:
    rehearsal.hosts[1].start()
    wait_for(rehearsal.ready, seconds=90, what="host2 again")


def _cut_after_a_write(rehearsal: Rehearsal) -> None:
    """A worker stands still after freee has carried out its write and before it knows; then its host is cut off."""
    site = next(each for each in rehearsal.failpoints.seen() if each.startswith("after_put"))
    before = len(rehearsal.failpoints.hits())
    rehearsal.failpoints.arm(site, "freeze")
    wait_for(lambda: len(rehearsal.failpoints.hits()) > before, seconds=60, what="a worker in the middle of a write")
    pid = rehearsal.failpoints.hits()[-1][1]
    host = rehearsal.host_of(pid)
    host.cut()
    os.kill(pid, signal.SIGCONT)


def _join(rehearsal: Rehearsal) -> None:
    for host in rehearsal.hosts:
        host.join()
    rehearsal.failpoints.disarm()
    wait_for(rehearsal.ready, seconds=120, what="the host that was cut off")


# ── what they share ───────────────────────────────────────────────────────────────────────────────────────────────


def _restart_broker(rehearsal: Rehearsal) -> None:
    rehearsal.broker.stop()
    time.sleep(2)
    rehearsal.broker.start()


CASES = {
    "quiet": Case("nothing"),
    "ahead": _skewed(2, OFF, "a working host's clock is 5 min ahead"),
    "behind": _skewed(2, -OFF, "a working host's clock is 5 min behind"),
    "leader-ahead": _skewed(1, OFF, "the answering host's clock is 5 min ahead"),
    "leader-behind": _skewed(1, -OFF, "the answering host's clock is 5 min behind"),
    "kill-host": Case("a working host loses its power", _kill, after=_start_again),
    "cut-host": Case("a working host is cut off after a write was sent", _cut_after_a_write, after=_join),
    "database-fast": Case("PostgreSQL is restarted (fast)", lambda r: restart_cluster(r.cluster, "fast")),
    "database-crash": Case("PostgreSQL crashes (immediate)", lambda r: restart_cluster(r.cluster, "immediate")),
    "broker": Case("the broker loses everything", _restart_broker),
}


@dataclass
class Played:
    name: str
    took: float
    found: list[Broken]
    outages: int
    crashed: int


def play(rehearsal: Rehearsal, name: str, *, people: int) -> Played:
    case = CASES[name]
    case.before(rehearsal)
    outages, crashed = rehearsal.said("database_unavailable"), rehearsal.said("job_crashed")
    try:
        took, found = rehearsal.play(case.play, people=people - people // 5, creates=people // 5)
    except (TimeoutError, AssertionError) as error:
        took, found = 0.0, [Broken("I9", str(error))]
    outages, crashed = rehearsal.said("database_unavailable") - outages, rehearsal.said("job_crashed") - crashed
    case.after(rehearsal)
    if crashed:
        found.append(Broken("I9", f"an outage is told as {crashed} bugs"))
    return Played(name, took, found, outages, crashed)


def table(played: list[Played]) -> str:
    lines = [
        "| what happens in the run | run, s | lines about an outage | lost, doubled, told twice |",
        "|---|---:|---:|---|",
    ]
    for each in played:
        broken = "; ".join(f"{one.invariant} {one.about}" for one in each.found) or "nothing"
        lines.append(f"| {CASES[each.name].title} | {each.took:.0f} | {each.outages} | {broken} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make hosts")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; none: all")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="kept, with the logs of every host")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    reason = missing_parts() or missing_server()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    folder = options.folder or Path(tempfile.mkdtemp(prefix="awase-hosts-"))
    played = []
    with opened(folder, people=options.people) as rehearsal:
        for name in options.cases or CASES:
            played.append(play(rehearsal, name, people=options.people))
            print(f"{name}: {played[-1].took:.1f} s {played[-1].found or 'ok'}", file=sys.stderr, flush=True)
    print(table(played))
    broken = any(each.found for each in played)
    if not broken and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"logs: {folder}", file=sys.stderr)
    return int(broken)


def _interrupted(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(main())

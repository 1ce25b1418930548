"""`python -m tests.bench.work`: what one employee costs us: own CPU, statements and commits, in one process.

Jobs and surveys run one after the other on this thread, against both practice vendors over HTTP in other threads, on
SQLite (or the migrated database of `--database`). CPU is that of this thread alone, so vendors and their answers do not
count; RQ, the relay and leases renewed in other threads do not either. Nothing here is asserted: figures belong to
their machine, and are for the work before and after a change. What else the machine has to do makes all of them
larger; a fixed piece of work, done in between, tells by how much.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

from sqlalchemy import Connection, Engine, event

from app.domain.enums import Direction
from app.domain.ports import QueuedJob
from app.logs import configure_logging
from app.practice.staff import practice_company
from app.telemetry.process import telling
from app.use_cases.upkeep import relay
from tests.house import House, open_house

_WRITES = ("INSERT", "UPDATE", "DELETE")
_NOT_COUNTED = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "PRAGMA")


@dataclass
class Cost:
    cpu: float = 0.0
    statements: int = 0
    transactions: int = 0
    commits: int = 0
    """Transactions that changed a row: each waits for the disk."""
    texts: Counter[str] = field(default_factory=Counter)


class Meter:
    """Counts what one thread asks of a database."""

    def __init__(self, engine: Engine) -> None:
        self._cost: Cost | None = None
        self._thread = threading.get_ident()
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "after_cursor_execute", self._done)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "commit", self._commit)
        event.listen(engine, "rollback", lambda connection: connection.info.pop("changed", None))

    @contextmanager
    def measured(self) -> Iterator[Cost]:
        cost = self._cost = Cost()
        began = time.thread_time()
        try:
            yield cost
        finally:
            cost.cpu = time.thread_time() - began
            self._cost = None

    @property
    def _now(self) -> Cost | None:
        return self._cost if threading.get_ident() == self._thread else None

    def _statement(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if (cost := self._now) and not statement.startswith(_NOT_COUNTED):
            cost.statements += 1
            cost.texts[" ".join(statement.split())] += 1

    def _done(self, connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(_WRITES) and cursor.rowcount:
            connection.info["changed"] = True

    def _begin(self, _connection: Connection) -> None:
        if cost := self._now:
            cost.transactions += 1

    def _commit(self, connection: Connection) -> None:
        if connection.info.pop("changed", False) and (cost := self._now):
            cost.commits += 1


def fixed_work() -> float:
    """Seconds of CPU that always the same piece of work takes."""
    began = time.thread_time()
    found: dict[str, int] = {}
    for number in range(6_000):
        text = f"{number % 97}-{number}"
        found[text.partition("-")[0]] = found.get(text, 0) + len(text.upper().split("-"))
    return time.thread_time() - began


def main() -> int:
    asked = _arguments()
    os.environ["LOG_LEVEL"] = "WARNING"
    configure_logging("WARNING")
    with tempfile.TemporaryDirectory(prefix="awase-work-") as folder:
        more = {"DATABASE_URL": asked.database} if asked.database else {}
        more |= {"OTEL_EXPORTER_OTLP_ENDPOINT": asked.collector} if asked.collector else {}
        today = practice_company.japan_today()
        company = practice_company.build_company(today, extra=asked.extra, equal_share=asked.equal_share)
        house = open_house(Path(folder), company, **more)
        gc.collect()
        gc.freeze()  # the vendors' people are none of ours, and the collector would walk through all of them
        try:
            with telling(house.ctx.settings, "bench"):
                _measure(house, asked)
        finally:
            house.close()
    return 0


def _measure(house: House, asked: argparse.Namespace) -> None:
    meter = Meter(house.database.engine)
    profile = cProfile.Profile(time.thread_time) if asked.profile else None
    for title, direction in (
        ("first run, SmartHR → freee", Direction.SMARTHR_TO_FREEE),
        ("once more, nothing to do", Direction.SMARTHR_TO_FREEE),
        ("a third time", Direction.SMARTHR_TO_FREEE),
        ("a fourth time, as the third", Direction.SMARTHR_TO_FREEE),
        ("the other way", Direction.FREEE_TO_SMARTHR),
    ):
        run = house.start(direction)
        fixed: list[float] = []
        costs = _worked(house, meter, asked, profile if asked.profile in title else None, fixed)
        counts = {state.value: count for state, count in house.seen(run).counts.items()}
        print(f"\n{title}: {counts}; fixed work: {median(fixed) * 1000:.2f} ms")
        states = {item.id: f"{item.kind}: {item.state.value}" for item in house.items(run)}
        _tell(costs, states, people=len(states), texts=asked.texts)
    if profile is not None:
        pstats.Stats(profile).sort_stats(asked.sort).print_stats(asked.lines)


def _worked(
    house: House, meter: Meter, asked: argparse.Namespace, profile: cProfile.Profile | None, fixed: list[float]
) -> list[tuple[QueuedJob, Cost]]:
    costs: list[tuple[QueuedJob, Cost]] = []
    while True:
        relay.relay_once(house.ctx)
        jobs = house.queue.take()
        if not jobs:
            return costs
        for job in jobs:
            if profile is not None and job.function.endswith(asked.only):
                profile.enable()
            with meter.measured() as cost:
                house.do(job)
            if profile is not None:
                profile.disable()
            costs.append((job, cost))
            if len(costs) % 10 == 1:
                fixed.append(fixed_work())


def _tell(costs: list[tuple[QueuedJob, Cost]], states: dict[int, str], *, people: int, texts: bool) -> None:
    groups: dict[str, list[Cost]] = defaultdict(list)
    for job, cost in costs:
        if job.function.endswith("survey_run"):
            print(f"  survey: {cost.cpu * 1000 / max(people, 1):.2f} ms per person, {cost.statements} statements")
        if job.function.endswith("sync_item"):
            groups[states.get(int(job.args[0]), "?")].append(cost)
    print(f"  {'job':<28}{'jobs':>6}{'CPU ms':>9}{'statements':>12}{'transactions':>14}{'commits':>9}")
    for name, found in sorted(groups.items(), key=lambda each: -len(each[1])):
        print(
            f"  {name:<28}{len(found):>6}{mean(cost.cpu for cost in found) * 1000:>9.2f}"
            f"{mean(cost.statements for cost in found):>12.1f}{mean(cost.transactions for cost in found):>14.1f}"
            f"{mean(cost.commits for cost in found):>9.1f}"
        )
        if texts:
            told: Counter[str] = sum((cost.texts for cost in found), Counter())
            for text, number in told.most_common():
                print(f"      {number / len(found):>6.2f}  {text[:150]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.work", description="What one employee costs us.")
    parser.add_argument("--extra", type=int, default=240, help="generated people beside the base people")
    parser.add_argument("--equal-share", type=float, default=0.5, help="of the generated people")
    parser.add_argument("--database", help="a migrated, empty database of its own; SQLite when not given")
    parser.add_argument(
        "--collector", help="tell this address of it, as OTEL_EXPORTER_OTLP_ENDPOINT; not when not given"
    )
    parser.add_argument("--texts", action="store_true", help="every statement with how often a job sends it")
    parser.add_argument(
        "--profile", default="", help="profile the run with this in its title: first, once, fourth, other"
    )
    parser.add_argument("--only", default="sync_item", help="profile only these jobs: sync_item or survey_run")
    parser.add_argument("--sort", default="tottime", help="order of the profile")
    parser.add_argument("--lines", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

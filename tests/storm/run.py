"""`make storm`: thousands of webhooks at once on a real house, judged from outside; a table, and var/storm.json.

`python -m tests.storm.run [--webhooks 10000] [--database sqlite|postgresql] [--connections 20]`. Exits non-zero when
something was lost, doubled or unequal, did not end, or a canary was found. Latencies are told, not judged: they belong
to their machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from app.practice.house.processes import ROOT
from tests.chaos.house import stop_everything
from tests.storage.servers import missing_parts
from tests.storm.latency import TARGETS
from tests.storm.storm import Options, play

P99_TARGET_MS = 250
FAULTS = ("lost", "doubled", "unequal", "open")
MOST_TOLD = 5


def passed(told: Mapping[str, Any]) -> bool:
    canary = told["canary"]
    return not (any(told["verdict"].values()) or canary["leaks"] or canary["self_test_missed"])


def table(told: Mapping[str, Any]) -> str:
    """One storm, a figure a line, what was wanted beside it."""
    answers, verdict, canary = told["answers"], told["verdict"], told["canary"]
    rows = [
        (f"webhooks ({told['database']})", f"{told['webhooks']}", f"{told['deliveries']} deliveries"),
        ("people", f"{told['people']}", f"quiet window {told['quiet_window']} s"),
        ("companies", f"{told['companies']}", ""),
        *((name, f"{len(verdict[name])}", "0 wanted") for name in FAULTS),
        ("answers", " ".join(f"{status}: {count}" for status, count in sorted(answers["statuses"].items())), ""),
        ("answers per second", f"{answers['per_second']}", f"in {answers['seconds']} s"),
        ("p50, p99, max ms", f"{answers['p50_ms']}, {answers['p99_ms']}, {answers['max_ms']}", _p99_target()),
        ("load before, at the end", "{}, {}".format(*told["load"]), f"{os.cpu_count()} CPUs"),
        ("workers killed", f"{told['killed']}", ""),
        ("quiet after", f"{told['quiet_seconds']} s", ""),
        ("runs", " ".join(f"{trigger}: {count}" for trigger, count in told["runs"].items()), ""),
        ("items of webhooks", " ".join(f"{state}: {count}" for state, count in told["items"].items()), ""),
        ("mails about runs", f"{told['mails']}", ""),
        ("canaries found", f"{len(canary['leaks'])}", f"{canary['canaries']} looked for"),
        *(("  searched", place, amount) for place, amount in canary["searched"].items()),
        ("  planted, not found", f"{len(canary['self_test_missed'])}", "0 wanted"),
        *_latency_rows(told.get("latency", {})),
    ]
    lines = [f"{name:<28}{figure:<44}{more}".rstrip() for name, figure, more in rows]
    lines += [f"× {name}: {about}" for name in FAULTS for about in verdict[name][:MOST_TOLD]]
    lines += [f"× canary in {place} ({count})" for place, count in list(canary["leaks"].items())[:MOST_TOLD]]
    lines += [f"× planted and not found in {place}" for place in canary["self_test_missed"]]
    return "\n".join(lines)


def _p99_target() -> str:
    return f"p99 < {P99_TARGET_MS} wanted"


def _latency_rows(latency: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for window, told in latency.items():
        for direction in ("smarthr_to_freee", "freee_to_smarthr"):
            one = told[direction]
            figure = f"median {one['median']} s ({one['min']} to {one['max']}, {one['edits']} edits)"
            more = f"< {TARGETS[window]:.0f} wanted; load {told['load'][0]} to {told['load'][1]}"
            rows.append((f"{direction}, {window}", figure, more))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if given.database == "postgresql" and (reason := missing_parts()):
        print(reason, file=sys.stderr)
        return 2
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, _stop)
    options = Options(
        webhooks=given.webhooks,
        people=given.people,
        database=given.database,
        latency_edits=given.latency_edits,
        quiet_window=given.quiet_window,
        connections=given.connections,
    )
    folder = Path(tempfile.mkdtemp(prefix="awase-storm-", dir="/var/tmp"))
    told = play(folder, options)
    _keep(told, given.json)
    print(table(told))
    if not passed(told):
        print(f"logs: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


def _keep(told: Mapping[str, Any], file: Path) -> None:
    """One entry for each database and number of companies, the last storm of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept[told["database"] + (f", {told['companies']} companies" if told["companies"] > 1 else "")] = told
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _stop(number: int, _frame: FrameType | None) -> None:
    """Every process of the house ends; threads would go on otherwise."""
    stop_everything()
    os._exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.storm.run", description="A storm of webhooks.")
    parser.add_argument("--webhooks", type=int, default=Options.webhooks)
    parser.add_argument("--people", type=int, default=Options.people, help="of the practice company, beside its own")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument(
        "--latency-edits", type=int, default=Options.latency_edits, help="each way, each window; 0: none"
    )
    parser.add_argument("--connections", type=int, default=1, help="companies that share people and webhooks")
    parser.add_argument("--quiet-window", default=Options.quiet_window, help="seconds, during the storm")
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "storm.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: the whole engine against the straight script, in the same run on the same machine, as ratios.

Real processes under supervisord, the embedded broker, SQLite, both practice vendors over HTTP, answering at once and
after 50 ms. Engine and script take turns at going first. Nothing here is asserted: figures belong to their machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from app.practice.house.processes import ROOT
from app.practice.staff import practice_company
from tests.bench.measure import one_round
from tests.bench.report import memory, summarise, table

OUT_OF_THE_WAY = {"SMARTHR_LIMITS": "1000/s", "FREEE_LIMITS": "1000/s", "LOG_LEVEL": "WARNING"}
"""The vendors' rate limits would decide every figure; the limiter itself stays at work."""
OWN = ("DATABASE_URL", "REDIS_URL")
"""Each round has a database and a broker of its own."""


def main() -> int:
    asked = _arguments()
    os.environ.update(OUT_OF_THE_WAY)
    for name in OWN:
        os.environ.pop(name, None)
    extra = max(0, asked.employees - practice_company.BASE_SIZE)
    began, load = time.monotonic(), os.getloadavg()[0]
    rounds: dict[str, list[dict[str, Any]]] = {f"{delay * 1000:.0f} ms": [] for delay in asked.delays}
    for number in range(asked.rounds):
        for name, delay in zip(rounds, asked.delays, strict=True):
            print(f"round {number + 1} of {asked.rounds}, vendors answer in {name} ...", file=sys.stderr, flush=True)
            rounds[name].append(
                one_round(extra=extra, equal_share=asked.equal_share, delay=delay, engine_first=number % 2 == 0)
            )
    results = {
        "delays": {name: summarise(each) for name, each in rounds.items()},
        "peak_memory": memory([one for each in rounds.values() for one in each]),
        "asked": {"employees": asked.employees, "equal_share": asked.equal_share, "rounds": asked.rounds},
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": round(load, 1),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "took_seconds": round(time.monotonic() - began),
        "rounds": rounds,
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(results))
    took = results["took_seconds"]
    print(f"{os.cpu_count()} CPUs, load {load:.1f} before the start, {took} s; every round in {_shown(asked.json)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description="Whole engine against a straight script.")
    parser.add_argument("--employees", type=int, default=300, help="people in SmartHR, base people included")
    parser.add_argument("--equal-share", type=float, default=0.5, help="of the generated people")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delays", type=_delays, default=_delays("0,0.05"), help="seconds, with commas between them")
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench.json")
    return parser.parse_args()


def _delays(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _shown(file: Path) -> Path:
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


if __name__ == "__main__":
    sys.exit(main())

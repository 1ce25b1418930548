"""`make bench`: the whole engine against the straight script, in the same run on the same machine, as ratios.

Real processes under supervisord, the embedded broker, SQLite, both practice vendors over HTTP, answering at once and
after 50 ms. Engine and script take turns at going first. Then what an installation costs: own CPU by process, memory
while 32 jobs wait, 20 connections at their quotas, one long run under a quota. `--checkout DIR` measures another
version beside this one. Nothing here is asserted: figures belong to their machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.practice.house.processes import ROOT
from app.practice.staff import practice_company
from tests.bench import quota, statements, waiting
from tests.bench.goals import goals
from tests.bench.measure import one_round
from tests.bench.peers.rounds import PEERS, installed, peer_round, waiting_of
from tests.bench.report import memory, summarise, table

OUT_OF_THE_WAY = {"SMARTHR_LIMITS": "1000/s", "FREEE_LIMITS": "1000/s", "LOG_LEVEL": "WARNING"}
"""The vendors' rate limits would decide every figure; the limiter itself stays at work."""
OWN = ("DATABASE_URL", "REDIS_URL")
"""Each round has a database and a broker of its own."""
PARTS = ("rounds", "work", "waiting", "quota", "long")
Rounds = dict[str, list[dict[str, Any]]]


def main() -> int:
    asked = _arguments()
    os.environ.update(OUT_OF_THE_WAY)
    for name in OWN:
        os.environ.pop(name, None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the house of the moment is stopped as well
    began, load = time.monotonic(), os.getloadavg()[0]
    checkouts = {**({"before": asked.checkout.resolve()} if asked.checkout else {}), "this": ROOT}
    columns = {name: _measured(checkout, asked, name) for name, checkout in checkouts.items()}
    columns |= {peer: _peer(peer, asked) for peer in (PEERS if asked.peers else ())}
    results = {
        "columns": {name: _summary(columns[name]) for name in checkouts},
        "asked": {"employees": asked.employees, "equal_share": asked.equal_share, "rounds": asked.rounds},
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": round(load, 1),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "took_seconds": round(time.monotonic() - began),
        "measured": columns,
    }
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for name, column in columns.items():
        if "rounds" in column and name in checkouts:
            print(f"── {name} ──\n{table(_summary(column))}\n")
    print(goals(columns))
    took = results["took_seconds"]
    print(f"{os.cpu_count()} CPUs, load {load:.1f} before the start, {took} s; every round in {_shown(asked.json)}")
    return 0


def _measured(checkout: Path, asked: argparse.Namespace, name: str) -> dict[str, Any]:
    """Every part that was asked for, of one checkout."""
    found: dict[str, Any] = {}
    for part in asked.parts:
        print(f"{name}: {part} ...", file=sys.stderr, flush=True)
        if part == "rounds":
            found[part] = _rounds(checkout, asked)
        elif part == "work" and (told := statements.per_employee(checkout)):
            found[part] = told
        elif part == "waiting":
            found[part] = waiting.jobs_waiting(checkout)
        elif part == "quota":
            found[part] = quota.connections_at_quota(checkout)
        elif part == "long":
            found[part] = quota.long_run(checkout, people=asked.long_people, speed=asked.long_speed)
    return found


def _rounds(checkout: Path, asked: argparse.Namespace) -> Rounds:
    def play(number: int, **company: Any) -> dict[str, Any]:
        return one_round(checkout, **company, engine_first=number % 2 == 0)

    return _played(play, asked)


def _peer(peer: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The same jobs without the engine: fetch, plan, write, and nothing else."""
    print(f"{peer} ...", file=sys.stderr, flush=True)
    rounds = _played(lambda _number, **company: peer_round(peer, **company), asked)
    return {"rounds": rounds, "waiting": waiting_of(rounds)}


def _played(play: Callable[..., dict[str, Any]], asked: argparse.Namespace) -> Rounds:
    extra = max(0, asked.employees - practice_company.BASE_SIZE)
    rounds: Rounds = {f"{delay * 1000:.0f} ms": [] for delay in asked.delays}
    for number in range(asked.rounds):
        for name, delay in zip(rounds, asked.delays, strict=True):
            print(f"  round {number + 1} of {asked.rounds}, vendors answer in {name} ...", file=sys.stderr, flush=True)
            rounds[name].append(play(number, extra=extra, equal_share=asked.equal_share, delay=delay))
    return rounds


def _summary(column: Mapping[str, Any]) -> dict[str, Any]:
    """Medians and ratios of the rounds, as the table shows them."""
    rounds: Rounds = column.get("rounds", {})
    return {
        "delays": {name: summarise(each) for name, each in rounds.items()},
        "peak_memory": memory([one for each in rounds.values() for one in each]),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description="Whole engine against a straight script.")
    parser.add_argument("--employees", type=int, default=300, help="people in SmartHR, base people included")
    parser.add_argument("--equal-share", type=float, default=0.5, help="of the generated people")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--delays", type=_delays, default=_delays("0,0.05"), help="seconds, with commas between them")
    parser.add_argument("--parts", type=_parts, default=PARTS, help=f"of {','.join(PARTS)}, with commas between them")
    parser.add_argument("--checkout", type=Path, help="another version, measured by the same bench before this one")
    parser.add_argument("--peers", action="store_true", help="the same jobs on other queues as well (make bench-peers)")
    parser.add_argument("--long-people", type=int, default=2000)
    parser.add_argument(
        "--long-speed", type=int, default=10, help="how many times the real permits; 1 takes half an hour"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench.json")
    asked = parser.parse_args()
    if asked.peers and not installed():
        parser.error("the peers are not installed: make bench-peers")
    return asked


def _delays(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _parts(text: str) -> tuple[str, ...]:
    asked = tuple(text.split(","))
    if unknown := set(asked) - set(PARTS):
        raise argparse.ArgumentTypeError(f"not among {','.join(PARTS)}: {','.join(sorted(unknown))}")
    return asked


def _shown(file: Path) -> Path:
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


if __name__ == "__main__":
    sys.exit(main())

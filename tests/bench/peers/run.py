"""`python -m tests.bench.peers.run celery|dramatiq …`: two passes of the same jobs on a peer; prints one JSON line.

The survey lists both sides as the straight script does, then everybody is a job of their own. The workers run before
the clock starts, 32 threads in one process, as ours do.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from app.domain.reading import readable_attributes
from app.practice.house.processes import ROOT
from app.practice.staff import practice_company
from tests.bench.peers import errand
from tests.bench.straight import script_for
from tests.bench.usage import memory_below, seconds_below

THREADS = 32
READY_SECONDS = 15.0
PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.5
"""Between two looks at the memory."""
COMMANDS = {
    "celery": (
        *("celery", "--app", "tests.bench.peers.celery_app", "worker", "--pool", "threads"),
        *("--concurrency", str(THREADS), "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
    ),
    "dramatiq": ("dramatiq", "tests.bench.peers.dramatiq_app", "--processes", "1", "--threads", str(THREADS)),
}


def one_pass(peer: str, asked: argparse.Namespace, worker: int) -> dict[str, Any]:
    """From nothing to the last job's end."""
    broker = redis.Redis(unix_socket_path=asked.socket, db=errand.DATABASE)
    for outcome in errand.OUTCOMES:
        broker.delete(f"bench:{outcome}")
    began, used = time.monotonic(), _own_cpu() + seconds_below(worker)
    errands = list(errand.errands(script_for(asked.smarthr, asked.freee, practice_company.japan_today())))
    bring = importlib.import_module(f"tests.bench.peers.{peer}_app").bring
    for each in errands:
        bring.delay(each) if peer == "celery" else bring.send(each)
    most, looked, counts = 0.0, began, dict.fromkeys(errand.OUTCOMES, 0)
    while sum(counts.values()) < len(errands):
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise SystemExit(f"{peer}: {counts} of {len(errands)} jobs after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.05)
        if time.monotonic() >= looked + LOOK_SECONDS:  # to look costs CPU of this process
            most, looked = max(most, memory_below(worker)), time.monotonic()
        counts = {outcome: int(broker.get(f"bench:{outcome}") or 0) for outcome in errand.OUTCOMES}
    seconds, cpu = time.monotonic() - began, _own_cpu() + seconds_below(worker) - used
    return {"seconds": seconds, "people": len(errands), "cpu": {peer: round(cpu, 2)}, "mib": most, **counts}


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def _worker(peer: str) -> Iterator[int]:
    program = f"{os.path.dirname(sys.executable)}/{COMMANDS[peer][0]}"
    process = subprocess.Popen([program, *COMMANDS[peer][1:]], cwd=ROOT, stdout=sys.stderr, stderr=sys.stderr)
    try:
        time.sleep(READY_SECONDS)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers.run")
    parser.add_argument("peer", choices=sorted(COMMANDS))
    for name in ("smarthr", "freee", "socket"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args()
    today = practice_company.japan_today()
    crews = list(script_for(asked.smarthr, asked.freee, today).crews())
    os.environ |= {
        errand.SMARTHR: asked.smarthr,
        errand.FREEE: asked.freee,
        errand.SOCKET: asked.socket,
        errand.TODAY: today.isoformat(),
        errand.READABLE: json.dumps(sorted(readable_attributes(crews))),
        "PYTHONPATH": str(ROOT),
    }
    with _worker(asked.peer) as worker:
        passes = {name: one_pass(asked.peer, asked, worker) for name in ("first", "second")}
    print(json.dumps(passes))


if __name__ == "__main__":
    main()

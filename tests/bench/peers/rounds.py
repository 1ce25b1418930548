"""A peer beside the straight script, in the shape of the engine's rounds, so that all stand in one table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from app.practice import launch
from app.practice.house.processes import ROOT
from app.safety.socket_path import embedded_socket
from tests.bench.house import BenchHouse, bench_house
from tests.bench.measure import straight_script

PEERS = ("celery", "dramatiq")
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
"""Made by `make bench-peers`: what the peers need is no dependency of ours."""
NO_SERVICE_AT_WORK = {"WORKERS_INTERACTIVE": "1", "WORKERS_BULK": "1", "RELAY_SECONDS": "60"}


def installed() -> bool:
    return PYTHON.exists()


def peer_round(peer: str, *, extra: int, equal_share: float, delay: float) -> dict[str, Any]:
    """`{"engine": {first, second}, "script": …}`: the peer in the engine's place."""
    with bench_house(ROOT, launch.Company(extra, equal_share), env=NO_SERVICE_AT_WORK) as house:
        vendors = house.vendors()
        vendors.start_again(delay)
        passes = _passes(peer, house)
        vendors.start_again(delay)
        return {"engine": passes, "script": straight_script(vendors)}


def waiting_of(rounds: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The most that a peer's 32 threads needed while most of them waited: in the rounds with slow vendors."""
    slow = rounds[max(rounds, key=lambda delay: float(delay.split()[0]))]
    return {"jobs": 32, "mib": max(each["engine"]["first"]["mib"] for each in slow)}


def _passes(peer: str, house: BenchHouse) -> dict[str, Any]:
    vendors = house.vendors()
    command = [str(PYTHON), "-m", "tests.bench.peers.run", peer, "--smarthr", vendors.smarthr]
    command += ["--freee", vendors.freee, "--socket", str(embedded_socket(Path(house.folder)))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{peer} failed:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told

"""What a house has that the suite can break or ask: the vendors' control routes, the broker, the failpoints' folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis
import requests

from app.practice.house.processes import local_session
from app.safety.socket_path import embedded_socket
from workers import broker as embedded


def wait_for(true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


@dataclass(frozen=True)
class Vendor:
    """The control routes of a practice vendor or of the mailbox."""

    port: int
    log: Path
    company: str = ""
    """The vendor's key of the one company that is meant; "" = the only one, or the vendor as a whole."""
    session: requests.Session = field(default_factory=local_session, repr=False)

    def of(self, company: str) -> Vendor:
        """The same vendor, only this company of it."""
        return replace(self, company=company, session=local_session())

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        url, query = f"http://127.0.0.1:{self.port}/_practice/{path}", {"company": self.company or None}
        answer = self.session.request(method, url, params=query, json=body, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def fault(self, *rules: Mapping[str, Any]) -> None:
        self.ask("POST", "faults", [dict(rule) for rule in rules])

    def no_faults(self) -> None:
        self.ask("DELETE", "faults")

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.ask("GET", "state")
        return state

    def deliveries(self) -> list[dict[str, Any]]:
        """Every attempt to deliver a webhook so far."""
        sent: list[dict[str, Any]] = self.ask("GET", "webhooks")["deliveries"]
        return sent

    def is_idle(self) -> bool:
        """No webhook is on its way or waiting for its next attempt."""
        return bool(self.ask("GET", "webhooks/idle")["idle"])

    def logged(self) -> list[dict[str, Any]]:
        """Every request answered or cut so far, from the append-only file (webhooks sent stand in it, too)."""
        if not self.log.exists():
            return []
        whole = self.log.read_text(encoding="utf-8").rpartition("\n")[0]
        rows = [row for row in map(json.loads, whole.splitlines()) if "method" in row]
        return [row for row in rows if self.company in ("", row.get("company"))]

    def writes(self) -> int:
        return sum(row["method"] != "GET" and "/public_api/" not in row["path"] for row in self.logged())


@dataclass
class Broker:
    """A real server of the suite's own, on a Unix socket behind the proxy."""

    socket: Path
    log: Path
    binary: str
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(embedded.command(self.binary, self.socket), stdout=out, stderr=out)
        wait_for(self._answers, seconds=20, what="the broker")

    def stop(self) -> None:
        """kill -9: what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(f"unix://{self.socket}", socket_timeout=5)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.RedisError, OSError):
            return False

    def dump(self) -> bytes:
        """Everything it holds, keys and values, for the search for canaries."""
        parts: list[bytes] = []
        for key in self.client.scan_iter(count=1000):
            parts += [key, self.client.dump(key) or b""]
            if self.client.type(key) == b"hash":
                parts += [value for value in self.client.hgetall(key).values() if isinstance(value, bytes)]
        return b"\n".join(parts)


def broker_in(folder: Path) -> Broker:
    """Not started yet; where the service with this data folder looks for it. Raises RuntimeError."""
    binary = embedded.server_binary()
    if binary is None:
        raise RuntimeError("no broker on this machine")
    socket = embedded_socket(folder)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Broker(socket, folder / "broker.log", binary)


@dataclass(frozen=True)
class Failpoints:
    """The folder through which processes are told to die, fail or stand still (app/failpoints.py)."""

    folder: Path

    def prepare(self) -> None:
        for name in ("armed", "hit", "made"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def seen(self) -> list[str]:
        file = self.folder / "seen"
        return sorted(set(file.read_text(encoding="ascii").split())) if file.exists() else []

    def arm(self, site: str, what: str) -> None:
        part = self.folder / "made" / site
        part.write_text(what, encoding="ascii")
        part.rename(self.folder / "armed" / site)

    def disarm(self) -> list[str]:
        """Take back what nobody has reached; returns those sites."""
        left = sorted(each.name for each in (self.folder / "armed").iterdir())
        for name in left:
            (self.folder / "armed" / name).unlink(missing_ok=True)
        return left

    def thaw(self) -> None:
        """Nobody who was told to stand still does so any more."""
        for _, pid, _ in self.hits():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def hits(self) -> list[tuple[str, int, float]]:
        """(site, process, moment) of everything that happened so far."""
        files = [(each.name.rpartition("."), each.stat().st_ctime) for each in (self.folder / "hit").iterdir()]
        return sorted(((site, int(pid), at) for (site, _, pid), at in files), key=lambda hit: hit[2])

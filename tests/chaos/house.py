"""The house of the fault suite: Awase's real processes on either database, with a broker, proxies and practice vendors
that the suite can break. It stays up across faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import requests

from app.config import embedded_socket
from app.practice import launch
from app.practice.connecting import connect, flask
from app.practice.demo import Api
from app.practice.processes import ROOT, Processes, local_session
from app.practice.surroundings import environment
from tests.chaos.proxy import Proxy
from tests.e2e.processes import matching
from tests.storage.servers import create_database, running_cluster
from workers import broker as embedded

LIMITS = "60/s"
"""What Awase is told it may use of either vendor."""
FREEE_SECRET = "practice-freee-webhook-token"
SHORT_TIMES = {
    "LEASE_SECONDS": "3",
    "RECONCILE_SECONDS": "1",
    "RELAY_SECONDS": "0.1",
    "RETRY_BASE_SECONDS": "0.2",
    "SMARTHR_LIMITS": LIMITS,
    "FREEE_LIMITS": LIMITS,
    "LOG_LEVEL": "DEBUG",
    "WORKERS_BULK": "1",
}
PROGRAMS = {
    "wsgi:app": 2,
    "workers.relay": 1,
    "workers.worker interactive": 3,
    "workers.worker bulk": 2,
    "workers.cron": 1,
}
"""What a command line holds → how many processes there are at least, masters and children."""


@dataclass(frozen=True)
class Vendor:
    """The control routes of a practice vendor or of the mailbox."""

    port: int
    log: Path
    session: requests.Session = field(default_factory=local_session, repr=False)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(method, f"http://127.0.0.1:{self.port}/_practice/{path}", json=body, timeout=30)
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
        return [row for row in map(json.loads, whole.splitlines()) if "method" in row]

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

    def hits(self) -> list[tuple[str, int, float]]:
        """(site, process, moment) of everything that happened so far."""
        files = [(each.name.rpartition("."), each.stat().st_ctime) for each in (self.folder / "hit").iterdir()]
        return sorted(((site, int(pid), at) for (site, _, pid), at in files), key=lambda hit: hit[2])


@dataclass(frozen=True)
class House:
    """Everything a fault may touch."""

    database: str
    folder: Path
    env: Mapping[str, str] = field(repr=False)
    processes: Processes
    api: Api
    connection: str
    broker: Broker
    broker_wire: Proxy
    mail_wire: Proxy
    smarthr: Vendor
    freee: Vendor
    mailbox: Vendor
    failpoints: Failpoints
    cluster: Path | None = None
    """Of PostgreSQL."""

    @property
    def mails(self) -> Path:
        return self.folder / "mail"

    def missing_programs(self) -> list[str]:
        """Programs of which fewer run than should."""
        return [text for text, number in PROGRAMS.items() if len(matching(self.processes.pid, text)) < number]

    def pids(self, text: str) -> list[int]:
        return matching(self.processes.pid, text)

    def consent(self) -> None:
        """An administrator authorises freee anew, in a browser."""
        address = flask(self.env, "connection", "authorise", self.connection).split()[-1]
        requests.get(address, timeout=30).raise_for_status()

    def connection_state(self) -> str:
        listed = self.api.get("/api/v1/connections")["items"]
        return str(next(each["state"] for each in listed if each["key"] == self.connection))

    def mend(self) -> None:
        """Everything a fault may have left switched on is off again."""
        for vendor in (self.smarthr, self.freee, self.mailbox):
            vendor.no_faults()
        self.mailbox.ask("POST", "reset")
        self.failpoints.disarm()

    @contextmanager
    def another(self, module: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more process of a service program, outside the supervisor."""
        with (self.processes.logs / "another.log").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module], cwd=ROOT, env=dict(self.env), stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)


def wait_for(true: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Raises TimeoutError naming `what`."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


@contextmanager
def open_house(folder: Path, database: str, env: Mapping[str, str], *, automatic: bool = False) -> Iterator[House]:
    """`database`: sqlite, postgresql, or a URL. `automatic`: both vendors send webhooks and both directions are on.
    `env`: further variables of the service."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with ExitStack() as stack:
        cluster = stack.enter_context(running_cluster()) if database == "postgresql" else None
        ports, more = launch.Ports.wanted(0), launch.Ports.wanted(0)
        broker = _broker(folder, stack)
        broker_wire, mail_wire = (_proxy(target, stack) for target in (broker.socket, ports.mail))
        failpoints = Failpoints(folder / "failpoints")
        failpoints.prepare()
        variables = {
            **environment(folder, ports, around={**os.environ, **SHORT_TIMES}),
            **env,
            "REDIS_URL": f"redis://127.0.0.1:{broker_wire.port}/0",
            "SMTP_URL": f"smtp://127.0.0.1:{mail_wire.port}",
            "AWASE_FAILPOINTS": str(failpoints.folder),
        }
        url = create_database(cluster, "awase") if cluster else database if "://" in database else None
        if url:
            variables["DATABASE_URL"] = url
        flask(variables, "db", "upgrade")
        ground = launch.ground(ports, launch.Company(), broker=False)
        ground["practice_mailbox"] += f' --control {more.mail} --log "{launch.in_folder("mailbox.jsonl")}"'
        if automatic:
            web_hook = f"http://127.0.0.1:{ports.web}/webhooks/freee"
            ground["practice_freee"] += f" --webhook-url {web_hook} --webhook-token {FREEE_SECRET}"
            variables |= {"FREEE_WEBHOOK_TOKEN": FREEE_SECRET}
        processes = Processes(folder, ground, launch.service(), variables)
        _keep(processes.stop, stack)
        processes.start()
        for name, port in launch.vendor_ports(ports).items():
            launch.await_vendor(processes, name, port)
        web = f"http://127.0.0.1:{ports.web}"
        processes.await_url(f"{web}/health/ready")
        processes.await_url(f"http://127.0.0.1:{more.mail}/_practice/state")
        connection, api_key = connect(folder, variables, web)
        house = House(
            database=database,
            folder=folder,
            env=variables,
            processes=processes,
            api=Api(web, api_key),
            connection=connection,
            broker=broker,
            broker_wire=broker_wire,
            mail_wire=mail_wire,
            smarthr=Vendor(ports.smarthr, folder / "smarthr.jsonl"),
            freee=Vendor(ports.freee, folder / "freee.jsonl"),
            mailbox=Vendor(more.mail, folder / "mailbox.jsonl"),
            failpoints=failpoints,
            cluster=cluster,
        )
        if automatic:
            switch_on(house)
        yield house


def switch_on(house: House) -> None:
    """Webhooks of both vendors and both directions. A vendor's hour between two attempts is half a minute here, and
    freee, whose retries are not documented, tries again: a loss there is the sweep's business."""
    flask(house.env, "connection", "register-webhook", house.connection)
    wanted = ("--directions", "both", "--quiet-seconds", "1", "--mail", "always")
    flask(house.env, "connection", "set-automatic", house.connection, *wanted)
    house.smarthr.ask("PUT", "switches", {"webhook_time_scale": 0.01})
    house.freee.ask("PUT", "switches", {"webhook_time_scale": 0.01, "webhook_retries": 3})


_stops: list[Callable[[], None]] = []


def _keep(stop: Callable[[], None], stack: ExitStack) -> None:
    """Stopped at the end, also at an end by a signal."""
    _stops.append(stop)
    stack.callback(_stops.remove, stop)
    stack.callback(stop)


def stop_everything() -> None:
    """Every process of every open house, the last one started first."""
    for stop in reversed(_stops):
        stop()


def _broker(folder: Path, stack: ExitStack) -> Broker:
    binary = embedded.server_binary()
    if binary is None:
        raise RuntimeError("no broker on this machine")
    socket = embedded_socket(folder)
    socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    broker = Broker(socket, folder / "broker.log", binary)
    _keep(broker.stop, stack)
    broker.start()
    return broker


def _proxy(target: Path | int, stack: ExitStack) -> Proxy:
    proxy = Proxy(target)
    proxy.start()
    stack.callback(proxy.stop)
    return proxy

"""Three hosts of Awase, one PostgreSQL, one broker, practice vendors: what a case may break, and how it is judged.

host1 answers (web, relay, cron), host2 and host3 work, host3 has a second cron process. Everything that the hosts share
is reached through proxies at the bridge, which delay each piece as a network would.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from app.practice import launch
from app.practice.house.connecting import add_key, connect_all
from app.practice.house.demo import Api, DemoError
from app.practice.house.environment import environment
from app.practice.house.processes import ROOT, Processes
from app.practice.staff import practice_company
from app.practice.staff.tenants import Tenant, tenants
from tests.chaos.deployment import run_in
from tests.chaos.evidence import Evidence, calls, mails, run_seen
from tests.chaos.house import SHORT_TIMES, durable_database
from tests.chaos.judge import FINAL_RUNS, Broken, judge, judge_mails
from tests.chaos.parts import Broker, Failpoints, Vendor, broker_in, wait_for
from tests.chaos.proxy import Proxy
from tests.chaos.workload import Batch, Workload
from tests.hosts.network import GROUND, Host, network
from tests.storage.servers import running_cluster

DELAY = 0.001
"""Seconds for each piece each way: two hosts in one data centre."""
ENDS_WITHIN = 240
WEB = 8000
TIMES = {**SHORT_TIMES, "LEASE_SECONDS": "10", "RECONCILE_SECONDS": "2", "LOG_LEVEL": "INFO"}
_WORKERS = {
    "interactive": "python -m workers.worker interactive",
    "bulk": "python -m workers.worker bulk",
}
_CRON = {"cron": "python -m workers.cron"}
_ANSWERING = {"web": "python -m app.web.serving wsgi:app", "relay": "python -m workers.relay", **_CRON}
_IN_THE_CLEAR = "DATABASE_URL,REDIS_URL,BASE_URL,SMARTHR_URL,FREEE_API_URL,FREEE_ACCOUNTS_URL"


@dataclass
class Rehearsal:
    """Everything that a case may touch. What `Workload` and the evidence ask of a house, they find here."""

    hosts: Sequence[Host]
    api: Api
    connection: str
    smarthr: Vendor
    freee: Vendor
    broker: Broker
    cluster: Path
    mails: Path
    failpoints: Failpoints
    tenant: Tenant = practice_company.FIRST
    batches: list[Batch] = field(default_factory=list)
    reported: set[Broken] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.work = Workload(self)  # type: ignore[arg-type]  # a house in all that is asked of it

    def written(self) -> int:
        return self.freee.writes() + self.smarthr.writes()

    def host_of(self, pid: int) -> Host:
        return next(host for host in self.hosts if pid in host.pids())

    def clocks(self) -> dict[str, float]:
        """Process → the skew that it has told."""
        return {each["process"]: each["skew_seconds"] for each in self.api.get("/api/v1/queue")["clocks"]}

    def ready(self) -> bool:
        """The web answers, and every host has told of itself."""
        try:
            told = self.clocks()
        except (requests.RequestException, DemoError, KeyError):
            return False
        return all(
            any(f"@{host.name}:" in name and abs(skew - host.off) < 3 for name, skew in told.items())
            for host in self.hosts
        )

    def state(self, batch: Batch) -> str:
        try:
            return str(self.api.get(f"/api/v1/runs/{batch.run_id}")["state"])
        except (requests.RequestException, DemoError):
            return ""

    def play(self, case: Callable[[Rehearsal], None], *, people: int, creates: int) -> tuple[float, list[Broken]]:
        """Edit people, start their run, let the case happen in its middle. Returns how long the run took and what is
        not as it has to be."""
        batch = self.work.edit(people, creates)
        self.batches.append(batch)
        before, began = self.written(), time.monotonic()
        self.work.trigger(batch)
        wait_for(lambda: self.written() > before, seconds=90, what="the first write")
        case(self)
        found: list[Broken] = []
        try:
            wait_for(lambda: self.state(batch) in FINAL_RUNS, seconds=ENDS_WITHIN, what="the end of the run")
        except TimeoutError as late:
            found.append(Broken("I3", str(late)))
        took = time.monotonic() - began
        if self.state(batch) == "succeeded":
            self.work.arrived(batch)
        return took, found + self._judged(batch)

    def _judged(self, batch: Batch) -> list[Broken]:
        """Lost, doubled, over a limit, told twice: by the vendors' own records and the received mails."""
        with suppress(TimeoutError):  # judged below
            wait_for(
                lambda: any(mail.run_id == batch.run_id for mail in mails(self.mails)), seconds=90, what="the mail"
            )
        time.sleep(2)  # a second one would be seen
        evidence = Evidence(
            runs=tuple(run_seen(self, each) for each in self.batches),  # type: ignore[arg-type]
            smarthr=self.smarthr.state(),
            freee=self.freee.state(),
            calls=calls(self),  # type: ignore[arg-type]
        )
        received = mails(self.mails)
        copies = sum(mail.run_id == batch.run_id for mail in received)
        found = judge(evidence) + judge_mails(batch, received)
        if copies > 1:
            found.append(Broken("I4", f"run {batch.run_id} was mailed {copies} times"))
        new = [each for each in dict.fromkeys(found) if each not in self.reported]
        self.reported.update(new)
        return new

    # ── what the processes have said ──────────────────────────────────────────────────────────────────────────────

    def said(self, event: str, host: Host | None = None) -> int:
        """How many lines of this event stand in the logs."""
        files = [file for each in ([host] if host else self.hosts) for file in each.logs]
        return sum(file.read_text(encoding="utf-8", errors="replace").count(f'"{event}"') for file in files)


@contextmanager
def opened(folder: Path, *, people: int) -> Iterator[Rehearsal]:
    """Three hosts in which so many people are in both systems."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    with ExitStack() as stack:
        cluster = stack.enter_context(running_cluster())
        ports = launch.Ports.wanted(0)
        broker = broker_in(folder)
        stack.callback(broker.stop)
        broker.start()
        ground = launch.ground(ports, launch.Company(), broker=False)
        local = environment(folder, ports, around={**os.environ, **TIMES})
        local["HOUSE_FILE"] = str(folder / "house")  # one installation, whichever host
        vendors = Processes(folder, ground, {"idle": "sleep infinity"}, local)
        stack.callback(vendors.stop)
        vendors.start()
        for name, port in launch.vendor_ports(ports).items():
            launch.await_vendor(vendors, name, port)
        failpoints = Failpoints(folder / "failpoints")
        failpoints.prepare()
        url = durable_database(cluster)
        here = {**local, "DATABASE_URL": url, "REDIS_URL": f"unix://{broker.socket}"}
        run_in(ROOT, here, "-m", "flask", "db", "upgrade")
        # First the connection: the practice vendors' well-known secrets are admitted where an installation stands.
        connection, key = connect_all(here, tenants(1))[0], add_key(here)
        hosts = [
            Host(1, folder / "host1", _ANSWERING, {}),
            Host(2, folder / "host2", _WORKERS, {}),
            Host(3, folder / "host3", {**_WORKERS, **_CRON}, {}),
        ]
        stack.enter_context(network(*hosts))
        wires = {
            "database": _wire(cluster / ".s.PGSQL.5432", stack),
            "broker": _wire(broker.socket, stack),
            "mail": _wire(ports.mail, stack),
            "smarthr": _wire(ports.smarthr, stack),
            "freee": _wire(ports.freee, stack),
        }
        at = {name: f"{GROUND}:{wire.port}" for name, wire in wires.items()}
        env = {
            **local,
            **launch_urls(at),
            "ALLOW_PLAINTEXT": _IN_THE_CLEAR,
            "AWASE_FAILPOINTS": str(failpoints.folder),
            "BASE_URL": f"http://{hosts[0].address}:{WEB}",
            "BIND": "0.0.0.0",
            "PORT": str(WEB),
            "NO_PROXY": "*",
        }
        for host in hosts:
            host.env = env
            host.start()
        web = f"http://{hosts[0].address}:{WEB}"
        wait_for(lambda: _answers(f"{web}/health/ready"), seconds=120, what="the web process")
        rehearsal = Rehearsal(
            hosts=hosts,
            api=Api(web, key),
            connection=connection,
            smarthr=Vendor(ports.smarthr, folder / "smarthr.jsonl"),
            freee=Vendor(ports.freee, folder / "freee.jsonl"),
            broker=broker,
            cluster=cluster,
            mails=folder / "mail",
            failpoints=failpoints,
        )
        wait_for(rehearsal.ready, seconds=90, what="three hosts that have told of themselves")
        _, broken = rehearsal.play(lambda _: None, people=0, creates=people)
        assert not broken, f"without any fault: {broken}"
        yield rehearsal


def launch_urls(at: dict[str, str]) -> dict[str, str]:
    return {
        "DATABASE_URL": f"postgresql+psycopg://awase@{at['database']}/awase?sslmode=disable",
        "REDIS_URL": f"redis://{at['broker']}/0",
        "SMTP_URL": f"smtp://{at['mail']}",
        "SMARTHR_URL": f"http://{at['smarthr']}/{{subdomain}}/api",
        "FREEE_API_URL": f"http://{at['freee']}/hr",
        "FREEE_ACCOUNTS_URL": f"http://{at['freee']}",
    }


def _wire(target: Path | int, stack: ExitStack) -> Proxy:
    wire = Proxy(target, delay=DELAY, host=GROUND)
    wire.start()
    stack.callback(wire.stop)
    return wire


def _answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=3).status_code == 200
    except requests.RequestException:
        return False

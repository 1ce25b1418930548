"""The house of the fault suite: Awase's real processes on either database, with a broker, proxies and practice vendors
that the suite can break. It stays up across faults."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from sqlalchemy import create_engine, text

from app.practice import launch
from app.practice.house.connecting import connect, connect_all, flask
from app.practice.house.demo import Api
from app.practice.house.environment import environment
from app.practice.house.processes import ROOT, Processes, local_session
from app.practice.staff import practice_company
from app.practice.staff.tenants import Tenant, tenants
from tests.beginnings_outside import begin_outside
from tests.chaos.deployment import Deployment, run_in
from tests.chaos.parts import Broker, Failpoints, Vendor, broker_in
from tests.chaos.proxy import Proxy
from tests.e2e.processes import matching
from tests.storage.servers import create_database, running_cluster

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
CONNECT = """
import os, sys
from pathlib import Path
from app.practice.house.connecting import connect
connect(Path(sys.argv[1]), dict(os.environ), sys.argv[2])
"""


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
    deployment: Deployment
    cluster: Path | None = None
    """Of PostgreSQL."""
    connections: tuple[str, ...] = ()
    """One a company; `connection`, `smarthr` and `freee` are those of `tenant`."""
    tenant: Tenant = practice_company.FIRST

    def companies(self) -> list[House]:
        """This house as each of its companies sees it."""
        if len(self.connections) == 1:
            return [self]
        return [
            replace(
                self,
                tenant=each,
                connection=key,
                smarthr=self.smarthr.of(each.subdomain),
                freee=self.freee.of(str(each.company_id)),
            )
            for key, each in zip(self.connections, tenants(len(self.connections)), strict=True)
        ]

    @property
    def mails(self) -> Path:
        return self.folder / "mail"

    def mailbox_outcomes(self) -> list[str]:
        """What every message met, in order, from the mail server's own log."""
        lines = self.mailbox.log.read_text(encoding="utf-8").splitlines() if self.mailbox.log.exists() else []
        return [json.loads(line)["outcome"] for line in lines]

    def missing_programs(self) -> list[str]:
        """Programs of which fewer run than should."""
        return [text for text, number in PROGRAMS.items() if len(matching(self.processes.pid, text)) < number]

    def pids(self, text: str) -> list[int]:
        return matching(self.processes.pid, text)

    def consent(self) -> None:
        """An administrator authorises freee anew, in a browser."""
        address = flask(self.env, "connection", "authorise", "--", self.connection).split()[-1]
        with local_session() as browser:
            page = browser.get(address, timeout=30)
            page.raise_for_status()
            if len(self.connections) > 1:  # freee asks for which company
                browser.get(f"{page.url}&company_id={self.tenant.company_id}", timeout=30).raise_for_status()

    def connection_state(self) -> str:
        listed = self.api.get("/api/v1/connections")["items"]
        return str(next(each["state"] for each in listed if each["key"] == self.connection))

    def mend(self) -> None:
        """Everything a fault may have left switched on is off again."""
        for vendor in (self.smarthr, self.freee, self.mailbox):
            vendor.no_faults()
        self.mailbox.ask("POST", "reset")
        self.failpoints.disarm()
        self.failpoints.thaw()

    def count(self, query: str) -> int:
        """The one number a query tells, in the house's database."""
        engine = create_engine(self.env.get("DATABASE_URL") or f"sqlite:///{self.folder / 'awase.db'}")
        try:
            with engine.connect() as connection:
                return int(connection.execute(text(query)).scalar_one())
        finally:
            engine.dispose()

    def stop_service(self) -> None:
        """Every program of the service in order, until `start_service`. Raises TimeoutError."""
        self.deployment.stop(self.processes.pid)

    def start_service(self, checkout: Path = ROOT) -> None:
        """Raises StartError when it does not get ready."""
        self.deployment.put_in_service(checkout)
        self.processes.await_url(f"{self.api.url}/health/ready")

    @contextmanager
    def another(self, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """One more process of a service program of this checkout, outside the supervisor."""
        with (self.processes.logs / "another.log").open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=ROOT, env=dict(self.env), stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            process.wait(20)


@contextmanager
def open_house(
    folder: Path,
    database: str,
    env: Mapping[str, str],
    *,
    automatic: bool = False,
    checkout: Path = ROOT,
    connections: int = 1,
) -> Iterator[House]:
    """`database`: sqlite, postgresql, or a URL. `automatic`: both vendors send webhooks and both directions are on.
    `env`: further variables of the service. `checkout`: which version of the service; all else is this one's.
    `connections`: so many companies, each with a connection."""
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
        url = durable_database(cluster) if cluster else database if "://" in database else None
        if url:
            variables["DATABASE_URL"] = url
        run_in(checkout, variables, "-m", "flask", "db", "upgrade")
        ground = launch.ground(ports, launch.Company(tenants=connections), broker=False)
        ground["practice_mailbox"] += f' --control {more.mail} --log "{launch.in_folder("mailbox.jsonl")}"'
        if automatic:
            web_hook = f"http://127.0.0.1:{ports.web}/webhooks/freee"
            ground["practice_freee"] += f" --webhook-url {web_hook} --webhook-token {FREEE_SECRET}"
            variables |= {"FREEE_WEBHOOK_TOKEN": FREEE_SECRET}
        deployment = Deployment(folder)
        deployment.put_in_service(checkout)
        processes = Processes(folder, ground, deployment.commands(launch.service()), variables)
        _keep(processes.stop, stack)
        processes.start()
        for name, port in launch.vendor_ports(ports).items():
            launch.await_vendor(processes, name, port)
        web = f"http://127.0.0.1:{ports.web}"
        processes.await_url(f"{web}/health/ready")
        processes.await_url(f"http://127.0.0.1:{more.mail}/_practice/state")
        if checkout != ROOT:  # with that version's own command line; what it has made is known by a file
            run_in(checkout, variables, "-c", CONNECT, str(folder), web)
        connection, api_key = connect(folder, variables, web)
        more_tenants = tenants(connections)[1:]  # none in a house of an older version, which this command line refuses
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
            deployment=deployment,
            cluster=cluster,
            connections=(connection, *(connect_all(variables, more_tenants) if more_tenants else ())),
        )
        if automatic:
            switch_on(house)
        yield house


def durable_database(cluster: Path) -> str:
    """The shared cluster confirms commits before they are written, which is faster for tests; here it will crash."""
    url = create_database(cluster, "awase")
    with psycopg.connect(f"host={cluster} user=awase dbname=postgres", autocommit=True) as connection:
        connection.execute("ALTER DATABASE awase SET synchronous_commit = on")
    return url


def switch_on(house: House) -> None:
    """Webhooks of both vendors and both directions. A vendor's hour between two attempts is half a minute here, and
    freee, whose retries are not documented, tries again: a loss there is the sweep's business."""
    flask(house.env, "connection", "register-webhook", "--", house.connection)
    wanted = ("--directions", "both", "--quiet-seconds", "1", "--mail", "always")
    flask(house.env, "connection", "set-automatic", *wanted, "--", house.connection)
    begin_outside(house.api)
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
    broker = broker_in(folder)
    _keep(broker.stop, stack)
    broker.start()
    return broker


def _proxy(target: Path | int, stack: ExitStack) -> Proxy:
    proxy = Proxy(target)
    proxy.start()
    stack.callback(proxy.stop)
    return proxy

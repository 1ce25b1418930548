"""A house for one measurement: the service of any checkout, the practice vendors and the command line of this one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.practice import launch
from app.practice.house.connecting import connect, flask_one_after_the_other, tokens_of, words_to_add
from app.practice.house.demo import Api
from app.practice.house.environment import environment
from app.practice.house.processes import ROOT, Processes
from app.practice.staff.tenants import tenants
from tests.bench.vendors import Vendors
from tests.chaos.deployment import Deployment, run_in
from tests.chaos.house import CONNECT

NOTHING_MORE: Mapping[str, str] = {}


@dataclass(frozen=True)
class BenchHouse:
    """`connections`: one a company, in the order of their numbers."""

    api: Api
    connections: tuple[str, ...]
    ports: launch.Ports
    processes: Processes
    folder: Path

    def vendors(self, company: int = 1) -> Vendors:
        """Both practice vendors, as far as they are this company's."""
        urls = (f"http://127.0.0.1:{port}" for port in (self.ports.smarthr, self.ports.freee))
        return Vendors(*urls, company=str(company) if len(self.connections) > 1 else None)


@contextmanager
def bench_house(
    checkout: Path, company: launch.Company, *, env: Mapping[str, str] = NOTHING_MORE, rates: str = "fast"
) -> Iterator[BenchHouse]:
    """`rates`: the practice vendors' own limits, fast or real. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="awase-bench-") as made:
        folder, ports = Path(made), launch.Ports.wanted(0)
        folder.chmod(0o700)
        variables = {**environment(folder, ports, around=os.environ), **env}
        run_in(checkout, variables, "-m", "flask", "db", "upgrade")
        ground = {
            name: command.replace("--rates fast", f"--rates {rates}")
            for name, command in launch.ground(ports, company, broker=True).items()
        }
        deployment = Deployment(folder)
        deployment.put_in_service(checkout)
        processes = Processes(folder, ground, deployment.commands(launch.service()), variables)
        processes.start()
        try:
            for name, port in launch.vendor_ports(ports).items():
                launch.await_vendor(processes, name, port)
            web = f"http://127.0.0.1:{ports.web}"
            processes.await_url(f"{web}/health/ready")
            if checkout != ROOT:
                run_in(checkout, variables, "-c", CONNECT, str(folder), web)
            first, key = connect(folder, variables, web)
            wanted = [(tokens_of(each), words_to_add(each)) for each in tenants(company.tenants)[1:]]
            made = flask_one_after_the_other(variables, wanted, checkout=checkout) if wanted else []
            further = [key.strip() for key in made]
            yield BenchHouse(Api(web, key), (first, *further), ports, processes, folder)
        finally:
            processes.stop()

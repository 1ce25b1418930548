"""A street of companies: many practice tenants and companies behind one address each, and Awase's relay and workers as
real processes. Any company's freee can go deaf: it takes requests about single employees and answers none."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from app.domain.enums import Direction, Trigger
from app.domain.runs.commands import StartRun
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.practice.freee.practice_freee import create_freee
from app.practice.house.environment import practice_vendors
from app.practice.server import KeepAliveHandler
from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.limits import FAST
from app.use_cases.context import Context
from app.use_cases.intake.start_run import start_run
from app.wiring import build_context, migrate
from tests.chaos.parts import broker_in
from tests.house import settings_for

ROOT = Path(__file__).resolve().parents[2]
FIRST_COMPANY = 2_000_000
"""As many digits as the practice company's number, so that one can take the other's place in an answer."""
_OURS = str(practice_company.FREEE_COMPANY_ID).encode()
_ONE_EMPLOYEE = re.compile(r"/employees/\d+")


@dataclass
class Company:
    number: int
    people: PracticeCompany
    smarthr: Flask
    freee: Flask
    deaf: bool = False

    @property
    def key(self) -> str:
        return f"street-{self.number}"

    def edit(self, text: str) -> None:
        """Somebody gives everybody another phone number in SmartHR."""
        simulator = smarthr_of(self.smarthr)
        for crew in simulator.crews:
            simulator.edit(crew["id"], {"tel_number": f"03-{self.number:04d}-{text}"})


@dataclass
class Street:
    companies: list[Company]
    ctx: Context
    let_go: threading.Event
    held: list[int] = field(default_factory=list)

    def start(self, companies: Iterable[Company]) -> dict[str, str]:
        """A run of everybody for each: run → key of its company."""
        return {start_run(self.ctx, _command(each)).id: each.key for each in companies}

    def follow(self, runs: Mapping[str, str], *, seconds: float = 120) -> list[float]:
        """The seconds that each of these runs needs from now to its end."""
        began, ended = time.monotonic(), dict[str, float]()
        while len(ended) < len(runs):
            assert time.monotonic() - began < seconds, f"{len(ended)} of {len(runs)} runs have ended"
            with self.ctx.unit_of_work().reading() as uow:
                rows = [uow.runs.get_by_public_id(run) for run in runs if run not in ended]
            for row in rows:
                if row is not None and row.finished_at is not None:
                    ended[row.public_id] = time.monotonic() - began
            time.sleep(0.05)
        return list(ended.values())


def _command(company: Company) -> StartRun:
    return StartRun(
        connection_key=company.key,
        direction=Direction.SMARTHR_TO_FREEE,
        as_of_date=company.people.today,
        employees=None,
        dry_run=False,
        trigger=Trigger.MANUAL,
        started_by="test",
        acknowledged=True,
    )


@contextmanager
def open_street(folder: Path, people: PracticeCompany, number: int, **settings: str) -> Iterator[Street]:
    """So many companies with the same people, connected, with a relay and the workers of the interactive queue."""
    companies = [
        Company(each, people, create_smarthr(people, rates=FAST), create_freee(people, rates=FAST))
        for each in range(number)
    ]
    with ExitStack() as stack:
        let_go, held = threading.Event(), list[int]()
        smarthr = stack.enter_context(_served(_smarthr_of(companies)))
        freee = stack.enter_context(_served(_freee_of(companies, let_go, held)))
        stack.callback(let_go.set)
        broker = broker_in(folder)
        broker.start()
        stack.callback(broker.stop)
        more = {
            "REDIS_URL": f"unix://{broker.socket}",
            "SMARTHR_LIMITS": "1000/s",
            "FREEE_LIMITS": "1000/s",
            **settings,
        }
        ctx = build_context(settings_for(folder, smarthr=smarthr, freee=freee, **more))
        migrate(ctx.settings)
        for each in companies:
            _connect(ctx, each)
        environment = _environment(folder, smarthr, freee, more)
        for module in (["workers.relay"], ["workers.worker", "interactive"]):
            stack.enter_context(_process(folder, module, environment))
        yield Street(companies, ctx, let_go, held)


def _environment(folder: Path, smarthr: str, freee: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "DATA_DIR": str(folder),
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "an-invented-encryption-key",
        "BASE_URL": "http://127.0.0.1:8000",
        **practice_vendors(smarthr, freee),
        "RETRY_BASE_SECONDS": "1",
        **more,
    }


def _connect(ctx: Context, company: Company) -> None:
    now = datetime.now(UTC)
    with ctx.unit_of_work() as uow:
        connection = uow.connections.add(
            key=company.key,
            name=f"練習会社{company.number}",
            smarthr_subdomain=company.key,
            smarthr_token=practice_company.SMARTHR_TOKEN,
            freee_company_id=FIRST_COMPANY + company.number,
            mail_to=[],
            now=now,
        )
        tokens = (practice_company.FREEE_ACCESS_TOKEN, practice_company.FREEE_REFRESH_TOKEN)
        uow.connections.set_freee_tokens(connection.id, FreeeTokens(*tokens, now + timedelta(hours=6)), now=now)
        settings = ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 230_000)
        uow.connections.set_export_settings(connection.id, settings)


# ── the vendors' side ─────────────────────────────────────────────────────────────────────────────────────────────

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def _smarthr_of(companies: list[Company]) -> Wsgi:
    by_key = {each.key: each for each in companies}

    def serve(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        key = environ["PATH_INFO"].split("/")[1]
        environ["PATH_INFO"] = environ["PATH_INFO"].replace(key, practice_company.SUBDOMAIN, 1)
        return by_key[key].smarthr(environ, start)

    return serve


def _freee_of(companies: list[Company], let_go: threading.Event, held: list[int]) -> Wsgi:
    def serve(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        asked = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}".encode() + body
        found = re.search(rb"\b2\d{6}\b", asked)
        assert found is not None, environ["PATH_INFO"]
        company = companies[int(found[0]) - FIRST_COMPANY]
        if company.deaf and (environ["REQUEST_METHOD"] != "GET" or _ONE_EMPLOYEE.search(environ["PATH_INFO"])):
            held.append(company.number)
            let_go.wait(120)
        theirs = found[0].decode()
        for name in ("PATH_INFO", "QUERY_STRING"):
            environ[name] = environ.get(name, "").replace(theirs, _OURS.decode())
        environ["wsgi.input"] = io.BytesIO(body.replace(found[0], _OURS))
        return [b"".join(company.freee(environ, start)).replace(_OURS, found[0])]

    return serve


@contextmanager
def _served(app: Wsgi) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=KeepAliveHandler)  # type: ignore[arg-type]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _process(folder: Path, module: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    with (folder / f"{module[0]}.log").open("ab") as out:
        process = subprocess.Popen([sys.executable, "-m", *module], cwd=ROOT, env=dict(environment), stderr=out)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

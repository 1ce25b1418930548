"""The runbook's steps for a change of keys, read from its page and taken while people, programs and both vendors go on:
not one request fails, nobody is signed out, nobody counts as changed, nothing is written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text

from app.practice.house.connecting import first_administrator, flask
from app.practice.house.demo import FINAL
from app.practice.house.environment import StartError
from app.practice.house.processes import ROOT, local_session
from app.practice.staff import practice_company
from tests.chaos.house import FREEE_SECRET, House, open_house
from tests.forms import token_in

PROGRAMS = {
    "web": "wsgi:app",
    "relay": "workers.relay",
    "worker_interactive": "workers.worker interactive",
    "worker_bulk": "workers.worker bulk",
    "cron": "workers.cron",
}
NEW = {"ENCRYPTION_KEYS": "an-encryption-key-of-the-coming-year", "SECRET_KEY": "a-secret-key-of-the-coming-year-0001"}
PAGES = ("/", "/runs", "/connections", "/decisions", "/engine", "/engine/deliveries", "/users", "/audit")
PAUSE_SECONDS = 0.05


def changes() -> dict[str, list[tuple[str, str]]]:
    """Title → (verb, rest) of each step of the runbook's section on keys."""
    page = (ROOT / "docs" / "ops" / "runbook.md").read_text(encoding="utf-8")
    section = page.partition("\n## 鍵を入れ替える\n")[2].partition("\n## ")[0]
    found = {}
    for block in re.findall(r"^```text\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL):
        title, *steps = block.splitlines()
        found[title] = [(match[1], match[2]) for step in steps if (match := re.match(r"\d\. (\S+)\s+(.*)", step))]
        assert len(found[title]) == len(steps), block
    return found


def test_the_page_has_a_change_of_each_kind() -> None:
    verbs = [[verb for verb, _ in steps] for steps in changes().values()]
    assert verbs == [["設定", "再起動", "実行", "待つ", "設定", "再起動"]] * 2


class Operator:
    """Does what the page says, and nothing else."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.file = Path(house.env["SECRETS_FILE"])
        self.old = self.keys()

    def keys(self) -> dict[str, str]:
        lines = self.file.read_text(encoding="utf-8").splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def take(self, verb: str, rest: str) -> None:
        {"設定": self.set, "再起動": self.restart, "実行": self.run, "待つ": self.wait}[verb](rest)

    def set(self, rest: str) -> None:
        keys = self.keys()
        for name, _, value in (each.partition("=") for each in rest.split()):
            of = "SECRET_KEY" if name.startswith("SECRET") else name
            keys[name] = value.replace("OLD", self.old[of]).replace("NEW", NEW[of])
        self.file.write_text("".join(f"{name}={value}\n" for name, value in keys.items()), encoding="utf-8")

    def restart(self, rest: str) -> None:
        for program in rest.split():
            self.restart_one(program)

    def restart_one(self, program: str) -> None:
        before = self.announced(program)
        nearest_to_the_supervisor, *children = self.house.pids(PROGRAMS[program])
        for pid in children if program == "web" else [nearest_to_the_supervisor]:
            os.kill(pid, signal.SIGTERM)

        def is_replaced() -> bool:
            now = self.announced(program)
            return len(now) >= len(before) and not now & before

        self.until(is_replaced, f"{program} is another process")

    def announced(self, program: str) -> set[str]:
        """The processes of a program that have told of themselves, as the status lists them."""
        query = text("SELECT name FROM processes WHERE name LIKE :of")
        engine = create_engine(self.house.env.get("DATABASE_URL") or f"sqlite:///{self.house.folder / 'awase.db'}")
        try:
            with engine.connect() as connection:
                return set(connection.scalars(query, {"of": f"{program}@%"}))
        finally:
            engine.dispose()

    def status(self) -> tuple[bool, str]:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "secrets", "status"],
            cwd=ROOT,
            env=dict(self.house.env),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0, done.stdout

    def run(self, rest: str) -> None:
        flask(self.house.env, *rest.split()[1:])

    def wait(self, rest: str) -> None:
        assert rest == "flask secrets status"
        self.until(lambda: self.status()[0], "the former key may go", seconds=240)

    def until(self, is_so: Callable[[], bool], what: str, *, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"not in {seconds:.0f} s: {what}\n{self.status()[1]}"
            time.sleep(0.3)


# ── the traffic ───────────────────────────────────────────────────────────────────────────────────────────────────


class Traffic:
    """People who look at pages and change their language, programs that ask, and freee, which repeats one webhook. Each
    request has a connection of its own, as a client that waits between two has."""

    def __init__(self, house: House) -> None:
        self._house, self._session = house, local_session()
        self._session.headers["Connection"] = "close"
        self.faults: list[str] = []
        self.seen: Counter[str] = Counter()
        self._sign_in()
        self.begin_anew()

    def begin_anew(self) -> None:
        """What is repeated from here on, and the form that stays open, are of now: as days later."""
        webhook = self._told()
        first = self._post_webhook(webhook)
        self._repeated, self._form = (webhook, first), token_in(self._get("/account").text)

    def _url(self, path: str) -> str:
        return f"{self._house.api.url}{path}"

    def _get(self, path: str) -> requests.Response:
        return self._session.get(self._url(path), timeout=30, allow_redirects=False)

    def _sign_in(self) -> None:
        who = first_administrator(self._house.env)
        form = {"csrf_token": token_in(self._get("/sign-in").text), "login": who.login, "password": who.password}
        answer = self._session.post(self._url("/sign-in"), data=form, timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text

    def _told(self) -> bytes:
        (some, *_) = self._house.freee.state()["employees"]
        person = {"id": some["id"], "company_id": practice_company.FREEE_COMPANY_ID}
        moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}+00:00"
        told = {"resource": "hr:employee", "action": "updated", "created_at": moment}
        return json.dumps({**told, "employee": person}).encode()

    def _post_webhook(self, body: bytes) -> int:
        headers = {"x-freee-token": FREEE_SECRET, "Content-Type": "application/json", "Connection": "close"}
        answer = requests.post(self._url("/webhooks/freee"), data=body, headers=headers, timeout=30)
        assert answer.status_code == 202, f"webhook {answer.status_code}"
        return int(answer.json()["id"])

    def one_round(self) -> None:
        for path in (*PAGES, f"/links/{self._house.connection}", f"/connections/{self._house.connection}"):
            self._ask(path, lambda path=path: self._expect(self._get(path), 200))
        self._ask("form", self._change_language)
        self._ask("api", lambda: self._house.api.get("/api/v1/connections"))
        self._ask("ready", lambda: self._expect(self._get("/health/ready"), 200))
        self._ask("webhook", self._repeat_webhook)

    def _change_language(self) -> None:
        """With the token of a form that was opened before the keys were changed."""
        form = {"csrf_token": self._form, "locale": "ja"}
        answer = self._session.post(self._url("/account/language"), data=form, timeout=30, allow_redirects=False)
        self._expect(answer, 303)

    def _repeat_webhook(self) -> None:
        webhook, first = self._repeated
        assert self._post_webhook(webhook) == first, "a repetition is not recognised"

    def _expect(self, answer: requests.Response, status: int) -> None:
        assert answer.status_code == status, f"{answer.status_code} {answer.text[-300:]}"
        assert "degraded" not in answer.text or answer.headers["Content-Type"] != "application/json", answer.text

    def _ask(self, what: str, question: Callable[[], Any]) -> None:
        self.seen[what] += 1
        try:
            question()
        except Exception as error:  # noqa: BLE001 - whatever a client meets is what the test is about
            self.faults.append(f"{what}: {type(error).__name__} {error}")
        time.sleep(PAUSE_SECONDS)


@contextmanager
def going_on(traffic: Traffic) -> Iterator[None]:
    ended = threading.Event()

    def go_on() -> None:
        while not ended.is_set():
            traffic.one_round()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


# ── the change ────────────────────────────────────────────────────────────────────────────────────────────────────


def sync(house: House) -> dict[str, Any]:
    """A run of everybody, begun."""
    wanted = {
        "connection": house.connection,
        "direction": "smarthr_to_freee",
        "as_of_date": practice_company.japan_today().isoformat(),
        "employees": "all",
        "dry_run": False,
        "acknowledge_mass_change": True,
    }
    run: dict[str, Any] = house.api.post("/api/v1/runs", wanted)
    return run


def ended(house: House, run: Mapping[str, Any]) -> dict[str, Any]:
    end = time.monotonic() + 240
    while (seen := house.api.get(f"/api/v1/runs/{run['id']}"))["state"] not in FINAL:
        assert time.monotonic() < end, seen
        time.sleep(0.5)
    return dict(seen)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.reach("all"))])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    times = {"SWEEP_MINUTES": "0.2", "WORKERS_INTERACTIVE": "1"}
    with open_house(tmp_path / "house", request.param, times, automatic=True) as opened:
        yield opened


@pytest.mark.processes
@pytest.mark.reach("all")
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("proc")
def test_the_steps_of_the_page_are_taken_while_everything_goes_on(house: House) -> None:
    settled = [ended(house, sync(house)) for _ in range(2)][1]
    writes = house.smarthr.writes() + house.freee.writes()
    operator, traffic = Operator(house), Traffic(house)
    with going_on(traffic):
        for steps in changes().values():
            house.freee.fault({"method": "GET", "path": "/employees", "times": 1_000, "delay": 0.3})
            run = sync(house)
            for nth, (verb, rest) in enumerate(steps):
                if nth and verb == "設定":  # the page says how long a former SECRET_KEY should stay
                    traffic.begin_anew()
                operator.take(verb, rest)
            house.freee.no_faults()
            assert ended(house, run)["counts"] == settled["counts"]
            assert ended(house, sync(house))["counts"] == settled["counts"]
    print(dict(traffic.seen), operator.status()[1], file=sys.stderr)
    assert traffic.faults == []
    assert all(number > 10 for number in traffic.seen.values()), traffic.seen
    assert house.smarthr.writes() + house.freee.writes() == writes
    assert not any(old in operator.file.read_text(encoding="utf-8") for old in operator.old.values())


@pytest.mark.reach("all")
@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("proc")
def test_no_key_comes_into_use_while_a_running_worker_does_not_know_it(tmp_path: Path) -> None:
    with open_house(tmp_path / "house", "sqlite", {}) as house:
        operator = Operator(house)
        set_, restart, rotate, *_ = next(iter(changes().values()))
        operator.take(*set_)
        operator.restart(restart[1].replace("worker_bulk", ""))
        with pytest.raises(StartError) as refused:
            operator.take(*rotate)
        assert set(re.findall(r"(\w+)@", str(refused.value))) == {"worker_bulk"}
        operator.restart("worker_bulk")
        operator.take(*rotate)
        assert house.api.get("/health/ready")["status"] == "ok"

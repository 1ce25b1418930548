"""One storm on one house: people are settled and linked, edited unheard, then everything is told at once and often,
while workers work and are killed. Afterwards the judge and the search for canaries.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
import requests
from sqlalchemy import Engine

from app.practice.house.connecting import flask_one_after_the_other
from app.practice.house.demo import DemoError
from app.practice.house.processes import ROOT, local_session
from app.practice.staff import practice_company
from tests.beginnings_outside import begin_outside
from tests.chaos.automatic import say_it_is_meant
from tests.chaos.evidence import mails
from tests.chaos.house import FREEE_SECRET, House, open_house
from tests.chaos.judge import FINAL_RUNS
from tests.chaos.parts import wait_for
from tests.e2e.processes import kill, parent_of
from tests.storm import latency, outside, people
from tests.storm.canary import Canaries, Search
from tests.storm.deliveries import load_volley, smarthr_secret
from tests.storm.judge import Verdict, judge_deliveries, judge_people, judge_runs
from tests.storm.planting import self_test
from tests.storm.sender import written

USUAL = {
    "LEASE_SECONDS": "30",
    "RECONCILE_SECONDS": "15",
    "RELAY_SECONDS": "0.25",
    "RETRY_BASE_SECONDS": "5",
    "WORKERS_INTERACTIVE": "2",
    "WORKERS_BULK": "2",
    "SMARTHR_LIMITS": "200/s",
    "FREEE_LIMITS": "200/s",
}
"""The product's own times. The vendors' real limits (20 calls in 10 s) would make hours of it: those are raised."""
WEB_PROCESSES = {"sqlite": "1", "postgresql": "2"}
SAMPLE_SECONDS = 15.0
TRANSIENT = (requests.RequestException, DemoError)


Crowd = tuple[House, list[people.Person]]
"""A company, as it sees the house, and its people."""


@dataclass(frozen=True)
class Options:
    webhooks: int = 10_000
    people: int = 500
    database: str = "sqlite"
    connections: int = 1
    """Of Awase: companies in the house, each with its share of people and webhooks."""
    lines: int = 32
    """Over which the sender sends at once."""
    kill_every: float = 10.0
    kills: int | None = None
    """At most so many; None: until everything is quiet."""
    quiet_window: str = "2"
    """Seconds. Longer than the storm, and no worker would have anything to do during it."""
    latency_edits: int = 15
    """0: not measured."""
    await_sweep: bool = True
    """The first comparison of everybody comes by itself after the switching on: not during the storm, where it could
    hide a lost webhook."""
    patience: float = 1800.0
    env: Mapping[str, str] = field(default_factory=lambda: USUAL)


def play(folder: Path, options: Options) -> dict[str, Any]:
    """Everything that was measured and found, as it goes into var/storm.json."""
    env = {**options.env, "WEB_CONCURRENCY": WEB_PROCESSES[options.database], "LOG_LEVEL": "DEBUG"}
    with open_house(folder, options.database, env, connections=options.connections) as house:
        engine = outside.engine_of(house)
        try:
            return Storm(house, options, engine).play()
        finally:
            engine.dispose()


@dataclass
class Storm:
    house: House
    options: Options
    engine: Engine
    killed: list[str] = field(default_factory=list)

    def play(self) -> dict[str, Any]:
        crowds = self._crowds()
        invented = sum(len(crowd) for _, crowd in crowds)
        self._say(f"{invented} people of {len(crowds)} companies: settle, link, switch on")
        for company, crowd in crowds:
            people.settle(company, crowd)
        self._link([company for company, _ in crowds])
        self._switch_on()
        told: dict[str, Any] = {"database": self.options.database, "people": invented, "companies": len(crowds)}
        told["quiet_window"] = self.options.quiet_window
        if self.options.latency_edits:
            self._say("latencies")
            told["latency"] = self._latencies()
        self._set("--quiet-seconds", self.options.quiet_window)
        for vendor in (self.house.smarthr, self.house.freee):
            vendor.ask("PUT", "switches", {"webhook_loss": "all"})
        self._say("edits")
        for company, crowd in crowds:
            people.edit_all(company, crowd)
        for vendor in (self.house.smarthr, self.house.freee):
            vendor.ask("PUT", "switches", {"webhook_loss": "none"})
        return {**told, **self._storm(crowds)}

    def _crowds(self) -> list[Crowd]:
        """Every company's house and people."""
        companies = self.house.companies()
        share = self.options.people // len(companies)
        return [(each, people.invent(share, after=number * share)) for number, each in enumerate(companies)]

    # ── before ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _link(self, companies: Sequence[House]) -> None:
        """A first run of everybody by hand: who is equal is linked and remembered."""
        common = {"direction": "smarthr_to_freee", "as_of_date": practice_company.japan_today().isoformat()}
        common |= {"employees": "all", "acknowledge_mass_change": True}
        runs = [self.house.api.post("/api/v1/runs", {**common, "connection": each.connection}) for each in companies]
        for run in runs:
            path = f"/api/v1/runs/{run['id']}"
            wait_for(lambda: self.house.api.get(path)["state"] in FINAL_RUNS, seconds=600, what="the first run")  # noqa: B023

    def _switch_on(self) -> None:
        self.house.freee.ask("PUT", "webhook", {"url": f"{self.house.api.url}/webhooks/freee", "token": FREEE_SECRET})
        words = [["connection", "register-webhook", connection] for connection in self.house.connections]
        flask_one_after_the_other(self.house.env, [({}, each) for each in words])
        self._set("--directions", "both", "--sweep-minutes", "1440")
        begin_outside(self.house.api)
        self.house.freee.ask("PUT", "switches", {"webhook_time_scale": 0.01, "webhook_retries": 3})
        self.house.smarthr.ask("PUT", "switches", {"webhook_time_scale": 0.01})
        if self.options.await_sweep:
            wait_for(self._swept, seconds=300, what="the first comparison of everybody")
        self._quiet(seconds=300)

    def _swept(self) -> bool:
        runs = [run for run in self.house.api.pages("/api/v1/runs") if run["trigger"] == "schedule"]
        time.sleep(0.5)
        return len(runs) >= 2 * len(self.house.connections) and all(run["state"] in FINAL_RUNS for run in runs)

    def _set(self, *words: str) -> None:
        every = [["connection", "set-automatic", connection, *words] for connection in self.house.connections]
        flask_one_after_the_other(self.house.env, [({}, each) for each in every])

    def _latencies(self) -> dict[str, Any]:
        """Of the first company, with people of their own, so that the storm's are untouched."""
        few, house = people.invent(9, turn=1), self.house.companies()[0]
        people.settle(house, few)
        self._link([house])
        crews = {each["emp_code"]: each["id"] for each in house.smarthr.state()["crews"]}
        ids = {each["num"]: each["id"] for each in house.freee.state()["employees"]}
        for each in few:
            each.crew_id, each.employee_id = crews[each.number], ids[each.number]
        quiet = lambda: self._quiet(seconds=120)  # noqa: E731
        return latency.measure(house, few, edits=self.options.latency_edits, quiet=quiet)

    # ── the storm ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _storm(self, crowds: Sequence[Crowd]) -> dict[str, Any]:
        volley = load_volley(crowds, self.options.webhooks)
        search = Search(self._canaries(crowds))
        file = written(volley, self.house.folder / "volley")
        self._say(f"{len(volley.hooks)} webhooks, {len(volley.order)} deliveries")
        before = outside.load()
        with self._killing(), self._sampling(search):
            answers = self._send(file)
            self._say(f"answered: {answers['statuses']}, p99 {answers['p99_ms']} ms; workers go on")
            ended = time.monotonic()
            load = outside.load()
            self._quiet(seconds=self.options.patience)
            quiet = time.monotonic() - ended
        answered = answers.pop("answered")
        verdict = self._judged(crowds, len(volley.hooks), answered)
        return {
            "webhooks": len(volley.hooks),
            "deliveries": len(volley.order),
            "answers": answers,
            "load": [before, load],
            "killed": len(self.killed),
            "quiet_seconds": round(quiet, 1),
            "runs": dict(outside.run_counts(self.engine)),
            "items": dict(outside.item_counts(self.engine)),
            "mails": Counter(bool(mail.run_id) for mail in mails(self.house.mails))[True],
            "verdict": {name: sorted(getattr(verdict, name)) for name in ("lost", "doubled", "unequal", "open")},
            "canary": self._searched(search),
        }

    def _send(self, file: Path) -> dict[str, Any]:
        answers = self.house.folder / "answers.json"
        command = [sys.executable, "-m", "tests.storm.sender", "--port", str(urlsplit(self.house.api.url).port)]
        command += ["--connections", str(self.options.lines)]
        command += ["--volley", str(file), "--answers", str(answers)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=self.options.patience)
        told: dict[str, Any] = json.loads(answers.read_text(encoding="ascii"))
        return told

    @contextmanager
    def _killing(self) -> Iterator[None]:
        """kill -9 of one worker process, by its id, every so many seconds."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(self.options.kill_every):
                if self.options.kills is not None and len(self.killed) >= self.options.kills:
                    return
                workers = self.house.pids("workers.worker interactive")
                chosen = [pid for pid in workers if parent_of(pid) in workers]
                if chosen:
                    kill(random.choice(chosen))
                    self.killed.append(f"{time.time():.1f}")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def _sampling(self, search: Search) -> Iterator[None]:
        """What the queues hold is gone when it is done: looked at while it is there."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(SAMPLE_SECONDS):
                look_at_service(self.house, search)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    # ── after ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _quiet(self, *, seconds: float) -> None:
        """Until nobody has anything left to tell or to do, three times within a second. Raises TimeoutError."""
        wait_for(lambda: all(self._is_idle() for _ in range(3)), seconds=seconds, what="the end of the work")

    def _is_idle(self) -> bool:
        try:
            say_it_is_meant(self.house)  # new people by the hundred are a mass change
            queue = self.house.api.get("/api/v1/queue")
        except TRANSIENT:
            return False
        busy = queue["runs_open"] or queue["outbox_waiting"] or queue["mails_waiting"]
        busy = busy or outside.unsorted_left(self.engine)
        idle = not busy and all(each.smarthr.is_idle() and each.freee.is_idle() for each in self.house.companies())
        time.sleep(0.35)
        return idle

    def _judged(self, crowds: Sequence[Crowd], hooks: int, answered: list[list[int]]) -> Verdict:
        verdict = judge_deliveries(hooks, answered, outside.stored(self.engine))
        verdict.add(judge_runs(list(self.house.api.pages("/api/v1/runs")), mails(self.house.mails)))
        for company, crowd in crowds:
            states = company.smarthr.state(), company.freee.state()
            verdict.add(judge_people([person.worker for person in crowd], *states))
        return verdict

    def _canaries(self, crowds: Sequence[Crowd]) -> Canaries:
        secrets = {practice_company.FREEE_CLIENT_SECRET, FREEE_SECRET, self.house.api.key}
        secrets |= {self.house.env["SECRET_KEY"], self.house.env["ENCRYPTION_KEYS"]}
        for company, _ in crowds:
            tenant = company.tenant
            secrets |= {tenant.smarthr_token, tenant.access_token, tenant.refresh_token, smarthr_secret(company)}
        everybody = [person for _, crowd in crowds for person in crowd]
        return Canaries(frozenset(secrets) | frozenset(people.WORDS), people.numbers_of(everybody))

    def _searched(self, search: Search) -> dict[str, Any]:
        look_at_service(self.house, search)
        search.look_at_files("logs", sorted(self.house.folder.glob("**/*.log")))
        if self.house.cluster is not None:
            search.look_at_files("logs", [self.house.cluster / "log"])  # the database server's own
        search.look_at_mails(self.house.mails)
        outside.look_at_database(self.house, search)
        return {
            "canaries": len(search.canaries),
            "searched": dict(search.told()),
            "leaks": search.leaks,
            "self_test_missed": self_test(self.house, search.canaries, self.engine),
        }

    def _say(self, text: str) -> None:
        load = os.getloadavg()[0]
        print(f"{time.strftime('%H:%M:%S')} {self.options.database}: {text} (load {load:.1f})", file=sys.stderr)


def look_at_service(house: House, search: Search) -> None:
    """The broker and /metrics as they are now."""
    try:
        search.look_at_broker(house.broker.client)
        with local_session() as session:
            search.look(
                "metrics",
                "/metrics",
                session.get(f"{house.api.url}/metrics", headers=house.api.headers, timeout=30).content,
            )
    except (redis.RedisError, requests.RequestException) as error:
        print(f"a sample was missed: {type(error).__name__}", file=sys.stderr)

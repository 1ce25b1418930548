"""A whole house for tests: both practice vendors over real HTTP, a real database, jobs that run when the test says so.

Nothing of ours is replaced: queue, mail and clock are small implementations of the ports, where the outside begins.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from app.adapters.freee.consent import FreeeConsent
from app.adapters.municipalities import municipalities
from app.config import Settings
from app.domain.enums import Direction, Trigger
from app.domain.ports import Mail, QueueDepth, QueuedJob
from app.domain.runs.commands import StartRun
from app.domain.runs.queues import QUEUES
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection, ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.practice.freee.practice_freee import freee_of
from app.practice.freee.simulator import PracticeFreee
from app.practice.house.environment import practice_vendors
from app.practice.server import RunningServer
from app.practice.smarthr.practice_smarthr import smarthr_of
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import FaultInjector, injector_of
from app.safety.high_water import HighWater
from app.storage.runs.rows import ItemRow, RunRow
from app.storage.schema import is_missing
from app.storage.token_store import DatabaseTokenDoor, DatabaseTokenStore
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from app.use_cases.context import Context
from app.use_cases.employee import job as sync
from app.use_cases.finish import notify
from app.use_cases.household import Household
from app.use_cases.intake import start_run
from app.use_cases.queries import history
from app.use_cases.shared.views import RunView
from app.use_cases.survey import survey
from app.use_cases.upkeep import reconcile, relay
from app.web.i18n import wording
from app.wiring import Gateways, identity_of, keys_of
from tests.clock import TurnedClock
from tests.hashing import CHEAP
from tests.never_silent import NeverSilent
from tests.new_database import new_database
from tests.vendors import Vendors, take_vendors

KEY = "renshu"
NOON_IN_JAPAN = time(3)


class OpenLimiter(NeverSilent):
    """Grants at once and remembers who was closed for how long."""

    def __init__(self) -> None:
        self.closed: list[tuple[str, float]] = []

    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None:
        self.closed.append((key, seconds))

    def closed_for(self, key: str) -> float:
        return 0.0

    def pace(self, key: str) -> float:
        return 100.0

    def remaining(self, key: str) -> int:
        return 1000


class Postbox:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


class HeldQueue:
    """Keeps what was pushed until the test takes it."""

    def __init__(self) -> None:
        self.jobs: list[QueuedJob] = []

    def push(self, jobs: Sequence[QueuedJob]) -> None:
        self.jobs.extend(jobs)

    def depths(self) -> list[QueueDepth]:
        waiting = Counter(job.queue for job in self.jobs)
        return [QueueDepth(queue, waiting[queue], 0, 0, oldest_age=None, workers=1) for queue in QUEUES]

    def wait_for_room(self, seconds: float) -> bool:
        return False

    def takes_writes(self) -> bool:
        return True

    def take(self) -> list[QueuedJob]:
        taken, self.jobs = self.jobs, []
        return taken


@dataclass
class House:
    ctx: Context
    clock: TurnedClock
    queue: HeldQueue
    postbox: Postbox
    limiter: OpenLimiter
    smarthr: PracticeSmartHR
    smarthr_injector: FaultInjector
    freee: PracticeFreee
    freee_injector: FaultInjector
    company: PracticeCompany
    vendors: Vendors
    database: Database
    jobs_done: list[QueuedJob] = field(default_factory=list)

    @property
    def servers(self) -> tuple[RunningServer, RunningServer]:
        """SmartHR's and freee's."""
        return self.vendors.servers

    @property
    def connection(self) -> Connection:
        with self.ctx.unit_of_work() as uow:
            connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        return connection

    @property
    def today(self) -> date:
        return self.company.today

    def another_process(self, *, encryption: Sequence[str], signing: Sequence[str]) -> House:
        """The same house as a process sees it that was started with these keys, newest first. Call `database.dispose()`
        of the process that it takes the place of."""
        settings = replace(
            self.ctx.settings,
            encryption_keys=tuple(encryption),
            secret_key=signing[0],
            secret_key_previous=tuple(signing[1:]),
        )
        ctx, database = process_of(settings, self.clock, self.limiter, self.queue, self.postbox)
        return replace(self, ctx=ctx, database=database)

    def copied_to(self, folder: Path) -> House:
        """The database as it is now, woken up on another host with the same environment: online copy and settings, not
        the identity. Both vendors are the same. Call `database.dispose()`."""
        folder.mkdir()
        there = folder / "awase.db"
        self._database_to(there)
        settings = replace(self.ctx.settings, data_dir=folder, database_url=f"sqlite:///{there}")
        return self._with(settings)

    def doubled_at(self, there: Path) -> House:
        """The same house with the database as it is now, in another file: what becomes of it there changes nothing
        here, as long as nobody writes to the vendors. Call `database.dispose()`."""
        self._database_to(there)
        return self._with(replace(self.ctx.settings, database_url=f"sqlite:///{there}"))

    def in_the_name_of(self, folder: Path) -> House:
        """The same database as a process of another house sees it. Call `database.dispose()`."""
        folder.mkdir()
        return self._with(replace(self.ctx.settings, data_dir=folder))

    def _database_to(self, there: Path) -> None:
        here = self.database.engine.url.database or ""
        with closing(sqlite3.connect(here)) as source, closing(sqlite3.connect(there)) as target:
            source.backup(target)

    def _with(self, settings: Settings) -> House:
        queue, postbox = HeldQueue(), Postbox()
        ctx, database = process_of(settings, self.clock, self.limiter, queue, postbox)
        return replace(self, ctx=ctx, database=database, queue=queue, postbox=postbox, jobs_done=[])

    def start(self, direction: Direction, **changes: Any) -> RunView:
        """Start a manual run for everybody as of the company's today, unless told otherwise. A mass change is meant:
        the practice company has nobody linked at first, and most tests are about other things than the guard."""
        command = StartRun(
            connection_key=KEY,
            direction=direction,
            as_of_date=self.today,
            employees=None,
            dry_run=False,
            trigger=Trigger.MANUAL,
            started_by="test",
            acknowledged=True,
        )
        return start_run.start_run(self.ctx, replace(command, **changes))

    def work(self, *, reconciling: bool = True, rounds: int = 200) -> None:
        """Relay, run every job, and let time pass until nothing is left to do."""
        for _ in range(rounds):
            relay.relay_once(self.ctx)
            jobs = self.queue.take()
            for job in jobs:
                self.do(job)
            if jobs:
                continue
            if not reconciling or not self._something_open():
                return
            self.clock.turn(seconds=self.ctx.settings.reconcile_seconds * 3)
            reconcile.reconcile_once(self.ctx)
        raise AssertionError("the work does not end")

    def do(self, job: QueuedJob) -> None:
        JOBS[job.function.rpartition(".")[2]](self.ctx, *job.args)
        self.jobs_done.append(job)

    def run(self, direction: Direction, **changes: Any) -> RunView:
        """Start a run and work it to its end."""
        started = self.start(direction, **changes)
        self.work()
        return self.seen(started)

    def seen(self, run: RunView) -> RunView:
        return history.get_run(self.ctx, run.id)

    def items(self, run: RunView) -> list[ItemRow]:
        with self.ctx.unit_of_work() as uow:
            row = uow.runs.get_by_public_id(run.id)
            assert row is not None
            return uow.items.page(row.id, after=-1, limit=100_000)

    def item(self, run: RunView, number: str) -> ItemRow:
        found = [item for item in self.items(run) if item.employee_number == number]
        assert len(found) == 1, f"{len(found)} items for {number}"
        return found[0]

    def states(self, run: RunView) -> dict[str, ItemState]:
        """Source id → state."""
        return {item.source_id or item.employee_number: item.state for item in self.items(run)}

    def writes(self) -> int:
        """Requests other than reads that both vendors have seen, tokens left out."""
        seen = [*self.smarthr_injector.requests, *self.freee_injector.requests]
        return sum(r.method != "GET" and "/public_api/" not in r.path for r in seen)

    def calls(self) -> int:
        seen = [*self.smarthr_injector.requests, *self.freee_injector.requests]
        return sum("/public_api/" not in r.path for r in seen)

    def close(self) -> None:
        self.database.dispose()
        self.vendors.give_back()

    def open_runs(self) -> list[RunRow]:
        """Runs that have not ended and go on by themselves: neither previews nor what webhooks gather until the
        beginning of the automatic sync is approved."""
        with self.ctx.unit_of_work() as uow:
            runs = [run for run in uow.runs.page(after=None, limit=200) if run.finished_at is None]
            begins = {(mark.connection_id, mark.direction) for mark in uow.beginnings.all()}
        going = [run for run in runs if run.state is not RunState.PREVIEWED]
        return [
            run
            for run in going
            if run.state is not RunState.WAITING
            or run.gather_until is None
            or (run.connection_id, run.direction) not in begins
        ]

    def _something_open(self) -> bool:
        with self.ctx.unit_of_work() as uow:
            waiting_mail = uow.outbox.waiting(self.clock.now() + timedelta(days=1))[0]
        return bool(waiting_mail) or bool(self.open_runs())


JOBS: dict[str, Callable[..., Any]] = {
    "survey_run": survey.survey_run,
    "sync_item": sync.sync_item,
    "send_mail": notify.send_mail,
}


def settings_for(folder: Path, *, smarthr: str, freee: str, **more: str) -> Settings:
    env = {
        "DATA_DIR": str(folder),
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "an-invented-encryption-key",
        "BASE_URL": "http://awase.test",
        "ALLOW_PLAINTEXT": "BASE_URL",
        **practice_vendors(smarthr, freee),
        "RETRY_BASE_SECONDS": "1",
    }
    return Settings.from_env({**env, **more})


def open_house(
    folder: Path,
    company: PracticeCompany,
    *,
    smarthr_switches: dict[str, Any] | None = None,
    freee_switches: dict[str, Any] | None = None,
    turn_freee: bool = False,
    now: datetime | None = None,
    **more: str,
) -> House:
    """Everything connected, nothing run yet, on the migrated database `DATABASE_URL`, else on a new one in the folder.
    `turn_freee`: the practice freee follows the house's clock, so that its tokens end and its limits pass when that is
    turned. `now`: where its clock begins; otherwise on the day of the company's stories, whose months it has. Call
    `close()`."""
    clock = TurnedClock(now or datetime.combine(company.today, NOON_IN_JAPAN, UTC))
    freee_clock = (lambda: clock.now().timestamp()) if turn_freee else None
    vendors = take_vendors(company, smarthr_switches or {}, freee_switches or {}, freee_clock)
    settings = settings_for(folder, smarthr=vendors.servers[0].url, freee=vendors.servers[1].url, **more)
    if is_missing(settings.database_url):
        new_database(folder / "awase.db")
    house = house_on(settings, clock, company, vendors)
    connect(house.ctx, clock.now())
    return house


def house_on(settings: Settings, clock: TurnedClock, company: PracticeCompany, vendors: Vendors) -> House:
    """A house on the migrated database of the settings, as it is, with these vendors. Call `close()`."""
    smarthr_app, freee_app = vendors.apps
    limiter, queue, postbox = OpenLimiter(), HeldQueue(), Postbox()
    ctx, database = process_of(settings, clock, limiter, queue, postbox)
    ctx.household.claim()  # as every process that stays does when it starts
    return House(
        ctx=ctx,
        clock=clock,
        queue=queue,
        postbox=postbox,
        limiter=limiter,
        smarthr=smarthr_of(smarthr_app),
        smarthr_injector=injector_of(smarthr_app),
        freee=freee_of(freee_app),
        freee_injector=injector_of(freee_app),
        company=company,
        vendors=vendors,
        database=database,
    )


def process_of(
    settings: Settings, clock: TurnedClock, limiter: OpenLimiter, queue: HeldQueue, postbox: Postbox
) -> tuple[Context, Database]:
    """What one process of a house has of its own: started with these settings, it knows no other keys."""
    keys = keys_of(settings)
    database = Database(settings.database_url, Vault(keys.encryption), keys)
    tokens = DatabaseTokenStore(database.unit_of_work, clock)
    door = DatabaseTokenDoor(database.unit_of_work, clock, settings.freee_client_id)
    household = Household(identity_of(settings), database.unit_of_work, clock, HighWater(settings.beats_places))
    gateways = Gateways(settings, tokens, door, limiter, clock, household)
    ctx = Context(
        settings=settings,
        keys=keys,
        clock=clock,
        unit_of_work=database.unit_of_work,
        gateway=gateways,
        smarthr_of=gateways.smarthr_of,
        webhook_registry=gateways.webhook_registry,
        tokens=tokens,
        token_door=door,
        keep_alive=gateways.keep_alive,
        authorisation=FreeeConsent(settings, limiter, door, clock, before_write=household.require),
        limiter=limiter,
        job_queue=queue,
        mailer=postbox,
        wording=wording,
        hasher=CHEAP,
        municipalities=municipalities(),
        household=household,
    )
    return ctx, database


def connect(ctx: Context, now: datetime) -> None:
    with ctx.unit_of_work() as uow:
        connection = uow.connections.add(
            key=KEY,
            name="練習用の会社",
            smarthr_subdomain=practice_company.SUBDOMAIN,
            smarthr_token=practice_company.SMARTHR_TOKEN,
            freee_company_id=practice_company.FREEE_COMPANY_ID,
            mail_to=["jinji@example.com"],
            now=now,
        )
        tokens = FreeeTokens(
            practice_company.FREEE_ACCESS_TOKEN, practice_company.FREEE_REFRESH_TOKEN, now + timedelta(hours=6)
        )
        uow.connections.set_freee_tokens(connection.id, tokens, now=now)
        uow.connections.set_export_settings(
            connection.id, ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 230_000)
        )

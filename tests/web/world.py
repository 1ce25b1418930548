"""A context for the web tests: a real database, a clock that stands, the outside world as small implementations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import event, text

from app.adapters.municipalities import municipalities
from app.config import Settings
from app.domain.completeness.listed import Listed
from app.domain.employee import EmployeeRecord, Person, YearMonth
from app.domain.enums import System
from app.domain.errors import AwaseError, TemporaryError
from app.domain.ports import Mail, QueueDepth, QueuedJob, SurveyPage
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.tokens import FreeeTokens
from app.storage.tables.models import Base
from app.storage.token_store import DatabaseTokenDoor, DatabaseTokenStore
from app.storage.unit_of_work import Database, make_engine
from app.storage.vault import Vault
from app.use_cases.context import Context
from app.use_cases.household import Household
from app.web.i18n import wording
from app.wiring import identity_of, keys_of
from tests.clock import TurnedClock
from tests.hashing import CHEAP
from tests.never_silent import NeverSilent
from tests.registrations import Registrations

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
KEY = "renshu"
NEW_TOKENS = FreeeTokens("an-invented-new-access", "an-invented-new-refresh", NOW.replace(year=2027))


class StandingClock(TurnedClock):
    def __init__(self) -> None:
        super().__init__(NOW)


@dataclass
class Broker:
    """A queue that keeps what it was given; `away` makes it refuse everything, `full` everything that is written."""

    jobs: list[QueuedJob] = field(default_factory=list)
    away: bool = False
    full: bool = False

    def push(self, jobs: Sequence[QueuedJob]) -> None:
        self._answer()
        self.jobs.extend(jobs)

    def depths(self) -> list[QueueDepth]:
        self._answer()
        return [QueueDepth("interactive", 3, 1, 0, 12.5, 2), QueueDepth("bulk", 0, 0, 0, None, 2)]

    def wait_for_room(self, seconds: float) -> bool:
        return False

    def takes_writes(self) -> bool:
        self._answer()
        return not self.full

    def _answer(self) -> None:
        if self.away:
            raise TemporaryError("queue_unavailable")


class Postbox:
    def __init__(self) -> None:
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        self.mails.append(mail)


class OpenLimiter(NeverSilent):
    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None:
        return None

    def closed_for(self, key: str) -> float:
        return 0.0

    def pace(self, key: str) -> float:
        return 2.0

    def remaining(self, key: str) -> int:
        return 1000


class Company:
    """One system's people, as a gateway shows them. Writing is not part of these tests."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.odd_masters = 0
        self.calls = self.listed_times = 0
        self.people: list[Person] = []
        self.error: Exception | None = None

    def directory(self, *, as_of_date: date) -> list[EmployeeRecord]:
        self.calls += 1
        self.listed_times += 1
        if self.error:
            raise self.error
        return [EmployeeRecord(person, {}) for person in self.people]

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        self.directory(as_of_date=as_of_date)
        return SurveyPage(rows=(), next_cursor=None)

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> Listed:
        return Listed(1)

    def assemble(self, rows: Iterable[Mapping[str, Any]], *, as_of_date: date) -> list[EmployeeRecord]:
        return self.directory(as_of_date=as_of_date)

    def known_pay_schedules(self, *, as_of_date: date, pages: int) -> tuple[frozenset[str], bool]:
        self.directory(as_of_date=as_of_date)
        return frozenset(), True

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        return next((EmployeeRecord(p, {}, month) for p in self.people if p.id == person_id), None)

    def find(self, person_id: str, *, as_of_date: date, since: datetime | None = None) -> EmployeeRecord | None:
        return self.read(person_id, month=None)

    @property
    def asks_by_number(self) -> bool:
        return self.system is System.SMARTHR

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        self.calls += 1
        if self.error:
            raise self.error
        return [p.id for p in self.people if p.number == number]

    def create(self, *args: Any, **kwargs: Any) -> EmployeeRecord:
        raise AssertionError("the web writes nothing")

    def apply(self, *args: Any, **kwargs: Any) -> EmployeeRecord:
        raise AssertionError("the web writes nothing")


@dataclass(frozen=True)
class Grant:
    company_id: int = 1234567
    company_name: str = "見本<b>商事</b>"
    external_cid: str = "1234567890"
    tokens: FreeeTokens = NEW_TOKENS


class SignIn:
    """freee's side of a consent: gives a grant, or raises what the test put there."""

    def __init__(self) -> None:
        self.grant = Grant()
        self.error: AwaseError | None = None
        self.asked = 0

    def new_verifier(self) -> str:
        return "an-invented-verifier"

    def url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        return f"https://accounts.example/authorize?{urlencode({'redirect_uri': redirect_uri, 'state': state})}"

    def check(self, tokens: FreeeTokens, *, company_id: int) -> Grant:
        if self.error:
            raise self.error
        return Grant(company_id=company_id, tokens=tokens)

    def finish(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        self.asked += 1
        if self.error:
            raise self.error
        return self.grant


@dataclass
class World:
    ctx: Context
    clock: StandingClock
    sign_in: SignIn
    broker: Broker
    companies: dict[System, Company]
    database: Database


def make_settings(folder: Path, **changes: str) -> Settings:
    env = {
        "DATA_DIR": str(folder),
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "an-invented-encryption-key",
        "BASE_URL": "http://localhost",
        "FREEE_CLIENT_ID": "an-invented-client",
        "FREEE_CLIENT_SECRET": "an-invented-secret",
    }
    return Settings.from_env({**env, **changes})


def make_world(settings: Settings) -> World:
    """On the database that the settings name, migrated or not."""
    keys = keys_of(settings)
    database = Database(settings.database_url, Vault(keys.encryption), keys)
    clock, broker, sign_in = StandingClock(), Broker(), SignIn()
    companies = {system: Company(system) for system in System}

    def gateway(connection: Connection, system: System) -> Any:
        return companies[system]

    gateway_of_smarthr: Any = companies[System.SMARTHR]
    ctx = Context(
        hasher=CHEAP,
        settings=settings,
        keys=keys,
        clock=clock,
        unit_of_work=database.unit_of_work,
        gateway=gateway,
        smarthr_of=lambda _subdomain, _token: gateway_of_smarthr,
        webhook_registry=lambda _connection: Registrations(),
        tokens=DatabaseTokenStore(database.unit_of_work, clock),
        token_door=DatabaseTokenDoor(database.unit_of_work, clock, settings.freee_client_id),
        keep_alive=lambda _connection: False,
        authorisation=sign_in,
        limiter=OpenLimiter(),
        job_queue=broker,
        mailer=Postbox(),
        wording=wording,
        municipalities=municipalities(),
        household=Household(identity_of(settings), database.unit_of_work, clock),
    )
    return World(ctx, clock, sign_in, broker, companies, database)


def with_keys(ctx: Context, *encryption: str, signing: Sequence[str] = ()) -> Context:
    """The same house as a process sees it that was started with these keys, newest first."""
    given = replace(
        ctx.settings,
        encryption_keys=encryption or ctx.settings.encryption_keys,
        secret_key=signing[0] if signing else ctx.settings.secret_key,
        secret_key_previous=tuple(signing[1:]),
    )
    keys = keys_of(given)
    database = Database(given.database_url, Vault(keys.encryption), keys)
    tokens = DatabaseTokenStore(database.unit_of_work, ctx.clock)
    return replace(ctx, settings=given, keys=keys, unit_of_work=database.unit_of_work, tokens=tokens)


def impatient_database(settings: Settings) -> Database:
    """The database of these settings, opened by somebody who waits 50 ms for a lock and no longer."""
    sqlite = settings.database_url.startswith("sqlite")
    more = "" if sqlite else "&options=-c%20lock_timeout%3D50"
    database = Database(settings.database_url + more, Vault(settings.encryption_keys))
    if sqlite:
        # for each connection that the pool opens: a vendor turn works in a thread of its own, beside the request's
        event.listen(database.engine, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=50"))
    return database


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Somebody else writes and does not come to an end: whoever reads reads, whoever writes waits."""
    engine = make_engine(settings.database_url)
    lock = {
        "postgresql": f"LOCK TABLE {', '.join(Base.metadata.tables)} IN EXCLUSIVE MODE",
        "sqlite": "SELECT 1",  # what is not marked as reading begins with BEGIN IMMEDIATE
    }
    with engine.connect() as connection:
        connection.execute(text(lock[engine.dialect.name]))
        yield
        connection.rollback()
    engine.dispose()

"""The engine without vendors: a real database, and small outsides (clock, broker, mail, lists) in the test's hand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from app.adapters.municipalities import municipalities
from app.config import Settings
from app.domain.completeness.listed import Listed
from app.domain.employee import EmployeeRecord, Person, Record, YearMonth
from app.domain.enums import Direction, System, Trigger
from app.domain.errors import AwaseError, TemporaryError
from app.domain.ports import Added, Mail, Outlook, QueueDepth, QueuedJob, Silence, SurveyPage
from app.domain.runs.commands import StartRun
from app.domain.settings.connection_settings import Connection, ExportSettings, PayType
from app.domain.vendors.tokens import FreeeTokens
from app.safety.identity import Identity
from app.storage.outgoing.rows import MailRow
from app.storage.runs.rows import RunRow
from app.storage.token_store import DatabaseTokenDoor, DatabaseTokenStore
from app.storage.unit_of_work import Database
from app.use_cases.context import Context
from app.use_cases.household import Household
from app.web.i18n import wording
from app.wiring import keys_of
from tests.clock import TurnedClock
from tests.hashing import CHEAP
from tests.never_silent import NeverSilent
from tests.registrations import Registrations
from tests.storage.databases import NOW, add_connection

TODAY = date(2026, 11, 22)


class Clock(TurnedClock):
    def __init__(self) -> None:
        super().__init__(NOW)


class Broker:
    """Holds jobs until the test takes them; `up` False refuses, `after_push` runs once the jobs are in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.up = True
        self.jobs: list[tuple[datetime, QueuedJob]] = []
        self.fails_after_push: BaseException | None = None

    def push(self, jobs: Sequence[QueuedJob]) -> None:
        if not self.up:
            raise TemporaryError("queue_unavailable")
        self.jobs += [(self._clock.now(), job) for job in jobs]
        if self.fails_after_push is not None:
            failure, self.fails_after_push = self.fails_after_push, None
            raise failure

    def depths(self) -> list[QueueDepth]:
        if not self.up:
            raise TemporaryError("queue_unavailable")
        return [self._depth(queue) for queue in ("interactive", "bulk")]

    def wait_for_room(self, seconds: float) -> bool:
        return False

    def takes_writes(self) -> bool:
        if not self.up:
            raise TemporaryError("queue_unavailable")
        return True

    def _depth(self, queue: str) -> QueueDepth:
        since = [pushed for pushed, job in self.jobs if job.queue == queue]
        age = (self._clock.now() - min(since)).total_seconds() if since else None
        return QueueDepth(queue, waiting=len(since), running=0, failed=0, oldest_age=age, workers=1)

    def take(self) -> list[QueuedJob]:
        taken = [job for _, job in self.jobs]
        self.jobs.clear()
        return taken

    def ids(self) -> list[str]:
        return [job.id for _, job in self.jobs]


class Postbox:
    """Takes mails, or raises what the test put into `answers` (one per attempt; None: the mail is taken)."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answers: list[BaseException | None] = []

    def send(self, mail: Mail) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.mails.append(mail)


class Limiter(NeverSilent):
    def __init__(self) -> None:
        self.closed: dict[str, float] = {}
        self.silent: list[Silence] = []
        self.looked_ahead: list[set[str]] = []

    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None:
        self.closed[key] = seconds

    def closed_for(self, key: str) -> float:
        return self.closed.get(key, 0.0)

    def silences(self) -> list[Silence]:
        return self.silent

    def outlook(self, keys: Collection[str], *, most: int) -> dict[str, Outlook]:
        self.looked_ahead.append(set(keys))
        return super().outlook(keys, most=most)

    def pace(self, key: str) -> float:
        return 2.0

    def remaining(self, key: str) -> int:
        return 1000


@dataclass
class Listing:
    """What one system's listing shows, or the error it raises."""

    people: list[Person] = field(default_factory=list)
    error: AwaseError | None = None
    asked: int = 0
    questions: list[str] = field(default_factory=list)
    """What was asked besides: numbers, and "added"."""


class ListingGateway:
    """Lists; whatever else a use case asked of it would be an error of the test."""

    def __init__(self, system: System, listing: Listing) -> None:
        self.system = system
        self.odd_masters = 0
        self.calls = 0
        self._listing = listing

    @property
    def asks_by_number(self) -> bool:
        return self.system is System.SMARTHR

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        self.calls += 1
        self._listing.questions.append(number)
        if self._listing.error is not None:
            raise self._listing.error
        return [each.id for each in self._listing.people if each.number == number]

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        self.calls += 1
        self._listing.questions.append(f"read {person_id} {month or ''}".strip())
        found = (EmployeeRecord(each, {}, month) for each in self._listing.people if each.id == person_id)
        return next(found, None)

    def added(self, end: Mapping[str, Any]) -> Added | None:
        self.calls += 1
        self._listing.questions.append("added")
        if self._listing.error is not None:
            raise self._listing.error
        people = [EmployeeRecord(each, {}) for each in self._listing.people[end["rows"] :]]
        return Added(people, {"rows": len(self._listing.people)})

    def directory(self, *, as_of_date: date) -> list[EmployeeRecord]:
        self._ask()
        return [EmployeeRecord(person, {}) for person in self._listing.people]

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        self._ask()
        return SurveyPage(rows=[], next_cursor=None)

    def listed(self, rows: Iterable[Record]) -> Listed:
        return Listed(1)

    def assemble(self, rows: Iterable[Record], *, as_of_date: date) -> list[EmployeeRecord]:
        return []

    def _ask(self) -> None:
        self.calls += 1
        self._listing.asked += 1
        if self._listing.error is not None:
            raise self._listing.error


@dataclass(frozen=True)
class Grant:
    company_id: int
    tokens: FreeeTokens
    company_name: str = "練習事業所"
    external_cid: str = "1234567890"


class SignIn:
    """freee's side of the consent: gives tokens of the practice company, or what the test put into `answer`."""

    def __init__(self) -> None:
        tokens = FreeeTokens("access-new", "refresh-new", NOW + timedelta(hours=6))
        self.answer: Grant | AwaseError = Grant(1234567, tokens)
        self.seen: dict[str, str] = {}
        self.codes: list[str] = []
        self.kept: list[int] = []
        self.trouble: AwaseError | None = None

    def keep_alive(self, connection: Connection) -> bool:
        """A renewal of the pair, or the trouble that the test put into `trouble`."""
        self.kept.append(connection.id)
        if self.trouble is not None:
            raise self.trouble
        return True

    def new_verifier(self) -> str:
        return "pkce-verifier"

    def url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        self.seen = {"redirect_uri": redirect_uri, "state": state, "verifier": verifier}
        return f"https://accounts.example/authorize?state={state}"

    def check(self, tokens: FreeeTokens, *, company_id: int) -> Grant:
        if isinstance(self.answer, AwaseError):
            raise self.answer
        return Grant(company_id, tokens)

    def finish(self, code: str, *, redirect_uri: str, verifier: str) -> Grant:
        assert (redirect_uri, verifier) == (self.seen["redirect_uri"], self.seen["verifier"])
        self.codes.append(code)
        if isinstance(self.answer, AwaseError):
            raise self.answer
        return self.answer


@dataclass
class Room:
    ctx: Context
    database: Database
    clock: Clock
    broker: Broker
    postbox: Postbox
    limiter: Limiter
    sign_in: SignIn
    listings: Mapping[System, Listing]
    connection: Connection

    def command(self, **changes: Any) -> StartRun:
        given = StartRun(
            connection_key=self.connection.key,
            direction=Direction.SMARTHR_TO_FREEE,
            as_of_date=TODAY,
            employees=None,
            dry_run=False,
            trigger=Trigger.MANUAL,
            started_by="cli",
        )
        return replace(given, **changes)

    def run_row(self, public_id: str) -> RunRow:
        with self.database.unit_of_work() as uow:
            run = uow.runs.get_by_public_id(public_id)
        assert run is not None
        return run

    def mail_of(self, run_id: int) -> MailRow | None:
        with self.database.unit_of_work() as uow:
            return uow.mails.of_runs([run_id]).get(run_id)


def open_room(database: Database, **settings: str) -> Room:
    env = {
        "SECRET_KEY": "k" * 32,
        "ENCRYPTION_KEYS": "an-invented-encryption-key",
        "BASE_URL": "https://awase.example:8443",
        "FREEE_CLIENT_ID": "an-invented-client",
        "FREEE_CLIENT_SECRET": "an-invented-secret",
    }
    clock, limiter, postbox, sign_in = Clock(), Limiter(), Postbox(), SignIn()
    broker = Broker(clock)
    listings = {system: Listing() for system in System}
    connection = add_connection(database)
    with database.unit_of_work() as uow:
        uow.connections.set_export_settings(
            connection.id, ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 230_000)
        )
    given = Settings.from_env({**env, **settings})
    ctx = Context(
        hasher=CHEAP,
        settings=given,
        keys=keys_of(given),
        clock=clock,
        unit_of_work=database.unit_of_work,
        gateway=lambda _connection, system: ListingGateway(system, listings[system]),  # type: ignore[arg-type, return-value]
        smarthr_of=lambda _subdomain, _token: ListingGateway(System.SMARTHR, listings[System.SMARTHR]),  # type: ignore[arg-type, return-value]
        webhook_registry=lambda _connection: Registrations(),
        tokens=DatabaseTokenStore(database.unit_of_work, clock),
        token_door=DatabaseTokenDoor(database.unit_of_work, clock, env["FREEE_CLIENT_ID"]),
        keep_alive=sign_in.keep_alive,
        authorisation=sign_in,
        limiter=limiter,
        job_queue=broker,
        mailer=postbox,
        wording=wording,
        municipalities=municipalities(),
        household=Household(Identity("e" * 64), database.unit_of_work, clock),
    )
    return Room(ctx, database, clock, broker, postbox, limiter, sign_in, listings, connection)


def person(number: str, person_id: str | None = None, **more: Any) -> Person:
    return Person(System.SMARTHR, person_id or f"crew-{number}", number, hired_on=date(2020, 4, 1), **more)

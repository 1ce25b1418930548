"""The world of the freee tests: the practice company behind real HTTP, every exchange recorded, and plain stand-ins for
the token store, the clock and the step recorder."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import requests

from app.adapters.freee.client import FreeeClient, build_freee_client
from app.adapters.freee.directory_cache import DirectoryCache
from app.adapters.freee.gateway import FreeeGateway
from app.config import Settings
from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.enums import Step
from app.domain.errors import AwaseError
from app.domain.planning.plan import Change
from app.domain.settings.connection_settings import ExportSettings, MappingOptions, PayType
from app.domain.snapshot import ABSENT, FieldState
from app.domain.vendors.token_door import Door, after_answer, after_refusal
from app.domain.vendors.tokens import FreeeTokens, Passage
from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.freee.simulator import PracticeFreee
from app.practice.server import start_in_thread
from app.practice.staff import practice_company
from app.practice.staff.practice_company import build_company
from app.practice.vendor_kit.limits import FAST, Rates
from tests.adapters.canned import OpenLimiter
from tests.clock import TurnedClock

TODAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
CONNECTION_ID = 7
COMPANY_ID = practice_company.FREEE_COMPANY_ID

SAME_MONTH_PAYER = 100001
NEXT_MONTH_PAYER = 100018
CLOSES_ON_20 = 100023
LEFT_LAST_YEAR = 100071
JOINS_LATER = 100073
OUTSIDE_PAYROLL = 100082

EXPORT = ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 250_000)
OPTIONS = MappingOptions(as_of_date=TODAY)
NOVEMBER, DECEMBER = YearMonth(2026, 11), YearMonth(2026, 12)


class HandClock(TurnedClock):
    def __init__(self, now: datetime = NOW) -> None:
        super().__init__(now)

    def seconds(self) -> float:
        return self.instant.timestamp()


class MemoryTokens:
    """The port TokenStore for one connection, with the promises of its docstrings; remembers what was asked."""

    def __init__(self, first: FreeeTokens, clock: HandClock) -> None:
        self.tokens = first
        self.claims: list[int] = []
        self.unknown: list[int] = []
        self.consent_wanted: list[int] = []
        self.given_back: list[int] = []
        self._clock = clock
        self._claimed_until: datetime | None = None
        self._lock = threading.Lock()

    def smarthr_token(self, connection_id: int) -> str:
        raise NotImplementedError

    def freee_tokens(self, connection_id: int) -> FreeeTokens:
        assert connection_id == CONNECTION_ID
        with self._lock:
            return replace(self.tokens, refresh_unknown=self.tokens.version in self.unknown)

    def claim_refresh(self, connection_id: int, *, version: int, seconds: float) -> bool:
        with self._lock:
            now = self._clock.now()
            taken = self._claimed_until is not None and self._claimed_until > now
            if version != self.tokens.version or taken or version in self.unknown:
                return False
            self._claimed_until = now + timedelta(seconds=seconds)
            self.claims.append(version)
            return True

    def store_refreshed(self, connection_id: int, tokens: FreeeTokens, *, version: int) -> bool:
        with self._lock:
            if version != self.tokens.version:
                return False
            self.tokens = replace(tokens, version=version + 1)
            self._claimed_until = None
            return True

    def refresh_not_done(self, connection_id: int, *, version: int) -> None:
        """The claim runs on as a pause."""
        self.given_back.append(version)

    def refresh_refused(self, connection_id: int, *, version: int) -> None:
        with self._lock:
            self._claimed_until = None

    def old_token_works(self, connection_id: int, *, version: int) -> None:
        with self._lock:
            self.unknown.remove(version)

    def mark_refresh_unknown(self, connection_id: int, *, version: int) -> None:
        self.unknown.append(version)

    def mark_needs_consent(self, connection_id: int, *, version: int) -> None:
        self.consent_wanted.append(version)


class MemoryDoor:
    """The port TokenDoor for one process, with the promises of its docstrings; `chance` is drawn for every back-off."""

    def __init__(self, clock: HandClock, *, chance: float = 0.5) -> None:
        self.door = Door()
        self.refusals: list[int] = []
        self._clock = clock
        self._chance = chance
        self._number = 0
        self._inside: int | None = None
        self._lock = threading.Lock()

    def opens_in(self) -> float:
        return self.door.opens_in(self._clock.now())

    def enter(self) -> Passage | float:
        with self._lock:
            if self._inside is not None:
                return 0.0
            wait = self.door.opens_in(self._clock.now())
            if wait > 0:
                return wait
            self._number += 1
            self._inside = self._number
            return Passage(self._number)

    def heard(self, passage: Passage) -> None:
        self._end(passage, after_answer(self.door, self._clock.now()))

    def refused(self, passage: Passage, *, status: int, retry_after: float | None) -> float:
        self.refusals.append(status)
        now, limited = self._clock.now(), status == 429
        closed = after_refusal(self.door, now, retry_after=retry_after, limited=limited, chance=self._chance)
        self._end(passage, closed)
        return self.opens_in()

    def left(self, passage: Passage) -> None:
        self._end(passage, self.door)

    def _end(self, passage: Passage, door: Door) -> None:
        with self._lock:
            assert self._inside == passage.number, "one at a time"
            self._inside, self.door = None, door


class Steps:
    """A StepRecorder that keeps what it was told, as `("sending", step, keys)`, `("done", step)`, `("failed", …)`."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        self.told.append(("sending", step, tuple(keys)))

    def done(self, step: Step) -> None:
        self.told.append(("done", step))

    def failed(self, step: Step, error: AwaseError) -> None:
        self.told.append(("failed", step, error.code))

    @property
    def ends(self) -> list[tuple[str, Step]]:
        return [(told[0], told[1]) for told in self.told if told[0] != "sending"]


@dataclass(frozen=True)
class Exchange:
    """One request and its answer as they went over the wire. `sent` and `answered` are parsed JSON where it is JSON."""

    method: str
    path: str
    query: str
    sent: Any
    status: int
    content_type: str
    answered: Any


class Recorder:
    """WSGI in the middle: keeps every exchange of a vendor app."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.exchanges: list[Exchange] = []
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(sent)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            started.append((status, headers))
            return start_response(status, headers)

        body = b"".join(self._app(environ, start))
        status, headers = started[-1]
        kind = {name.lower(): value for name, value in headers}.get("content-type", "")
        self.exchanges.append(
            Exchange(
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ.get("QUERY_STRING", ""),
                _json(sent),
                int(status[:3]),
                kind.partition(";")[0],
                _json(body),
            )
        )
        return [body]

    def sent(self, method: str, ending: str) -> list[Any]:
        """The bodies of matching requests in order."""
        return [each.sent for each in self.exchanges if each.method == method and each.path.endswith(ending)]


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


@dataclass
class World:
    freee: PracticeFreee
    url: str
    injector: Recorder
    clock: HandClock
    tokens: MemoryTokens
    door: MemoryDoor
    limiter: OpenLimiter
    settings: Settings
    cache: DirectoryCache | None = None
    sessions: list[requests.Session] = field(default_factory=list)

    def client(self, company_id: int = COMPANY_ID) -> FreeeClient:
        session = requests.Session()
        self.sessions.append(session)
        return build_freee_client(
            self.settings, CONNECTION_ID, company_id, self.tokens, self.door, self.limiter, self.clock, session
        )

    def gateway(self) -> FreeeGateway:
        return FreeeGateway(self.client(), COMPANY_ID, self.cache)

    def read(self, employee_id: int, month: YearMonth = NOVEMBER) -> EmployeeRecord:
        record = self.gateway().read(str(employee_id), month=month)
        assert record is not None
        return record

    def shown(self, employee_id: int, month: YearMonth = NOVEMBER) -> dict[str, Any]:
        """What freee holds, seen past the API."""
        return self.freee.employee(employee_id, month=(month.year, month.month))


company_of = cache(build_company)
"""Building takes longer than most tests; the simulator leaves its source as it is, for it can be reset to it."""


@contextmanager
def freee_world(switches: Mapping[str, Any] | None = None, *, rates: Rates = FAST, extra: int = 0) -> Iterator[World]:
    clock = HandClock()
    app = create_freee(company_of(TODAY, extra=extra), switches, clock.seconds, rates=rates)
    injector = Recorder(app)
    server = start_in_thread(injector)
    first = FreeeTokens(
        practice_company.FREEE_ACCESS_TOKEN, practice_company.FREEE_REFRESH_TOKEN, NOW + timedelta(hours=6), version=1
    )
    world = World(
        freee_of(app),
        server.url,
        injector,
        clock,
        MemoryTokens(first, clock),
        MemoryDoor(clock),
        OpenLimiter(),
        settings_for(server.url),
    )
    try:
        yield world
    finally:
        for session in world.sessions:
            session.close()
        server.stop()


def settings_for(url: str) -> Settings:
    return Settings.from_env(
        {
            "SECRET_KEY": "x" * 32,
            "ENCRYPTION_KEYS": "unused",
            "FREEE_API_URL": f"{url}/hr",
            "FREEE_ACCOUNTS_URL": url,
            "FREEE_CLIENT_ID": practice_company.FREEE_CLIENT_ID,
            "FREEE_CLIENT_SECRET": practice_company.FREEE_CLIENT_SECRET,
        }
    )


def change(key: str, after: FieldState) -> Change:
    return Change(key, ABSENT, after)


def same_month() -> PaySchedule:
    return PaySchedule(31, 25, False, "正社員")

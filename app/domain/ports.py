"""The doors to the outside as the use cases see them. The adapters implement these protocols; `app.wiring` puts the
two together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from app.domain.completeness.listed import Listed
from app.domain.employee import EmployeeRecord, PaySchedule, Person, YearMonth
from app.domain.enums import Step, System
from app.domain.errors import AwaseError
from app.domain.planning.plan import Change
from app.domain.settings.connection_settings import ExportSettings, MappingOptions


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant now, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when so many seconds have passed."""
        ...


@dataclass(frozen=True)
class ClockReading:
    """What the database's clock showed, between two moments of our monotonic clock."""

    theirs: datetime
    asked: float
    answered: float


class SteeredClock(Clock, Protocol):
    """A clock that goes by another host's, the database's."""

    def follow(self) -> None:
        """Ask for the other clock's time and go on from there; while nobody answers, as before."""
        ...

    @property
    def skew(self) -> float | None:
        """Seconds by which this host's own clock is ahead of the other; negative: behind it. None: not known yet."""
        ...


# ── employees ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class SurveyPage:
    """One answer of a listing. `kept` is JSON-able and goes to `listed` and `assemble` unchanged; it is stored
    encrypted, so that a survey resumes after a crash. `next_cursor` is None after the last page. `mark`: what
    `listed` has to know of the page besides its rows."""

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    next_cursor: str | None
    mark: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def kept(self) -> list[Mapping[str, Any]]:
        return [*self.rows, *([self.mark] if self.mark is not None else [])]


@dataclass(frozen=True)
class Added:
    """Who was added to a list of everybody since it ended, as the list shows them (freee: without a record), and where
    it ends now."""

    people: Sequence[EmployeeRecord] = field(repr=False)
    end: Mapping[str, Any] = field(repr=False)


class StepRecorder(Protocol):
    """Keeps one row per request that writes, so that history and repetitions know what was sent."""

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        """Record that a request is about to leave; committed before it does."""
        ...

    def done(self, step: Step) -> None: ...

    def failed(self, step: Step, error: AwaseError) -> None: ...


@dataclass(frozen=True)
class CreateRequest:
    """Everything a gateway needs to create one employee. `changes` holds all convertible items of the source."""

    changes: tuple[Change, ...]
    as_of_date: date
    options: MappingOptions
    export_settings: ExportSettings | None = None
    """Needed when the target is freee."""
    pay_schedules: Mapping[str, PaySchedule] = field(default_factory=dict)


class WriteWindow(Protocol):
    """What lies between the latest reading of one person and the write that is built from it."""

    def is_fresh(self, employee: EmployeeRecord) -> bool:
        """Whether the record is the answer to the latest request, and no second has passed since."""
        ...

    def permit_ahead(self) -> AbstractContextManager[None]:
        """Wait for the permit of one request; inside the block that request leaves without a wait. Raises
        TemporaryError."""
        ...

    @property
    def seconds(self) -> float:
        """From the moment the reading left to the answer of the latest request: so long an edit at the vendor may have
        been overtaken by our write."""
        ...


class EmployeeGateway(Protocol):
    """One system's employees, for one connection. Every method raises the three errors of `app.domain.errors`.

    A gateway is cheap to build, used by one thread, and never retries a write by itself.
    """

    system: System
    odd_masters: int
    """How many entries of a master `known_positions` has left out, because they cannot be read."""

    @property
    def window(self) -> WriteWindow: ...

    @property
    def calls(self) -> int:
        """Vendor requests sent through this gateway so far, refused and retried ones included."""
        ...

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        """The next page of all employees, up to 100 a call; `cursor` None starts."""
        ...

    def known_pay_schedules(self, *, as_of_date: date, pages: int) -> tuple[frozenset[str], bool]:
        """(names of the 締め日支払い日 groups that people have, whether the list was read to its end): at most so many
        pages of 100 are read. freee has them; of SmartHR there are none."""
        ...

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> Listed:
        """Whether the pages read so far are the whole list. When they are not, the caller starts again with cursor None
        and keeps the rows it has. Pure."""
        ...

    def assemble(self, rows: Iterable[Mapping[str, Any]], *, as_of_date: date) -> Sequence[EmployeeRecord]:
        """All rows of a finished survey → one EmployeeRecord per person, each person once, sorted by id; those whose id
        cannot be read at the end, with id "". Pure."""
        ...

    def directory(
        self, *, as_of_date: date, fresh: bool = True, since: datetime | None = None
    ) -> Sequence[EmployeeRecord]:
        """Survey and assemble at once, without keeping pages (who would be offered). `fresh=False` allows an answer
        that is up to a minute old, unless its listing began before `since`. Raises TemporaryError("list_incomplete")
        when the list keeps shifting, or is shorter than announced."""
        ...

    def added(self, end: Mapping[str, Any]) -> Added | None:
        """Who was added to the list of everybody since it ended there (`Listed.end`), asked in one call as long as they
        are few. None: the list has moved otherwise as well, so that only the whole list tells."""
        ...

    @property
    def asks_by_number(self) -> bool:
        """Whether `ids_by_number` takes one call, however many people there are."""
        ...

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        """One person now (freee: as of that closing month, which is then required). None on 404, which proves no
        deletion: `find` does."""
        ...

    def find(self, person_id: str, *, as_of_date: date, since: datetime | None = None) -> EmployeeRecord | None:
        """One person of whom only the id is known, in the month that the as-of date means for this person.

        `record` of the result is None when the system does not show the person in that month. Returns None when the
        system no longer has the person: a single reading and the list of all employees agree on that. Raises
        TemporaryError("listed_not_shown") while they contradict each other. `since`: a list of the last minute will do
        that was begun after this moment; None: list anew.
        """
        ...

    def some_people(self, *, month: YearMonth | None, leavers: bool = False) -> list[EmployeeRecord]:
        """One page of the list of all employees, in one call, as the system shows them now (freee: as of that closing
        month; with `leavers` the page of freee's list that also holds those who have left, which shows no records)."""
        ...

    def identify(self, hidden: EmployeeRecord) -> Person | None:
        """Who a person is whom the list shows without a record (`record` None), read in a month in which the system
        shows them: the month of joining or of leaving. None: no month shows them."""
        ...

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        """Ids of all employees with this number, leavers included; asked before every create. `fresh=False` allows an
        answer that is up to a minute old, for callers who know that Awase itself has changed nothing since."""
        ...

    def known_positions(self) -> frozenset[str] | None:
        """Names of the 役職 master; None where a title is free text."""
        ...

    def create(self, request: CreateRequest, steps: StepRecorder) -> EmployeeRecord:
        """Create one person and return the record as the system now shows it (freee: in the month that the as-of date
        means for this person). Only what the create call takes is sent; the caller plans again for the rest."""
        ...

    def apply(
        self,
        changes: Sequence[Change],
        current: EmployeeRecord,
        *,
        options: MappingOptions,
        steps: StepRecorder,
    ) -> EmployeeRecord:
        """Write the changes, one request per step, each built from `current`: what the vendor takes only as a whole is
        `current`'s with the changes put over it. In one request only the changes of one step (`writing.keys_by_step`)
        are safe from edits between the requests.

        An ItemError in one step does not stop the following steps; the first one is raised after the last step.
        TemporaryError and RunError stop at once. Returns the record as the answers of the writes show it.
        """
        ...


# ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class WebhookRegistration:
    """Where a vendor sends its notifications. The secret is write-only."""

    id: str
    url: str
    events: frozenset[str]
    """The events that are switched on, of those Awase knows."""
    expose_only_id: bool
    disabled_at: datetime | None
    """Since when the registration is off: the vendor after too many failures, or a person, switched it off. None: on.
    """
    unreadable: bool = False
    """The vendor's record of it cannot be read, so nobody can tell how it stands; its `id` may be ""."""


class WebhookRegistry(Protocol):
    """The webhook registrations of one SmartHR tenant. Raises the three errors of `app.domain.errors`."""

    @property
    def events(self) -> frozenset[str]:
        """The events that `register` and `repair` switch on: all there are."""
        ...

    def registrations(self) -> list[WebhookRegistration]:
        """All registrations of the tenant, those of other applications included."""
        ...

    def register(self, *, url: str, secret: str, description: str) -> WebhookRegistration:
        """Make a registration that sends ids only. Not idempotent: after `outcome_unknown` look whether it exists."""
        ...

    def repair(self, registration_id: str, *, url: str, secret: str) -> WebhookRegistration:
        """Make a registration again as `register` would, and switch it on. May be repeated."""
        ...

    def remove(self, registration_id: str) -> None: ...


@dataclass(frozen=True)
class Silence:
    """A vendor that takes the requests of one key of the limiter and answers none. `seconds`: how long nobody asks it
    yet; 0.0: it is on trial, one request goes first."""

    key: str
    seconds: float


class Outlook(NamedTuple):
    """What a key of the limiter gets within the limiter's patience. `permits`: from now on; `at_best`: when nobody has
    used any for long. Both only up to what was asked for."""

    permits: int
    at_best: int


class RateLimiter(Protocol):
    """Permits shared by all workers. `key` is "<system>:<tenant>"."""

    def reserve(self, key: str) -> float:
        """Book the next permit and return the seconds to wait before using it (0.0 = now). When the wait would be
        longer than the limiter's patience, it books nothing and returns the seconds as a negative number."""
        ...

    def close(self, key: str, seconds: float) -> None:
        """No worker gets a permit for this key for so many seconds (429, throttle, maintenance)."""
        ...

    def closed_for(self, key: str) -> float:
        """Seconds this key is still closed, 0.0 when it is open; the caller asks again after a wait."""
        ...

    def sent(self, key: str) -> object:
        """A request leaves. Give what this returns to `ended`."""
        ...

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        """The request has ended: with an answer of whatever kind, with a time-out (False), or with a fault that is no
        silence (None). Time-outs in a row close the key for a while that grows; then one request probes."""
        ...

    def silent_for(self, key: str) -> float:
        """Seconds for which nobody asks, because the vendor answers this key nothing; 0.0: somebody may."""
        ...

    def pace(self, key: str) -> float:
        """Permits per second this key gets in the long run, for the ETA."""
        ...


class MeteredRateLimiter(RateLimiter, Protocol):
    """A rate limiter that also tells operators how much of a quota is left."""

    def remaining(self, key: str) -> int:
        """Permits of this key that are left in its longest window (the vendor's hourly quota), as far as we know."""
        ...

    def silences(self) -> list[Silence]:
        """Every key whose vendor is silent or on trial."""
        ...

    def outlook(self, keys: Collection[str], *, most: int) -> dict[str, Outlook]:
        """Key → how many requests could leave soon, counted up to `most`. Nothing is told of keys without limits, nor
        while Redis is away."""
        ...


# ── jobs, mail ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class QueuedJob:
    """`function` is a dotted name in `workers.jobs`; `args` are ids only."""

    id: str
    queue: str
    function: str
    args: tuple[int, ...]


@dataclass(frozen=True)
class QueueDepth:
    queue: str
    waiting: int
    running: int
    failed: int
    oldest_age: float | None
    """Seconds since the oldest waiting job was queued."""
    workers: int


class JobQueue(Protocol):
    def push(self, jobs: Sequence[QueuedJob]) -> None:
        """Hand all jobs to the broker at once. Raises TemporaryError("queue_unavailable") when it refuses them."""
        ...

    def depths(self) -> list[QueueDepth]: ...

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until a worker has ended a job, at most so many seconds; whether one has. Raises
        TemporaryError("queue_unavailable")."""
        ...

    def takes_writes(self) -> bool:
        """Whether the broker takes what is written: one that is full, or only a replica, answers and takes nothing.
        Raises TemporaryError("queue_unavailable") when it does not answer."""
        ...


@dataclass(frozen=True)
class Mail:
    message_id: str
    to: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    html: str = field(default="", repr=False)  # the same as `body`; "": there is none
    language: str = field(default="ja", repr=False)


class Mailer(Protocol):
    def send(self, mail: Mail) -> None:
        """Raises TemporaryError (4xx, no connection) or ItemError (5xx: refused for good)."""
        ...

"""The doors to the outside as the use cases see them. Adapters implement them; `app.wiring` puts them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.enums import Step, System
from app.domain.errors import AwaseError
from app.domain.planning.plan import Change
from app.domain.settings.connection_settings import ExportSettings, MappingOptions


class Clock(Protocol):
    def now(self) -> datetime:
        """The instant now, aware, UTC."""
        ...


# ── employees ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class SurveyPage:
    """One answer of a listing. `rows` are JSON-able and go to `assemble` unchanged; they are stored encrypted between
    pages, so that a survey resumes after a crash. `next_cursor` is None after the last page."""

    rows: Sequence[Mapping[str, Any]] = field(repr=False)
    next_cursor: str | None


class StepRecorder(Protocol):
    """Keeps one row per request that writes, so that history and repetitions know what was sent."""

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        """Committed before the request leaves."""
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


class EmployeeGateway(Protocol):
    """One system's employees, for one connection. Every method raises the three errors of `app.domain.errors`.

    A gateway is cheap to build, used by one thread, and never retries a write by itself.
    """

    system: System

    @property
    def calls(self) -> int:
        """Vendor requests sent through this gateway so far, refused and retried ones included."""
        ...

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        """The next page of everybody, up to 100 a call; `cursor` None starts."""
        ...

    def assemble(self, rows: Iterable[Mapping[str, Any]], *, as_of_date: date) -> list[EmployeeRecord]:
        """All rows of a finished survey → one EmployeeRecord per person, each person once, sorted by id. Pure."""
        ...

    def directory(self, *, as_of_date: date, fresh: bool = True) -> list[EmployeeRecord]:
        """Survey and assemble at once, without keeping pages (who would be offered). `fresh=False` allows an answer
        that is up to a minute old."""
        ...

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        """One person now (freee: as of that closing month, which is then required). None on 404."""
        ...

    def find(self, person_id: str, *, as_of_date: date) -> EmployeeRecord | None:
        """One person of whom nothing is known but the id, in the month that the as-of date means for them. `record`
        None: the system does not show them in that month. None: it has them no more."""
        ...

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        """Who has this number, leavers included; asked before every create. `fresh=False` allows an answer that is up
        to a minute old, where nothing of ours can have happened since."""
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
        """Write the changes, one request per step, each the whole object read-merged-written in the same month.

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
    """Those that are switched on, of the events we know."""
    expose_only_id: bool
    disabled_at: datetime | None
    """Switched off since then, by the vendor after too many failures or by a person. None: on."""


class WebhookRegistry(Protocol):
    """The webhook registrations of one SmartHR tenant. Raises the three errors of `app.domain.errors`."""

    @property
    def events(self) -> frozenset[str]:
        """Those `register` and `repair` switch on: all there are."""
        ...

    def registrations(self) -> list[WebhookRegistration]:
        """All of the tenant, those of other applications included."""
        ...

    def register(self, *, url: str, secret: str, description: str) -> WebhookRegistration:
        """A new one, with ids only. Not idempotent: after `outcome_unknown` look whether it is there."""
        ...

    def repair(self, registration_id: str, *, url: str, secret: str) -> WebhookRegistration:
        """As `register` would make it, and switched on again. May be repeated."""
        ...

    def remove(self, registration_id: str) -> None: ...


# ── tokens, limits ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class FreeeTokens:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    """Of the access token (6 hours); the refresh token lives 90 days from issue and works once."""
    version: int = 0
    """Moves with every stored refresh; the compare-and-set of `TokenStore`."""
    refresh_unknown: bool = False
    """The answer of a refresh of this pair was lost: only the fate of the old access token can tell what freee did."""
    issued_at: datetime | None = field(default=None, compare=False)
    """When freee gave the pair out, as far as we know; not part of what makes the pair."""


class TokenStore(Protocol):
    """Vendor credentials, encrypted at rest. Each method is one short transaction."""

    def smarthr_token(self, connection_id: int) -> str: ...

    def freee_tokens(self, connection_id: int) -> FreeeTokens: ...

    def claim_refresh(self, connection_id: int, *, version: int, seconds: float) -> bool:
        """True for the one caller that may refresh now. A claim that is neither stored nor given back within `seconds`
        was a dead process's: the refresh counts as lost from then on."""
        ...

    def refresh_not_done(self, connection_id: int, *, version: int) -> None:
        """freee never got it: the pair is as good as before. The claim runs on as a pause."""
        ...

    def refresh_refused(self, connection_id: int, *, version: int) -> None:
        """freee has refused to hear it (limit, maintenance): the pair is as good as before, and the claim is over. The
        token door says when somebody may ask again."""
        ...

    def old_token_works(self, connection_id: int, *, version: int) -> None:
        """A refresh kills the access token before it at once (freee-hr-api.md section 2). It still works, so the lost
        refresh was never carried out, and its refresh token is not spent."""
        ...

    def store_refreshed(self, connection_id: int, tokens: FreeeTokens, *, version: int) -> bool:
        """Keep the new pair and end the claim; False when `version` moved meanwhile."""
        ...

    def mark_refresh_unknown(self, connection_id: int, *, version: int) -> None:
        """The answer of a refresh was lost: never sent again blindly, shown to ops."""
        ...

    def mark_needs_consent(self, connection_id: int, *, version: int) -> None: ...


@dataclass(frozen=True)
class Passage:
    """The right to ask freee's token endpoint, for one request. `number` fences it: a holder who was thought dead says
    nothing any more."""

    number: int


class TokenDoor(Protocol):
    """What stands before freee's token endpoint: one request at a time for the whole installation, none while it is
    closed. Each method is one short transaction."""

    def opens_in(self) -> float:
        """Seconds until it is worth entering: a look that takes nothing. 0.0 while somebody is inside."""
        ...

    def enter(self) -> Passage | float:
        """A passage, to be ended by one of the three methods below within a minute and a half; or the seconds that the
        door stays closed, 0.0 while it is only busy: another request is under way."""
        ...

    def heard(self, passage: Passage) -> None:
        """freee listened: it gave tokens, or said why not."""
        ...

    def refused(self, passage: Passage, *, status: int, retry_after: float | None) -> float:
        """freee did not listen (429, 503). `retry_after`: sane seconds it asked for. Returns the seconds to wait."""
        ...

    def left(self, passage: Passage) -> None:
        """Nothing was sent, or no answer came: it says nothing about the limit."""
        ...


class FreeeGrant(Protocol):
    """What an authorisation brought: the one company the person chose, and a pair of tokens good for it."""

    @property
    def company_id(self) -> int: ...

    @property
    def company_name(self) -> str: ...

    @property
    def external_cid(self) -> str: ...

    @property
    def tokens(self) -> FreeeTokens: ...


class FreeeAuthorisation(Protocol):
    """freee's sign-in (OAuth 2.0 with PKCE)."""

    def new_verifier(self) -> str:
        """A PKCE verifier, to be kept with the state until the person comes back."""
        ...

    def url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """Where to send the person."""
        ...

    def finish(self, code: str, *, redirect_uri: str, verifier: str) -> FreeeGrant:
        """The code that came back → company and tokens; sent once. Raises RunError, TemporaryError."""
        ...


class RateLimiter(Protocol):
    """Permits shared by all workers. `key` is "<system>:<tenant>"."""

    def reserve(self, key: str) -> float:
        """Book the next permit and return the seconds to wait before using it (0.0 = now). When the wait would be
        longer than the limiter's patience nothing is booked and the seconds are returned negative."""
        ...

    def close(self, key: str, seconds: float) -> None:
        """Nobody gets a permit for this key for that long (429, throttle, maintenance)."""
        ...

    def closed_for(self, key: str) -> float:
        """Seconds this key is still closed, 0.0 when it is open; asked again after a wait."""
        ...

    def pace(self, key: str) -> float:
        """Permits per second this key gets in the long run, for the ETA."""
        ...


class MeteredRateLimiter(RateLimiter, Protocol):
    """One that ops can look into."""

    def remaining(self, key: str) -> int:
        """Permits of this key that are left in its longest window (the vendor's hourly quota), as far as we know."""
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
        """All at once; raises TemporaryError("queue_unavailable") when the broker does not take them."""
        ...

    def depths(self) -> list[QueueDepth]: ...


@dataclass(frozen=True)
class Mail:
    message_id: str
    to: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)


class Mailer(Protocol):
    def send(self, mail: Mail) -> None:
        """Raises TemporaryError (4xx, no connection) or ItemError (5xx: refused for good)."""
        ...

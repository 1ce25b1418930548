"""What a customer decides per connection, and what the connection has learned about the two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from app.domain.employee import PaySchedule
from app.domain.enums import Direction, System
from app.domain.japanese.municipalities import NO_MUNICIPALITIES, Municipalities
from app.domain.settings.readability import Standing
from app.domain.settings.recipients import Language, Recipient
from app.domain.settings.two_persons import USUAL_HOURS, TwoPersons
from app.domain.vendors.tokens import TokensAtHand


class BlankPolicy(StrEnum):
    """What a blank at the source does to a value at the target."""

    KEEP = "keep"  # never erases
    ERASE_IF_AGREED = "erase_if_agreed"  # erases only what both sides once agreed on: it was cleared on purpose
    ERASE = "erase"  # the source's blank counts as a value


class ConflictPolicy(StrEnum):
    """Which side wins when both have changed since the last agreement. Manual runs: SOURCE_WINS."""

    SOURCE_WINS = "source_wins"
    SMARTHR_WINS = "smarthr_wins"
    FREEE_WINS = "freee_wins"
    HOLD = "hold"


class Automatic(StrEnum):
    """In which direction a connection syncs by itself (webhooks and the periodic comparison)."""

    OFF = "off"
    SMARTHR_TO_FREEE = "smarthr_to_freee"
    FREEE_TO_SMARTHR = "freee_to_smarthr"
    BOTH = "both"

    @property
    def directions(self) -> tuple[Direction, ...]:
        if self is Automatic.OFF:
            return ()
        return tuple(Direction) if self is Automatic.BOTH else (Direction(self.value),)


class MailPolicy(StrEnum):
    """When an automatic run mails; manual and API runs always do."""

    ALWAYS = "always"
    CHANGES = "changes"
    FAILURES = "failures"


class PayType(StrEnum):
    MONTHLY = "monthly"
    DAILY = "daily"
    HOURLY = "hourly"


@dataclass(frozen=True)
class ExportSettings:
    """エクスポート設定: what freee needs for a new employee and SmartHR does not hold."""

    working_hours_system_name: str
    pay_schedule_name: str
    pay_type: PayType
    base_pay: int


@dataclass(frozen=True)
class MappingOptions:
    """How items are converted for one connection."""

    include_building: bool = True
    """Send 建物名・部屋番号 as part of 市区町村以降の住所 (freee has no field of its own for it)."""
    create_positions: bool = False
    """Whether a freee 肩書 unknown to SmartHR's 役職 master may create an entry there."""
    known_positions: frozenset[str] | None = None
    """SmartHR's 役職 master by name, None when it was not read."""
    readable_attributes: frozenset[str] | None = None
    """SmartHR attributes (top-level names) that this token is known to read. A null outside this set may mean
    "not visible to this token" and counts as ABSENT, because SmartHR shows null for both. None: not known, every null
    is ABSENT."""
    readable_in_freee: frozenset[str] | None = field(default=None, repr=False)
    """The same for freee (paths), where freee is the source. None: every null of freee counts as blank, which is right
    where freee is written: a null there is filled, it erases nothing."""
    gone: frozenset[tuple[System, str]] = field(default=frozenset(), repr=False)
    """Attributes that had values and are shown for nobody now; nobody has answered yet whether they were emptied."""
    blank_policies: Mapping[str, BlankPolicy] = field(default_factory=dict)
    """Overrides by key of FIELDS."""
    excluded: frozenset[str] = frozenset()
    """Keys of FIELDS the customer does not exchange."""
    as_of_date: date | None = None
    """情報取得基準日: a 退職年月日 before it turns SmartHR's 在籍状況 to 退職済. None: 在籍状況 is left alone."""
    municipalities: Municipalities = field(default=NO_MUNICIPALITIES, repr=False)
    """By which freee's address is split into SmartHR's parts; nothing else asks for it."""


@dataclass(frozen=True)
class Connection:
    """One SmartHR tenant and one freee company."""

    id: int
    key: str
    """Public, unguessable: part of URLs and of API calls."""
    name: str
    smarthr_subdomain: str
    freee_company_id: int
    export_settings: ExportSettings | None
    export_settings_by_type: Mapping[str, ExportSettings] = field(default_factory=dict)
    """Other values for new employees whose 雇用形態 in SmartHR has that name; `export_settings` is for all others."""
    include_building: bool = True
    create_positions: bool = False
    automatic: Automatic = Automatic.OFF
    conflict_policy: ConflictPolicy = ConflictPolicy.HOLD
    conflict_policies: Mapping[str, ConflictPolicy] = field(default_factory=dict)
    """Another policy for single items: by key of FIELDS, the five items of the bank account by "bank"."""
    quiet_seconds: float | None = None
    """Quiet window of this connection; None: the setting QUIET_SECONDS."""
    sweep_minutes: int | None = None
    """How often both sides are compared as a whole; None: the setting SWEEP_MINUTES."""
    mail_policy: MailPolicy = MailPolicy.CHANGES
    mail_to: Sequence[str] = field(default=(), repr=False)
    mail_english: Sequence[str] = field(default=(), repr=False)
    """Those of `mail_to` who read English; the others read Japanese."""
    blank_policies: Mapping[str, BlankPolicy] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    two_persons: TwoPersons = TwoPersons.OFF
    """Which changes wait for a second person."""
    two_persons_hours: int | None = None
    """How long they wait; None: `two_persons.USUAL_HOURS`."""
    two_persons_off_by: str | None = None
    """The actor who has switched the setting off, or to fewer changes, last: not the second person of any change."""
    standings: Mapping[System, Mapping[str, Standing]] = field(default_factory=dict, repr=False)
    """How the attributes of both systems stand, by the names that `reading.attribute_in` gives them."""
    token_marks: Mapping[System, int] = field(default_factory=dict, repr=False)
    """How often the tokens of each system were given: the mark of the present ones, and of what they have shown."""
    missing_attributes: frozenset[str] = frozenset()
    """SmartHR attributes that the last check of the token asked for and that no employee's answer held."""
    attributes_checked_at: datetime | None = None
    employment_types: frozenset[str] = frozenset()
    """Names of SmartHR's 雇用形態 that people have, at the last check of the token."""
    pay_schedules: Mapping[str, PaySchedule] = field(default_factory=dict)
    """締め日支払い日 group name → schedule, learned from surveys: freee's API lists no groups."""
    known_positions: frozenset[str] | None = None
    """SmartHR's 役職 master by name, learned from surveys; None before the first one."""
    paused: bool = False
    needs_consent: bool = False
    doubled: bool = False
    """Another connection has the same tenant and company: this one stays paused until a person merges or removes it."""
    tokens: TokensAtHand | None = field(default=None, repr=False, compare=False)
    """Where the connection was read for a job; None: `TokenStore` hands them to the adapters."""

    @property
    def recipients(self) -> tuple[Recipient, ...]:
        english = frozenset(self.mail_english)
        return tuple(
            Recipient(each, Language.ENGLISH if each in english else Language.JAPANESE) for each in self.mail_to
        )

    @property
    def second_person_within(self) -> timedelta:
        """How long a change waits for its second person."""
        return timedelta(hours=self.two_persons_hours or USUAL_HOURS)

    def readable(self, system: System) -> frozenset[str]:
        """Attributes that a listing has shown to the present token, and those emptied for everybody on purpose."""
        mark = self.token_mark(system)
        found = self.standings.get(system, {})
        return frozenset(name for name, each in found.items() if each.cleared or each.is_shown_to(mark))

    def hoped(self, system: System) -> frozenset[str]:
        """Attributes that are worth a try: they had values when the system was last listed, or before the present
        token was given. Only a proof makes a null of them a blank."""
        return frozenset(name for name, each in self.standings.get(system, {}).items() if not each.is_open)

    def gone(self, system: System) -> Mapping[str, Standing]:
        """Attributes about which a person is asked: they are shown for nobody any more."""
        return {name: each for name, each in self.standings.get(system, {}).items() if each.is_open}

    def token_mark(self, system: System) -> str:
        return str(self.token_marks.get(system, 0))

    @property
    def readable_attributes(self) -> frozenset[str]:
        """SmartHR's."""
        return self.readable(System.SMARTHR)

    def tenant_of(self, system: System) -> str:
        """The tenant or company of one system, in the form in which two connections are compared."""
        return self.smarthr_subdomain.lower() if system is System.SMARTHR else str(self.freee_company_id)

"""What the repositories of links hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from app.domain.enums import Direction, System, Trigger
from app.domain.matching.marks import Marks
from app.domain.matching.name_search import NameMarks
from app.domain.planning.attention import Cause
from app.domain.planning.unsettled import Memory, loaded, stored_form
from app.domain.runs.run_state import ItemState
from app.storage.enums import UnlinkReason


@dataclass(frozen=True)
class LinkRow:
    id: int
    connection_id: int
    smarthr_id: str
    freee_id: str
    baseline: dict[str, Any]
    """Key of FIELDS → digest of the value on which both sides agreed."""
    unsettled: dict[str, Any] | None = field(repr=False)
    """Direction → unit → its last write (`domain.planning.unsettled`), as digests."""
    created_at: datetime
    unlinked_at: datetime | None
    unlinked_why: UnlinkReason | None
    unchanged_to_freee: str | None = field(default=None, repr=False)
    unchanged_to_smarthr: str | None = field(default=None, repr=False)
    """By what a survey in this direction knows that there is nothing to do (`use_cases.survey.unchanged`)."""

    def unchanged(self, direction: Direction) -> str | None:
        return self.unchanged_to_freee if direction.target is System.FREEE else self.unchanged_to_smarthr

    def id_in(self, system: System) -> str:
        return self.smarthr_id if system is System.SMARTHR else self.freee_id

    def memory(self, direction: Direction) -> Memory:
        """The writes in this direction that no later reading has found there."""
        return loaded((self.unsettled or {}).get(direction.value, {}))


@dataclass
class LinkState:
    """What a link remembers of its pair, as one transaction changes it. `unsettled`: stored forms by direction."""

    baseline: Mapping[str, Any]
    unsettled: Mapping[str, Any] = field(repr=False)

    def remember(self, direction: Direction, change: Callable[[Memory], Memory]) -> None:
        """Replace the memory of what was written in one direction and not seen there since."""
        kept = loaded(self.unsettled.get(direction.value, {}))
        after = change(kept)
        if after != kept:
            self.unsettled = {**self.unsettled, direction.value: stored_form(after)}

    def settle(self, units: Collection[str]) -> None:
        """Forget the writes of these units: a later reading has shown the same on both sides."""
        self.unsettled = {
            direction: {unit: sent for unit, sent in memory.items() if unit not in units}
            for direction, memory in self.unsettled.items()
        }

    def move_baseline(self, digests: Mapping[str, str], *, seen: Mapping[str, str]) -> bool:
        """Replace the whole baseline, unless it is no longer the one seen: False then.

        A process that has moved the baseline meanwhile knows of something later (a write, an undo) than what this
        caller read on both sides before.
        """
        if self.baseline != dict(seen):
            return False
        self.baseline = dict(digests)
        return True


@dataclass(frozen=True)
class Identity:
    """What tells who a person is. "" and None: not known."""

    last_name_kana: str = field(default="", repr=False)
    first_name_kana: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)


@dataclass(frozen=True)
class KnownPerson:
    """A person whom Awase has read although the lists hide them, or has created itself (`made_at`).

    `listed`: digest of what the list showed when Awase read them. `identity` None: no month showed the record. Whom
    others have added since a survey counts as made when Awase found them.
    """

    person_id: str
    employee_number: str
    listed: str = field(repr=False)
    identity: Identity | None = field(repr=False)
    read_at: datetime
    made_at: datetime | None = None
    marks: Marks | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    employee_number: str
    person_id: str
    schedule: dict[str, Any] | None = None
    """freee: the fields of `people.PaySchedule`."""
    content: str | None = field(default=None, repr=False)
    """Keyed digest of the items this person had; None: the system did not show them."""
    names: NameMarks | None = field(default=None, repr=False)
    """By which a search finds this person."""
    marks: Marks | None = field(default=None, repr=False)
    """By which somebody new is compared with this person."""
    record: str | None = field(default=None, repr=False)
    """Keyed digest of all that this entry was made of (`domain.planning.content.record_mark`); None: nobody has noted
    it."""


@dataclass(frozen=True)
class ListEnd:
    """Where a system's list of everybody ended (`EmployeeGateway.list_end`), how many stood in it, and which run's
    survey read it when."""

    run_id: int
    ended: Mapping[str, Any] = field(repr=False)
    people: int
    seen_at: datetime


@dataclass(frozen=True)
class AttentionRow:
    """One person who waits for somebody's action (`storage.tables.attention_models`)."""

    id: int
    connection_id: int
    direction: Direction
    source_id: str
    target_id: str | None
    employee_number: str
    state: ItemState
    code: str
    item_keys: tuple[str, ...]
    trigger: Trigger
    run_id: int
    item_id: int | None
    since: datetime
    at: datetime
    waived_until: date | None
    waived_by: str | None
    mended: tuple[str, ...] = ()
    """What of the blamed was found changed since, while nobody has tried the person again (`planning.healing`)."""
    name: str = field(default="", repr=False)
    waived_reason: str | None = field(default=None, repr=False)

    @property
    def why(self) -> Cause:
        """The cause, with what it blames."""
        return Cause(self.code, self.item_keys)

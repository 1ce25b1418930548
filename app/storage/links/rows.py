"""What the repositories of links hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from app.domain.enums import Direction, System
from app.domain.planning.unsettled import Memory, loaded
from app.storage.enums import (
    UnlinkReason,
)


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

    def id_in(self, system: System) -> str:
        return self.smarthr_id if system is System.SMARTHR else self.freee_id

    def memory(self, direction: Direction) -> Memory:
        """The writes in this direction that no later reading has found there."""
        return loaded((self.unsettled or {}).get(direction.value, {}))


@dataclass(frozen=True)
class Identity:
    """What tells who a person is. "" and None: not known."""

    last_name_kana: str = field(default="", repr=False)
    first_name_kana: str = field(default="", repr=False)
    birth_date: date | None = field(default=None, repr=False)


@dataclass(frozen=True)
class KnownPerson:
    """A person whom Awase has read although the lists hide them, or has created itself (`made_at`).

    `listed`: digest of what the list showed when Awase read them. `identity` None: no month showed the record.
    """

    person_id: str
    employee_number: str
    listed: str = field(repr=False)
    identity: Identity | None = field(repr=False)
    read_at: datetime
    made_at: datetime | None = None


@dataclass(frozen=True)
class DirectoryEntry:
    employee_number: str
    person_id: str
    schedule: dict[str, Any] | None = None
    """freee: the fields of `people.PaySchedule`."""
    content: str | None = field(default=None, repr=False)
    """Keyed digest of the items this person had; None: the system did not show them."""

"""What the list of everything that waits for a person (要対応) shows: entries, each with its cause, its owner and what
can be done about it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from app.domain.access.roles import Permission, Role
from app.domain.enums import Direction, System, Trigger
from app.domain.error_catalogue.catalogue import Place, who_of
from app.domain.error_catalogue.entries import Who


class Kind(StrEnum):
    """What waits. The first ones are people, the others connections, runs and the installation."""

    LINK = "link"  # who is this person on the other side
    FAILED = "failed"
    CONFLICT = "conflict"
    REVIEW = "review"
    ONE_WAY = "one_way"  # a difference which the connection's direction does not mend
    UNDO = "undo"  # what could not be put back
    HELD = "held"  # a mass change
    SECOND_PERSON = "second_person"
    BEGINS = "begins"  # automatic sync waits for its first approval
    CONSENT = "consent"
    PAUSED = "paused"
    WEBHOOK = "webhook"  # SmartHR tells nothing any more
    RIGHTS = "rights"  # an item is shown for nobody any more
    HOUSE = "house"  # this installation rests


class Act(StrEnum):
    """What can be done about an entry from the list."""

    AGAIN = "again"  # mended: sync this person once more
    COMPARE = "compare"  # the two side by side: the same person, or another one
    LINKS = "links"  # look for the partner
    SMARTHR_IS_RIGHT = "smarthr_is_right"
    FREEE_IS_RIGHT = "freee_is_right"
    WAIVE = "waive"  # leave it for now, with a reason and a date
    TAKE_UP = "take_up"  # it was left for now: not any longer
    DECIDE = "decide"  # open the run and approve or decline
    RESUME = "resume"
    SETTINGS = "settings"  # open the connection's page

    @property
    def permission(self) -> Permission:
        return _NEEDED[self]


_NEEDED: Mapping[Act, Permission] = {
    Act.AGAIN: Permission.RUN_SYNC,
    Act.COMPARE: Permission.MEND_LINKS,
    Act.LINKS: Permission.MEND_LINKS,
    Act.SMARTHR_IS_RIGHT: Permission.RUN_SYNC,
    Act.FREEE_IS_RIGHT: Permission.RUN_SYNC,
    Act.WAIVE: Permission.RUN_SYNC,
    Act.TAKE_UP: Permission.RUN_SYNC,
    Act.DECIDE: Permission.RUN_SYNC,
    Act.RESUME: Permission.OPERATE,
    Act.SETTINGS: Permission.SET_UP,
}
_OWNERS: Mapping[Who, Role] = {
    Who.HR: Role.MEMBER,
    Who.RIGHTS: Role.ADMIN,
    Who.ADMIN: Role.ADMIN,
    Who.OPS: Role.OPS,
    Who.SYSTEM: Role.MEMBER,
}


@dataclass(frozen=True)
class Waiver:
    until: date
    by: str
    reason: str = field(repr=False)


@dataclass(frozen=True)
class Entry:
    """One matter that waits for a person.

    `id`: stays while the matter waits; of a person "person:<number>". `code`: of the error catalogue. `where`: for its
    words. `people`: how many it is about. `items`: keys of FIELDS. `mended`: what of the blamed has changed since,
    so that sending again is offered (`domain.planning.healing`). `run`: where its outcome stands, or the run to
    decide on. `pages`: the person's page at each vendor, None where Awase knows none.
    """

    id: str
    kind: Kind
    connection: str
    company: str
    code: str
    where: Place
    since: datetime | None
    acts: tuple[Act, ...]
    people: int = 0
    number: str = ""
    ids: Mapping[System, str] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()
    run: str | None = None
    left_alone: bool = False
    waiver: Waiver | None = None
    pages: Mapping[System, str | None] = field(default_factory=dict)
    name: str = field(default="", repr=False)

    @property
    def direction(self) -> Direction | None:
        return self.where.direction

    @property
    def owner(self) -> Role:
        """The role that can do it."""
        return _OWNERS[who_of(self.code, self.where)]

    @property
    def is_person(self) -> bool:
        return self.id.startswith("person:")


@dataclass(frozen=True)
class Group:
    """Everything that waits for one cause. `entries`: those that wait longest; `count`: all of them."""

    kind: Kind
    code: str
    where: Place
    count: int
    since: datetime | None
    entries: tuple[Entry, ...]

    @property
    def owner(self) -> Role:
        return _OWNERS[who_of(self.code, self.where)]

    @property
    def acts(self) -> frozenset[Act]:
        return frozenset(act for entry in self.entries for act in entry.acts)

    @property
    def is_people(self) -> bool:
        return any(entry.is_person for entry in self.entries)


@dataclass(frozen=True)
class Attention:
    """The list, grouped by cause. `total`: entries that need somebody now. `waived`: people left for now.
    `checked_at`: when everybody was last compared as a whole, of several connections the one compared longest ago;
    None: not yet, or something happened since after which the sides differ on purpose."""

    total: int
    groups: tuple[Group, ...]
    waived: int
    checked_at: datetime | None

    @property
    def all_in_line(self) -> bool:
        """Nothing waits, nobody was left for now, and a comparison of everybody stands behind it."""
        return not self.total and not self.waived and self.checked_at is not None


def place_of(direction: Direction, *, of_undo: bool) -> Place:
    """For the words about a person: the button is right there, so that somebody can begin the next run by hand."""
    return Place(direction, Trigger.UNDO if of_undo else Trigger.MANUAL)

"""What the tokens can read: how each attribute of a system stands, and what one listing says about it. Pure.

A null may be a blank or an attribute that the token may not see; both look the same in SmartHR's answers. Only a
value of another person proves that the attribute can be read. So Awase remembers of each attribute when it was last
shown, to which token and for whom; and when a whole listing shows it for nobody any more, it asks a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

EVIDENCE_LASTS = timedelta(minutes=10)
"""How long a value that a listing has shown proves that the attribute can be read. Long enough for the jobs that follow
a survey; short, because an administrator may take a permission away at any time. Before it erases, a job asks anew."""
DIRECTORY_ATTRIBUTES = frozenset({"retire_date"})
"""What freee's list of all employees shows also of people whose record the month hides."""


@dataclass(frozen=True)
class Standing:
    """How one attribute stands.

    `by`: mark of the token that it was shown to. `witness`: id of a person it was shown for, one of `people`.
    `gone_at`: since when a whole listing shows it for nobody, None while it is shown; `missing`: not even its name.
    `cleared`: a person has answered that it was emptied for everybody on purpose.
    """

    seen_at: datetime | None = None
    by: str = field(default="", repr=False)
    witness: str = field(default="", repr=False)
    people: int = 0
    gone_at: datetime | None = None
    missing: bool = field(default=False, repr=False)
    cleared: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the question is open: has the permission gone, or is the attribute empty for everybody?"""
        return self.gone_at is not None and not self.cleared

    def is_shown_to(self, mark: str) -> bool:
        return self.seen_at is not None and self.gone_at is None and self.by == mark

    def is_fresh(self, mark: str, now: datetime) -> bool:
        """Whether it was shown to this token just now."""
        return self.is_shown_to(mark) and self.seen_at is not None and now - self.seen_at <= EVIDENCE_LASTS


@dataclass(frozen=True)
class Listing:
    """What a listing of a system has shown. `counts`: attribute → how many people had a value. `missing`: attributes
    that no record held. `complete`: everybody was listed."""

    witnesses: Mapping[str, str] = field(default_factory=dict, repr=False)
    counts: Mapping[str, int] = field(default_factory=dict, repr=False)
    missing: frozenset[str] = field(default=frozenset(), repr=False)
    people: frozenset[str] = field(default=frozenset(), repr=False)
    """Ids of people whose record was shown."""
    listed: frozenset[str] = field(default=frozenset(), repr=False)
    complete: bool = True

    @property
    def shown(self) -> frozenset[str]:
        return frozenset(self.witnesses)

    def looked_at(self, name: str, person_id: str) -> bool:
        return person_id in (self.listed if name in DIRECTORY_ATTRIBUTES else self.people)


Standings = Mapping[str, Standing]


def witnesses_of(shown: Iterable[tuple[str, frozenset[str]]]) -> tuple[dict[str, str], Counter[str]]:
    """(person id, attributes with a value) of everybody → a witness for each attribute, as few different people as
    can be, so that one reading of one person proves many attributes; and how many people show each."""
    counts: Counter[str] = Counter()
    alike: dict[frozenset[str], str] = {}
    for person_id, names in shown:
        counts.update(names)
        alike.setdefault(names, person_id)
    witnesses: dict[str, str] = {}
    while open_names := counts.keys() - witnesses.keys():
        names = max(alike, key=lambda each: len(each & open_names))
        witnesses |= dict.fromkeys(names & open_names, alike[names])
    return witnesses, counts


def after_listing(before: Standings, listing: Listing, *, by: str, now: datetime) -> dict[str, Standing]:
    """How the attributes stand after this listing. Only a complete listing of somebody says that one is gone; where it
    is not complete, what it does not show is not known to this token."""
    shown = {
        name: Standing(seen_at=now, by=by, witness=who, people=listing.counts.get(name, 0))
        for name, who in listing.witnesses.items()
    }
    silent = {name: standing for name, standing in before.items() if name not in shown}
    if listing.complete and listing.people:
        silent = {
            name: _silent(standing, missing=name in listing.missing, now=now)
            for name, standing in silent.items()
            if standing.gone_at is not None or not _left_with_its_people(name, standing, listing)
        }
    elif not listing.complete:
        silent = {name: standing if standing.cleared else replace(standing, by="") for name, standing in silent.items()}
    return {**silent, **shown}


def newly_gone(before: Standings, after: Standings) -> list[str]:
    """Attributes that were shown until this listing, and are the first time shown for nobody."""
    return sorted(
        name
        for name, standing in after.items()
        if standing.is_open and (name not in before or before[name].gone_at is None)
    )


def of_another_token(before: Standings) -> dict[str, Standing]:
    """What stays known when a token is replaced: that the attributes had values. What the former token could read, and
    an answer about what it could not, say nothing about the new one."""
    return {
        name: replace(
            standing, seen_at=None, by="", cleared=False, gone_at=None if standing.cleared else standing.gone_at
        )
        for name, standing in before.items()
    }


def _silent(standing: Standing, *, missing: bool, now: datetime) -> Standing:
    if standing.gone_at is not None:
        return replace(standing, missing=missing)
    return replace(standing, gone_at=now, missing=missing)


def _left_with_its_people(name: str, standing: Standing, listing: Listing) -> bool:
    """Whether the only person who had a value is no longer shown: then nobody's value has turned null."""
    return standing.people == 1 and not listing.looked_at(name, standing.witness)

"""Marks: keyed digests by which a person is found among many without kana and birth date being kept or read.

Two people whom `decide_link` would compare have at least one mark in common, or one of them is not known by name. So
whoever looks for a person asks the database for those with a mark of theirs, and for the nameless.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from app.domain.employee import Person
from app.domain.matching.comparable import comparable_given_name, comparable_kana, comparable_number
from app.domain.planning.keyed import Fingerprint, KeyedFingerprint


@dataclass(frozen=True)
class Marks:
    """ "" and None: not known. `number` is no digest, because numbers are kept readable anyway."""

    number: str
    kana: str | None = field(repr=False)
    """Of the whole name."""
    born: str | None = field(repr=False)
    """Of the birth date with the given name, which somebody who marries keeps."""


@dataclass(frozen=True)
class Wanted:
    """The marks of which one is enough, under every key that may have made them."""

    numbers: Collection[str]
    kana: Collection[str] = field(repr=False)
    born: Collection[str] = field(repr=False)


def marks_of(person: Person, fingerprint: Fingerprint) -> Marks:
    number, kana = comparable_number(person.number), comparable_kana(person)
    if not kana or person.unsure_who:
        return Marks(number, None, None)
    born = _born(person)
    return Marks(number, fingerprint("kana", kana), fingerprint("born", born) if born else None)


def wanted(person: Person, fingerprint: KeyedFingerprint) -> Wanted | None:
    """None: the person's own name is not known, so that everybody may be this person."""
    if not comparable_kana(person):
        return None
    marks = [marks_of(person, fingerprint.under(label)) for label in fingerprint.keys]
    return Wanted(
        numbers=frozenset(each.number for each in marks if each.number),
        kana=frozenset(each.kana for each in marks if each.kana),
        born=frozenset(each.born for each in marks if each.born),
    )


def _born(person: Person) -> str:
    """Nobody is compared by birth date and given name whose birth date is not known."""
    return f"{person.birth_date.isoformat()} {comparable_given_name(person)}" if person.birth_date else ""

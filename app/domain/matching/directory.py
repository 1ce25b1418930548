"""All employees of one system, found by what tells people apart; of many only their places are kept in memory."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import copy
from datetime import date
from enum import StrEnum
from sys import intern
from typing import TypeVar

from app.domain.employee import EmployeeRecord, OnDemand, Person
from app.domain.matching.comparable import comparable_given_name, comparable_kana, comparable_number

K = TypeVar("K")


class CandidateReason(StrEnum):
    """Why a question names this candidate."""

    SAME_NUMBER = "same_number"
    SAME_PERSON = "same_person"  # same kana and birth date
    SAME_KANA = "same_kana"  # same kana, birth date not known on one side
    SAME_GIVEN_NAME = "same_given_name"  # same birth date and given name, another surname
    SAME_BIRTH_DATE = "same_birth_date"  # same birth date, kana not known on one side
    UNSEEN = "unseen"  # neither kana nor birth date can be compared

    @property
    def label(self) -> str:
        return _REASON_LABELS[self]


_REASON_LABELS = {
    CandidateReason.SAME_NUMBER: "番号が同じ",
    CandidateReason.SAME_PERSON: "カナと生年月日が同じ",
    CandidateReason.SAME_KANA: "カナが同じ（生年月日は不明）",
    CandidateReason.SAME_GIVEN_NAME: "生年月日と名のカナが同じ（姓が違う）",
    CandidateReason.SAME_BIRTH_DATE: "生年月日が同じ（カナは不明）",
    CandidateReason.UNSEEN: "カナも生年月日も読めない",
}


class Register:
    """All employees of one system, leavers included, found at once by id or number."""

    def __init__(self, people: Iterable[Person]) -> None:
        """A sequence is kept as it is, so that of many people who are made when somebody looks (`PersonsOf`) none stays
        in memory: here are only their places in it."""
        self._people = people if isinstance(people, Sequence) else list(people)
        self._by_id: dict[str, int] = {}
        self._by_number: dict[str, list[int] | int] = {}
        self._without_id: list[int] = []
        for place, person in enumerate(self._people):
            if person.id not in self._by_id:  # pages of a listing may overlap, so the same person may come twice
                self._enter(person, place)

    def _enter(self, person: Person, place: int) -> None:
        if person.id:
            self._by_id[person.id] = place
        else:
            self._without_id.append(place)
        if number := comparable_number(person.number):
            _note(self._by_number, intern(number), place)  # mostly the text that the person has

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def lacks_ids(self) -> bool:
        """Whether some are listed whose id cannot be read: nobody can be called missing then."""
        return bool(self._without_id)

    @property
    def ids(self) -> Iterable[str]:
        return self._by_id.keys()

    def place_of(self, person_id: str) -> int | None:
        """Where the person stands in the sequence of people."""
        return self._by_id.get(person_id)

    def by_id(self, person_id: str) -> Person | None:
        place = self._by_id.get(person_id)
        return None if place is None else self._people[place]

    def by_number(self, number: str) -> Sequence[Person]:
        """All employees with this number; none for a blank number."""
        return self._at(self._by_number.get(comparable_number(number)))

    def _at(self, places: list[int] | int | None) -> Sequence[Person]:
        return [self._people[place] for place in _as_list(places)]


class Directory(Register):
    """The same, found by kana and birth date as well: the system in which somebody is looked for."""

    def __init__(self, people: Iterable[Person]) -> None:
        self._by_kana: dict[int, list[int] | int] = {}  # by the hash of the kana, which takes a third of the memory
        self._by_birth_date: dict[date, list[int] | int] = {}
        self._nameless: list[int] = []
        self._unsure: set[int] = set()
        self._births: list[date | None] = []  # by place; else everybody of a common name is looked at
        self._open: tuple[tuple[object, ...], Sequence[int]] = ((), ())
        super().__init__(people)

    def _enter(self, person: Person, place: int) -> None:
        super()._enter(person, place)
        self._births += [None] * (place + 1 - len(self._births))
        self._note_identity(person, place)

    def _note_identity(self, person: Person, place: int) -> None:
        if kana := comparable_kana(person):
            _note(self._by_kana, hash(kana), place)
        if person.unsure_who or not kana:
            self._nameless.append(place)
        if person.unsure_who:
            self._unsure.add(place)
        if person.birth_date is not None:
            self._births[place] = person.birth_date
            _note(self._by_birth_date, person.birth_date, place)

    def with_more(self, others: Sequence[Person]) -> Directory:
        """These people and others."""
        return Directory([*self._people, *others]) if others else self

    def identified(self, people: Sequence[Person], places: Iterable[int]) -> Directory:
        """The directory of the same people, after somebody has asked who those at these places are whose kana is not
        known. It takes over the tables of this one, which is not to be asked any more: a large company has no room for
        both."""
        other = copy(self)
        asked = set(places).intersection(self._nameless) - self._unsure
        other._people, other._open = people, ((), ())
        other._nameless = [place for place in self._nameless if place not in asked]
        for place in sorted(asked):
            other._forget_birth(place)
            other._note_identity(people[place], place)
        other._nameless.sort()
        return other

    def _forget_birth(self, place: int) -> None:
        born, self._births[place] = self._births[place], None
        if born is not None:
            self._by_birth_date[born] = [each for each in _as_list(self._by_birth_date.get(born)) if each != place]

    def same_person(self, person: Person) -> Sequence[Person]:
        """All employees with the same kana and birth date, both known."""
        born = person.birth_date
        return () if born is None else self._namesakes(person, lambda birth: birth == born)

    def perhaps_same_person(self, person: Person) -> Sequence[Person]:
        """All employees with the same kana where one birth date is unknown, theirs or this person's."""
        return self._namesakes(person, lambda birth: None in (person.birth_date, birth))

    def same_given_name(self, person: Person) -> Sequence[Person]:
        """All employees born on the same day with the same given name and another surname: perhaps one who married."""
        if person.birth_date is None or not comparable_kana(person):
            return ()
        born = self._at(self._by_birth_date.get(person.birth_date))
        return [other for other in born if _other_surname(person, other)]

    def unclaimed(self, is_claimed: Callable[[Person], bool], *, by: tuple[object, ...]) -> Sequence[int]:
        """The places of those whose name is not known, without those whom somebody else claims. `by`: what the answer
        of `is_claimed` rests on. While these are the same objects it is not asked again, because everybody who is
        created would ask it of all leavers."""
        known, places = self._open
        if len(known) != len(by) or any(one is not other for one, other in zip(known, by, strict=True)):
            places = [place for place in self._nameless if not is_claimed(self._people[place])]
            self._open = (by, places)
        return places

    def incomparable(
        self, person: Person, among: Collection[int] | None = None
    ) -> Iterator[tuple[Person, CandidateReason]]:
        """All employees of whom nobody can tell whether they are this person, because a name is not known: theirs or
        this person's. Another birth date rules them out, unless part of who they are cannot be read. `among`: of those
        whose name is not known, only these (`unclaimed`)."""
        nameless = self._nameless if among is None else among
        everybody = (*self._by_id.values(), *self._without_id)
        for place in nameless if comparable_kana(person) else everybody:
            if place in self._unsure:
                yield self._people[place], CandidateReason.UNSEEN
                continue
            births = person.birth_date, self._births[place]
            if None in births:
                yield self._people[place], CandidateReason.UNSEEN
            elif births[0] == births[1]:
                yield self._people[place], CandidateReason.SAME_BIRTH_DATE

    def _namesakes(self, person: Person, is_born: Callable[[date | None], bool]) -> Sequence[Person]:
        """Those with the same kana whose birth date is of that kind. Only these are looked at: in a large company many
        share a name."""
        kana = comparable_kana(person)
        if not kana:
            return ()
        places = _as_list(self._by_kana.get(hash(kana)))
        found = [self._people[place] for place in places if is_born(self._births[place])]
        return [other for other in found if comparable_kana(other) == kana]


def _as_list(places: list[int] | int | None) -> Sequence[int]:
    if places is None:
        return ()
    return [places] if isinstance(places, int) else places


def _note(table: dict[K, list[int] | int], key: K, place: int) -> None:
    """Nearly everybody is alone under their key, and a list for each would take more memory than the rest."""
    before = table.get(key)
    if before is None:
        table[key] = place
    elif isinstance(before, int):
        table[key] = sorted((before, place))
    else:
        insort(before, place)


class PersonsOf(OnDemand[Person]):
    """The persons of these records."""

    def __init__(self, records: Sequence[EmployeeRecord]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def at(self, place: int) -> Person:
        return self._records[place].person


def _other_surname(person: Person, other: Person) -> bool:
    """Both given names are known and the same, and the whole names differ."""
    kana = comparable_kana(person), comparable_kana(other)
    given = (comparable_given_name(each) for each in (person, other))
    return all(kana) and kana[0] != kana[1] and len(set(given)) == 1

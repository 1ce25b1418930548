"""Which employee of the other system is this one: linked, matched by number, new, or a question for a person.

The first time an employee is found by 社員番号 = 従業員番号, afterwards by the stored link. An unclear case
becomes a question that names the candidates, because a wrong guess would overwrite a stranger's record or create a
second record of the same employee.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import islice

from app.domain.employee import Person
from app.domain.enums import System
from app.domain.matching.comparable import comparable_given_name as comparable_given_name
from app.domain.matching.comparable import comparable_kana as comparable_kana
from app.domain.matching.comparable import comparable_number as comparable_number
from app.domain.matching.directory import CandidateReason as CandidateReason
from app.domain.matching.directory import Directory as Directory
from app.domain.matching.directory import Register as Register

MAX_CANDIDATES = 20
"""How many candidates a question names. More do not help the person who decides, and the work must not grow with
n × n in a company where all employees have number 0."""
TARGET_UNREADABLE = "target_unreadable"

QUESTIONS = (
    "E7",
    "E8",
    "E20",
    "hidden_person",
    "link_ambiguous",
    "linked_elsewhere",
    "number_swapped",
    "rehired",
    "relink_offered",
)
"""The codes of the questions which employee of the other system this one is."""


class LinkKind(StrEnum):
    LINKED = "linked"  # the stored link decides
    MATCHED = "matched"  # found by number for the first time: the caller stores a link
    CREATE = "create"  # the other system does not have the employee
    REVIEW = "review"  # a person has to decide


@dataclass(frozen=True)
class Candidate:
    """An employee, of either system, at whom a person should look before deciding."""

    system: System
    id: str
    number: str
    reason: CandidateReason


@dataclass(frozen=True)
class LinkDecision:
    """`target_id` for LINKED and MATCHED; `code` (error catalogue) and `candidates` for REVIEW."""

    kind: LinkKind
    target_id: str | None = None
    code: str | None = None
    candidates: tuple[Candidate, ...] = ()


class LinkIndex:
    """The links of one connection, found from either side.

    Knows the links that a deletion has broken as well, and the pairs that a person has declared to be two different
    employees.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[str, str]],
        *,
        broken: Iterable[tuple[str, str]] = (),
        different: Iterable[tuple[str, str]] = (),
        elsewhere: Iterable[tuple[System, str, str]] = (),
    ) -> None:
        """Pairs are (smarthr id, freee id). `elsewhere`: (system, id, partner's id) of the people whom another
        connection to the same tenant or company has linked."""
        self._elsewhere: dict[tuple[System, str], set[str]] = defaultdict(set)
        for system, person_id, partner in elsewhere:
            self._elsewhere[system, person_id].add(partner)
        self._different = frozenset(different)
        self._broken = {(system, person_id) for pair in broken for system, person_id in zip(System, pair, strict=True)}
        self._freee: dict[str, str] = {}
        self._smarthr: dict[str, str] = {}
        for smarthr_id, freee_id in pairs:
            self._freee[smarthr_id] = freee_id
            self._smarthr[freee_id] = smarthr_id

    def partner(self, system: System, person_id: str) -> str | None:
        """The id on the other side that this person of `system` is linked to."""
        links = self._freee if system is System.SMARTHR else self._smarthr
        return links.get(person_id)

    def is_broken(self, person: Person) -> bool:
        """Whether this employee's partner was deleted and no user has decided yet what follows from that."""
        return (person.system, person.id) in self._broken and self.partner(person.system, person.id) is None

    def is_taken_elsewhere(self, target: Person, source: Person) -> bool:
        """Whether another connection has linked this target to somebody else than this source."""
        return bool(self._elsewhere.get((target.system, target.id), set()) - {source.id})

    def perhaps_one(self, person: Person, others: Sequence[Person]) -> list[Person]:
        """Those of the other system's `others` whom no user has declared to be a different employee."""
        if not self._different:
            return list(others)
        return [other for other in others if self._pair(person, other) not in self._different]

    def _pair(self, person: Person, other: Person) -> tuple[str, str]:
        return (person.id, other.id) if person.system is System.SMARTHR else (other.id, person.id)


def decide_link(
    source: Person,
    *,
    sources: Register,
    targets: Directory,
    links: LinkIndex,
    as_of_date: date | None = None,
) -> LinkDecision:
    """Decide for one employee. Both must hold all employees of their system, leavers included.

    `as_of_date` tells a leaver from an employee whose leaving date is still ahead; None takes every 退職日 as past.
    """
    partner = links.partner(source.system, source.id)
    if partner is not None:
        linked = targets.by_id(partner)
        if linked is None and targets.lacks_ids:
            return _review(TARGET_UNREADABLE, _numbered(source, targets))
        if linked is None:
            return _review("E20", _namesakes(source, targets), _numbered(source, targets))
        if links.is_taken_elsewhere(linked, source):
            return _review("linked_elsewhere", _numbered(source, targets), _namesakes(source, targets))
        return LinkDecision(LinkKind.LINKED, partner)
    if links.is_broken(source):
        return _review("E20", _numbered(source, targets), _namesakes(source, targets))
    if not comparable_number(source.number):
        return _review("E8", [(source, CandidateReason.SAME_NUMBER)], _namesakes(source, targets))
    same_number = links.perhaps_one(source, targets.by_number(source.number))
    if len(sources.by_number(source.number)) > 1 or len(same_number) > 1:
        return _review("E8", _numbered(source, sources), _numbered(source, targets))
    if same_number:
        return _first_match(source, same_number[0], sources=sources, targets=targets, links=links, on=as_of_date)
    if targets.by_number(
        source.number
    ):  # the number belongs to a different employee: a second one with it would be matched to the wrong record
        return _review("E8", _numbered(source, targets), _namesakes(source, targets))
    return _nobody_with_number(source, sources=sources, targets=targets, links=links)


# ── no link yet ───────────────────────────────────────────────────────────────────────────────────────────────────


def _first_match(
    source: Person, target: Person, *, sources: Register, targets: Directory, links: LinkIndex, on: date | None
) -> LinkDecision:
    """Exactly one person on each side has the number, and the source has no link."""
    if target.unreadable:
        return _review(TARGET_UNREADABLE, _numbered(source, targets), _namesakes(source, targets))
    if links.partner(target.system, target.id) is not None:
        return _review("E7", _numbered(source, targets), _namesakes(source, targets))
    if links.is_taken_elsewhere(target, source):
        return _review("linked_elsewhere", _numbered(source, targets), _namesakes(source, targets))
    if links.is_broken(target):
        return _review("relink_offered", _numbered(source, targets), _namesakes(source, targets))
    if _differ(source, target):
        return _review("number_swapped", _numbered(source, targets), _namesakes(source, targets))
    if _left_behind(source, targets, sources=sources, links=links):
        return _review("E7", _numbered(source, targets), _namesakes(source, targets))
    if _rehired(source, target, on=on):
        return _review("rehired", _numbered(source, targets), _namesakes(source, targets))
    return LinkDecision(LinkKind.MATCHED, target.id)


def _nobody_with_number(source: Person, *, sources: Register, targets: Directory, links: LinkIndex) -> LinkDecision:
    """A new employee, unless the other system has one who looks like this one."""
    same = links.perhaps_one(source, targets.same_person(source))
    if any(links.is_broken(person) for person in same):
        return _review("relink_offered", _as_namesakes(same))
    if any(links.is_taken_elsewhere(person, source) for person in same):
        return _review("linked_elsewhere", _as_namesakes(same))
    if same:
        taken = any(links.partner(person.system, person.id) is not None for person in same)
        return _review("E7" if taken else "link_ambiguous", _as_namesakes(same))
    namesakes = links.perhaps_one(source, targets.perhaps_same_person(source))
    perhaps = [person for person in namesakes if _unclaimed(person, sources, links=links)]
    if perhaps:
        return _review("link_ambiguous", [(person, CandidateReason.SAME_KANA) for person in perhaps])
    return _unless_renamed_or_unseen(source, sources=sources, targets=targets, links=links)


def _unless_renamed_or_unseen(
    source: Person, *, sources: Register, targets: Directory, links: LinkIndex
) -> LinkDecision:
    """A new employee, unless somebody whom nobody else claims may be this person under another surname, or cannot be
    compared: nobody is created while somebody cannot be seen."""

    def may_be(target: Person) -> bool:
        return bool(links.perhaps_one(source, [target])) and _unclaimed(target, sources, links=links)

    renamed = [(person, CandidateReason.SAME_GIVEN_NAME) for person in targets.same_given_name(source)]
    if renamed := [named for named in renamed if may_be(named[0])]:
        return _review("link_ambiguous", renamed[:MAX_CANDIDATES])
    nameless = targets.unclaimed(lambda target: not _unclaimed(target, sources, links=links), by=(sources, links))
    unseen = (named for named in targets.incomparable(source, nameless) if may_be(named[0]))
    if candidates := list(islice(unseen, MAX_CANDIDATES)):
        return _review("hidden_person", candidates)
    return LinkDecision(LinkKind.CREATE)


def _differ(source: Person, target: Person) -> bool:
    """Kana and birth date are known on both sides and both differ. One alone may differ: a name may change."""
    kana = comparable_kana(source), comparable_kana(target)
    births = source.birth_date, target.birth_date
    return all(kana) and None not in births and kana[0] != kana[1] and births[0] != births[1]


def _left_behind(source: Person, targets: Directory, *, sources: Register, links: LinkIndex) -> bool:
    """The same person in the other system is linked to a source record that was deleted and created anew (E7)."""
    same = links.perhaps_one(source, targets.same_person(source))
    partners = (links.partner(person.system, person.id) for person in same)
    return any(partner is not None and sources.by_id(partner) is None for partner in partners)


def _rehired(source: Person, target: Person, *, on: date | None) -> bool:
    """The two records are different employments: one begins after the other ended, or only the target has left."""
    if source.resigned_on is not None and target.hired_on is not None and source.resigned_on < target.hired_on:
        return True
    if target.resigned_on is None:
        return False
    if source.hired_on is not None and source.hired_on > target.resigned_on:
        return True
    return source.resigned_on is None and (on is None or target.resigned_on < on)


def _unclaimed(target: Person, sources: Register, *, links: LinkIndex) -> bool:
    """No employee of the source is linked to this one or has this one's number. A link to somebody whom the source no
    longer lists claims nobody."""
    partner = links.partner(target.system, target.id)
    linked = partner is not None and sources.by_id(partner) is not None
    return not linked and not sources.by_number(target.number)


def _numbered(source: Person, directory: Register) -> list[tuple[Person, CandidateReason]]:
    return [(person, CandidateReason.SAME_NUMBER) for person in directory.by_number(source.number)[:MAX_CANDIDATES]]


def _namesakes(source: Person, targets: Directory) -> list[tuple[Person, CandidateReason]]:
    return _as_namesakes(targets.same_person(source))


def _as_namesakes(people: Sequence[Person]) -> list[tuple[Person, CandidateReason]]:
    return [(person, CandidateReason.SAME_PERSON) for person in people[:MAX_CANDIDATES]]


def _review(code: str, *groups: Sequence[tuple[Person, CandidateReason]]) -> LinkDecision:
    """REVIEW that names each candidate once, in the order found; nobody can be chosen who has no readable id."""
    seen: dict[tuple[System, str], Candidate] = {}
    for person, reason in (named for group in groups for named in group if named[0].id):
        seen.setdefault((person.system, person.id), Candidate(person.system, person.id, person.number, reason))
    return LinkDecision(LinkKind.REVIEW, code=code, candidates=tuple(seen.values()))

"""Open questions of matching: for each employee whom Awase could not match, the newest question and its candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.enums import System
from app.domain.matching.linking import CandidateReason
from app.storage.links.link_reading import AskedRow
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import Page

PAGE_SIZE = 20
NUMBER_CLASH = "E8"
"""The employee's number is blank, or another employee has it as well. The question ends when the number is mended at
the vendor, not when a user says who the people are."""


@dataclass(frozen=True)
class CandidateView:
    """A candidate: a person who may be the employee in question. `reason` None: the partner of a link, whom the vendor
    no longer shows."""

    system: System
    id: str
    number: str
    reason: CandidateReason | None
    different: bool
    """True: a user has decided already that this candidate is a different person."""


@dataclass(frozen=True)
class Question:
    """One open question about an employee. `code`: of the error catalogue. `candidates`: people of the other system.
    `namesakes`: other people of the same system, named in the question because of a number."""

    item_id: int
    system: System
    person_id: str
    number: str
    code: str
    asked_at: datetime
    candidates: tuple[CandidateView, ...]
    namesakes: tuple[CandidateView, ...]
    name: str = field(repr=False)

    def pair(self, candidate: CandidateView) -> Mapping[System, str]:
        """The ids of the employee and of this candidate, by system."""
        return {self.system: self.person_id, candidate.system: candidate.id}


def link_questions(
    ctx: Context, connection_key: str, *, after: int | None = None, limit: int = PAGE_SIZE
) -> Page[Question]:
    """One page of the open questions, the newest first. Questions that a person has decided since are left out, so a
    page may be short. Raises Refused("unknown_connection")."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        rows = uow.links.asked(connection.id, after=after, limit=limit + 1)
        different = uow.links.different(connection.id)
        broken = {
            (system, link.id_in(system)) for link in uow.links.broken(connection.id) for system in System
        }  # the page shows these as broken pairs
        people = {system: [r.source_id for r in rows if r.direction.source is system] for system in System}
        partners = {
            (system, link.id_in(system)): link.id_in(system.other)
            for link in uow.links.page(connection.id, after=None, limit=2 * limit, people=people)
            for system in System
        }
    shown = rows[:limit]
    found = [
        _question(row, different=different, partner=partners.get((row.direction.source, row.source_id)))
        for row in shown
        if (row.direction.source, row.source_id) not in broken
    ]
    return Page(tuple(_once(each for each in found if _is_open(each))), shown[-1].id if len(rows) > limit else None)


def _once(questions: Iterable[Question]) -> Iterator[Question]:
    """The questions without repetitions: runs of both directions ask about the same two people, and one question is
    enough."""
    seen: set[frozenset[tuple[System, str]]] = set()
    for question in questions:
        pairs = {frozenset(question.pair(each).items()) for each in question.candidates if not each.different}
        if not pairs or not pairs <= seen:
            yield question
        seen |= pairs


def _is_open(question: Question) -> bool:
    return question.code == NUMBER_CLASH or any(not each.different for each in question.candidates)


def _question(row: AskedRow, *, different: frozenset[tuple[str, str]], partner: str | None) -> Question:
    system = row.direction.source
    named = [_candidate(system, row.source_id, each, different=different) for each in row.candidates]
    if partner is not None:
        named.insert(0, CandidateView(system.other, partner, "", None, different=False))
    return Question(
        item_id=row.id,
        system=system,
        person_id=row.source_id,
        number=row.employee_number,
        code=row.error_code,
        asked_at=row.finished_at,
        candidates=tuple(each for each in named if each.system is not system),
        namesakes=tuple(each for each in named if each.system is system and each.id != row.source_id),
        name=row.name,
    )


def _candidate(
    system: System, source_id: str, named: Mapping[str, str], *, different: frozenset[tuple[str, str]]
) -> CandidateView:
    other = System(named["system"])
    pair = (source_id, named["id"]) if system is System.SMARTHR else (named["id"], source_id)
    return CandidateView(
        other, named["id"], named["number"], CandidateReason(named["reason"]), different=pair in different
    )

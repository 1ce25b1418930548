"""Who has come to a large target since the survey of the run, asked in one call instead of listing everybody again.

The survey has compared the person of this job with everybody who was there, and has kept their numbers, their marks and
where the list ended. Whoever was added since stands behind that end. What the question finds is kept in the database:
so each process asks only for what is new since anybody has asked.

In a company of up to `LISTED_ANEW` people everybody is listed anew, which also shows who has got another number or name
since. In a larger one that shows with the next survey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from app.domain.employee import EmployeeRecord, Person
from app.domain.matching.linking import Directory, LinkIndex, comparable_kana
from app.domain.matching.marks import marks_of
from app.domain.ports import Added, EmployeeGateway
from app.storage.links.rows import Identity, KnownPerson, ListEnd
from app.use_cases.employee.outcome import Job
from app.use_cases.planning.hidden_people import listed_digest
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.survey.change_detection import DirectoryKeys, entry_of
from app.use_cases.survey.kept_people import LISTED_ANEW

KEPT_FOR = timedelta(hours=2)
"""So long a gathered item trusts what a survey has kept: that of the hourly comparison before the last one."""


class Pairs(Protocol):
    """What the reader of a pair tells of the people around it (`read_pair.PairReader`)."""

    @property
    def is_gathered(self) -> bool: ...

    def about(self, person: Person, others: Sequence[Person]) -> tuple[Directory, LinkIndex]: ...

    def revealed(
        self, targets: Sequence[EmployeeRecord], *, sources: Directory, links: LinkIndex, since: datetime
    ) -> Sequence[EmployeeRecord]: ...


class Newcomers:
    """Used while holding the turn to create."""

    def __init__(self, job: Job, pairs: Pairs, target: EmployeeGateway) -> None:
        self._ctx, self._run, self._connection = job.ctx, job.run, job.connection
        self._approved = job.item.approved_digest is not None
        self._pairs, self._target = pairs, target

    def are_known(self, person: Person) -> bool:
        """Whether the directory now holds everybody who is at the target, and `known_people` whoever has come since the
        survey. False: only a list of everybody tells."""
        end = self._end()
        if end is None or not comparable_kana(person):
            return False
        added = self._target.added(end.ended)
        if added is None:
            return False
        self._keep(end, added, self._told(person, added.people))
        return True

    def _end(self) -> ListEnd | None:
        """Where this run's own survey has found the end of a long list. Somebody may have been added before the survey
        of another run, which only a gathered item has compared this person with (`kept_target`); and after a preview
        people correct what it has shown them."""
        if self._approved:
            return None
        with self._ctx.unit_of_work().reading() as uow:
            end = uow.directory.end(self._connection.id, self._target.system)
        if end is None or end.people <= LISTED_ANEW:
            return None
        is_young = self._pairs.is_gathered and self._ctx.clock.now() - end.seen_at <= KEPT_FOR
        return end if is_young or end.run_id == self._run.id else None

    def _told(self, person: Person, added: Sequence[EmployeeRecord]) -> Sequence[EmployeeRecord]:
        """Those who are not yet known to be new, with kana and birth date as far as these can be known."""
        system = self._target.system
        with self._ctx.unit_of_work().reading() as uow:
            ids = [each.person.id for each in added]
            known = uow.known_people.made_ids(system, self._connection.tenant_of(system), ids)
        strangers = [each for each in added if each.person.id not in known]
        if not strangers:
            return []
        sources, links = self._pairs.about(person, [each.person for each in strangers])
        return self._pairs.revealed(strangers, sources=sources, links=links, since=self._ctx.clock.now())

    def _keep(self, end: ListEnd, added: Added, strangers: Sequence[EmployeeRecord]) -> None:
        now, system = self._ctx.clock.now(), self._target.system
        keys = DirectoryKeys.of(self._ctx)
        entries = [entry_of(each, None, keys) for each in added.people]
        with self._ctx.unit_of_work() as uow:
            uow.directory.extend(self._connection.id, system, entries, before=end, ended=added.end, now=now)
            uow.known_people.keep(
                self._connection.id, system, self._connection.tenant_of(system), [self._new(each) for each in strangers]
            )

    def _new(self, stranger: EmployeeRecord) -> KnownPerson:
        person, now = stranger.person, self._ctx.clock.now()
        identity = Identity(person.last_name_kana, person.first_name_kana, person.birth_date)
        marks = marks_of(person, fingerprint_of(self._ctx.keys.signing))
        is_told = bool(comparable_kana(person)) and not stranger.unreadable
        return KnownPerson(
            person.id,
            person.number,
            listed_digest(self._ctx, person),
            identity if is_told else None,
            read_at=now,
            made_at=now,
            marks=marks if is_told else replace(marks, kana=None),
        )

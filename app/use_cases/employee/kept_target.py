"""Who of a large target somebody new may be, by what the last survey has kept of everybody instead of another list.

A webhook brings somebody whom no survey has planned. The survey of the hourly comparison has kept the number of each
person and marks of kana and birth date. With the question who has come since, these say with whom the new person has to
be compared; each of them is read. Where anybody cannot be told by marks (freee hides them and nobody knows who they
are), where digests were made by another release or key, or where a list has moved otherwise, everybody is listed.

What does not show until the next survey is that somebody who was there already has got this person's name, or, in
freee, number.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.employee import Person
from app.domain.matching.linking import Directory, LinkIndex
from app.domain.matching.marks import Wanted, wanted
from app.domain.ports import EmployeeGateway
from app.storage.links.rows import KnownPerson
from app.use_cases.employee.newcomers import KEPT_FOR, Newcomers, Pairs
from app.use_cases.employee.outcome import Job
from app.use_cases.planning.hidden_people import as_people
from app.use_cases.survey.change_detection import DirectoryKeys
from app.use_cases.survey.kept_people import month_of

MOST_LIKE = 20
"""More people like one person than this are quicker listed."""


class KeptTarget:
    def __init__(self, job: Job, pairs: Pairs, source: EmployeeGateway, target: EmployeeGateway) -> None:
        self._ctx, self._run, self._connection = job.ctx, job.run, job.connection
        self._pairs, self._source, self._target = pairs, source, target
        self._newcomers = Newcomers(job, pairs, target)

    def about(self, person: Person) -> tuple[Directory, Directory, LinkIndex] | None:
        """(people of the source, of the target, links) as far as a decision about this person needs them. None: only
        lists of everybody tell."""
        keys = DirectoryKeys.of(self._ctx)
        like = wanted(person, keys.fingerprint)
        if like is None or not self._newcomers.are_known(person):
            return None
        made = self._made(like, keys)
        if made is None:
            return None
        targets, same_number = self._like(person, like, made), self._same_number(person)
        if targets is None or same_number is None:
            return None
        sources, links = self._pairs.about(person, targets)
        others = [each for each in same_number if each.id != person.id and sources.by_id(each.id) is None]
        return sources.with_more(others), Directory(targets), links

    def _made(self, like: Wanted, keys: DirectoryKeys) -> Sequence[KnownPerson] | None:
        """Who has come since the list ended and may be this person. None: the marks of everybody else tell nothing."""
        system, tenant = self._target.system, self._connection.tenant_of(self._target.system)
        with self._ctx.unit_of_work().reading() as uow:
            end = uow.directory.end(self._connection.id, system)
            if end is None:
                return None
            since = uow.known_people.made_since(system, tenant, end.seen_at, None)
            tells = uow.directory.is_comparable(
                self._connection.id,
                system,
                names_by=keys.names.known,
                stamps=keys.fingerprint.stamps,
                besides=[each.person_id for each in since],
            )
            return uow.known_people.made_since(system, tenant, end.seen_at, like) if tells else None

    def _like(self, person: Person, like: Wanted, made: Sequence[KnownPerson]) -> list[Person] | None:
        """Those of the target with whom this person has to be compared, read one by one."""
        with self._ctx.unit_of_work().reading() as uow:
            ids = uow.directory.ids_like(self._connection.id, self._target.system, like)
        if self._target.asks_by_number:
            ids.update(self._target.ids_by_number(person.number))
        ids -= {each.person_id for each in made}
        if len(ids) > MOST_LIKE:
            return None
        found = self._read(sorted(ids))
        return None if found is None else [*found, *as_people(made, self._target)]

    def _read(self, ids: Sequence[str]) -> list[Person] | None:
        with self._ctx.unit_of_work().reading() as uow:
            listed = uow.directory.entries(self._connection.id, self._target.system, ids)
        people = []
        for each in ids:
            record = self._target.read(each, month=month_of(self._target, listed.get(each), self._run.as_of_date))
            if record is None:  # hidden, or gone
                return None
            people.append(record.person)
        return people

    def _same_number(self, person: Person) -> Sequence[Person] | None:
        """Who else of the source may have the number by now."""
        if self._source.asks_by_number:
            system = self._source.system
            return [Person(system, each, person.number) for each in self._source.ids_by_number(person.number)]
        with self._ctx.unit_of_work().reading() as uow:
            end = uow.directory.end(self._connection.id, self._source.system)
        if end is None or self._ctx.clock.now() - end.seen_at > KEPT_FOR:
            return None
        added = self._source.added(end.ended)
        return None if added is None else [each.person for each in added.people]

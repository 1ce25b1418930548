"""Reveals the people whom a system hides: without kana and birth date nobody can tell whether a new person is there.

freee shows a record only in the months of an employment. Before Awase creates somebody, it reads everybody who is
hidden, once, in a month that shows them, and remembers who they are. Somebody who is linked is known from the other
side. Whoever stays unknown makes the create a question (`decide_link`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.employee import EmployeeRecord, OnDemand, Person
from app.domain.errors import RunError, TemporaryError
from app.domain.matching.linking import LinkIndex, Register, comparable_kana
from app.domain.planning.keyed import as_made
from app.domain.ports import EmployeeGateway
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.storage.links.rows import Identity, KnownPerson
from app.use_cases.context import Context
from app.use_cases.planning.plan_employee import fingerprint_of
from app.use_cases.shared.lease import Lease

MOST_READS = 500
"""How many hidden people one survey reads at most; the next one goes on with the rest."""
MOST_READS_OF_A_JOB = 50
PORTION = 25
"""After how many people what was read is stored, so that a crash does not read them again."""
LEAVERS_KEPT = timedelta(days=1)
FEW = 20
"""So few hidden people are read again whenever somebody is created. Of more, only joiners are: people correct the
record of somebody who is about to join, seldom that of a leaver."""


@dataclass(frozen=True)
class HiddenPeople:
    """Who the hidden people of the target are. `sources`, `links`: the other side, which knows the linked ones.
    `since`: what was read before that moment does not hold good."""

    ctx: Context
    connection: Connection
    gateway: EmployeeGateway
    sources: Register
    links: LinkIndex
    since: datetime
    lease: Lease | None = None
    most: int = MOST_READS

    def reveal(self, people: Sequence[EmployeeRecord]) -> Sequence[EmployeeRecord]:
        """The same people, the hidden ones with kana and birth date as far as these can be known."""
        places = [place for place, record in enumerate(people) if _is_hidden(record)]
        if not places:
            return people
        hidden = [people[place] for place in places]
        known = self._known(hidden)
        told = (_told(record, known.get(record.person.id)) for record in hidden)
        return Told(people, dict(zip(places, told, strict=True)))

    def _known(self, hidden: Sequence[EmployeeRecord]) -> dict[str, KnownPerson]:
        with self.ctx.unit_of_work().reading() as uow:
            kept = uow.known_people.of_tenant(self.gateway.system, self.connection.tenant_of(self.gateway.system))
        linked = {each.person.id: found for each in hidden if (found := self._from_link(each, kept)) is not None}
        self._keep([found for found in linked.values() if not _is_kept(found, kept)])
        others = [each for each in hidden if each.person.id not in linked and not self._is_left_to_link(each)]
        many = len(others) > FEW
        known = {each.person.id: kept[each.person.id] for each in others if self._holds(each, kept, many=many)}
        to_read = [each for each in others if each.person.id not in known]
        to_read.sort(key=lambda each: each.person.resigned_on or each.person.hired_on or today_in_japan(self._now()))
        known |= {each.person_id: each for each in self._read(to_read[::-1][: self.most])}
        return known | linked

    def _holds(self, hidden: EmployeeRecord, kept: Mapping[str, KnownPerson], *, many: bool) -> bool:
        """Whether what is kept of this person still holds good: the list shows them as then, and not long ago."""
        found = kept.get(hidden.person.id)
        if found is None or found.listed != self._listed(hidden.person, like=found.listed):
            return False
        if found.read_at > self.since:
            return True
        left = hidden.person.resigned_on
        has_left = left is not None and left < today_in_japan(self._now())
        return many and has_left and found.identity is not None and self._now() - found.read_at < LEAVERS_KEPT

    def _from_link(self, hidden: EmployeeRecord, kept: Mapping[str, KnownPerson]) -> KnownPerson | None:
        """Who a linked person is, as the other side shows their partner; else as they were known last."""
        partner = self._partner(hidden)
        if partner is None:
            return None
        if not comparable_kana(partner) or partner.birth_date is None:
            return kept.get(hidden.person.id)
        return self._made(hidden.person, partner)

    def _is_left_to_link(self, hidden: EmployeeRecord) -> bool:
        """Whether a person of the source is linked to this one, so that nobody else can be this one."""
        return self._partner(hidden) is not None

    def _partner(self, hidden: EmployeeRecord) -> Person | None:
        partner_id = self.links.partner(hidden.person.system, hidden.person.id)
        return self.sources.by_id(partner_id) if partner_id else None

    def _read(self, hidden: Sequence[EmployeeRecord]) -> list[KnownPerson]:
        found: list[KnownPerson] = []
        for start in range(0, len(hidden), PORTION):
            portion = [self._made(each.person, self._identified(each)) for each in hidden[start : start + PORTION]]
            self._keep(portion)
            found += portion
        return found

    def _identified(self, hidden: EmployeeRecord) -> Person | None:
        """The person as a month shows them. None: nobody may read them, or the answer makes no sense."""
        if self.lease is not None:
            self.lease.check()
        try:
            return self.gateway.identify(hidden)
        except RunError as error:
            if error.code != "E19":
                raise
        except TemporaryError as error:
            if error.code not in ("unreadable_answer", "not_the_vendor"):
                raise
        return None

    def _made(self, hidden: Person, shown: Person | None) -> KnownPerson:
        identity = Identity(shown.last_name_kana, shown.first_name_kana, shown.birth_date) if shown else None
        return KnownPerson(hidden.id, hidden.number, self._listed(hidden), identity, self._now())

    def _keep(self, known: Sequence[KnownPerson]) -> None:
        if known:
            system = self.gateway.system
            with self.ctx.unit_of_work() as uow:
                uow.known_people.keep(self.connection.id, system, self.connection.tenant_of(system), known)

    def _listed(self, person: Person, *, like: str | None = None) -> str:
        return listed_digest(self.ctx, person, like=like)

    def _now(self) -> datetime:
        return self.ctx.clock.now()


class Told(OnDemand[EmployeeRecord]):
    """People, some of whom were told anew."""

    def __init__(self, people: Sequence[EmployeeRecord], told: Mapping[int, EmployeeRecord]) -> None:
        self._people, self._told = people, told

    @property
    def places(self) -> Iterable[int]:
        """Where those stand who were told anew."""
        return self._told.keys()

    def __len__(self) -> int:
        return len(self._people)

    def at(self, place: int) -> EmployeeRecord:
        return self._told.get(place) or self._people[place]


def _is_hidden(record: EmployeeRecord) -> bool:
    return record.record is None and not record.unreadable and not comparable_kana(record.person)


def listed_digest(ctx: Context, person: Person, *, like: str | None = None) -> str:
    """Digest of what a list shows of a hidden person. `like`: a digest under whose key it is wanted."""
    shown = (person.number, person.hired_on, person.resigned_on, person.pay_schedule, person.in_payroll)
    fingerprint = fingerprint_of(ctx.keys.signing)
    return (fingerprint if like is None else as_made(like, fingerprint))("listed", repr(shown))


def as_people(known: Iterable[KnownPerson], gateway: EmployeeGateway) -> list[Person]:
    """Known people as a directory holds them."""
    return [
        _with_identity(Person(gateway.system, each.person_id, each.employee_number), each.identity) for each in known
    ]


def _is_kept(found: KnownPerson, kept: Mapping[str, KnownPerson]) -> bool:
    before = kept.get(found.person_id)
    return before is not None and (before.listed, before.identity) == (found.listed, found.identity)


def _told(hidden: EmployeeRecord, known: KnownPerson | None) -> EmployeeRecord:
    return replace(hidden, person=_with_identity(hidden.person, known.identity if known else None))


def _with_identity(person: Person, identity: Identity | None) -> Person:
    if identity is None:
        return person
    return replace(
        person,
        last_name_kana=identity.last_name_kana,
        first_name_kana=identity.first_name_kana,
        birth_date=identity.birth_date,
    )

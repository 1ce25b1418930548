"""Reads the pair of one employee: both records as they are now, in the right month, and finds the partner at the
target.

A survey has decided pair and month for its items. An item of a webhook knows only an id, so here a newcomer is matched,
an employee who joins on a later day is left out until that day, and a deletion breaks the link instead of deleting the
partner. A linked employee whom freee hides in the month of the run is read in a month of the employment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain.employee import EmployeeRecord, PaySchedule, Person, YearMonth
from app.domain.enums import System
from app.domain.errors import TemporaryError
from app.domain.matching.linking import Directory, LinkDecision, LinkIndex, LinkKind, decide_link
from app.domain.matching.selection import offer
from app.domain.ports import EmployeeGateway
from app.domain.runs.dates import closing_month, pay_month
from app.domain.runs.employment import is_outside
from app.domain.runs.run_state import ItemState
from app.domain.settings.export_settings import complete
from app.storage.enums import UnlinkReason
from app.storage.links.rows import LinkRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee.kept_target import KeptTarget
from app.use_cases.employee.not_readable_yet import not_readable_yet
from app.use_cases.employee.outcome import ItemOutcome, Job, unreadable_outcome
from app.use_cases.planning.employment_month import read_in_employment, with_mark
from app.use_cases.planning.hidden_people import MOST_READS_OF_A_JOB, HiddenPeople
from app.use_cases.planning.planned_item import candidates_of
from app.use_cases.shared.lease import Lease
from app.use_cases.shared.link_index import link_index, links_among

_GONE = {System.SMARTHR: UnlinkReason.SMARTHR_DELETED, System.FREEE: UnlinkReason.FREEE_DELETED}


@dataclass(frozen=True)
class EmployeePair:
    """Both sides of one employee. `target` None: the target does not have this person, so the job creates them. `link`
    None: the two are not linked yet."""

    source: EmployeeRecord
    target: EmployeeRecord | None
    link: LinkRow | None


class PairReader:
    """Reads for one item. `is_gathered`: the item comes from a webhook, so no survey has looked at the person yet."""

    def __init__(self, job: Job, source: EmployeeGateway, target: EmployeeGateway, lease: Lease | None = None) -> None:
        self._job, self._source, self._target, self._lease = job, source, target, lease
        self._ctx, self._item, self._run, self._connection = job.ctx, job.item, job.run, job.connection
        self._kept = KeptTarget(job, self, source, target)
        self._months = {System.FREEE: YearMonth.parse(self._item.closing_month) if self._item.closing_month else None}

    @property
    def is_gathered(self) -> bool:
        return self._run.gather_until is not None

    def read(self) -> EmployeePair | ItemOutcome:
        link, target_id, taken = self._known()
        source = self._find_source(link)
        if source is None:
            return self._source_gone(link)
        why_not = offer(source.person, self._run.as_of_date).why_not
        if link is None and self.is_gathered and why_not is not None:
            return ItemOutcome(ItemState.LEFT_OUT, why_not)
        source = source if source.unreadable else self._in_employment(self._source, source)
        if source.unreadable:
            return unreadable_outcome(source, who=source)
        if source.record is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "person_left")
        if target_id is not None:
            if taken.is_taken_elsewhere(Person(self._target.system, target_id, ""), source.person):
                return ItemOutcome(ItemState.NEEDS_REVIEW, "linked_elsewhere")
            return self._read_target(source, target_id, link)
        return self._newcomer(source) if self.is_gathered else EmployeePair(source, None, None)

    def _read_target(self, source: EmployeeRecord, target_id: str, link: LinkRow | None) -> EmployeePair | ItemOutcome:
        target = self._find(self._target, target_id, self._since(link))
        if target is None:
            return self._target_gone(link)
        target = target if target.unreadable else self._in_employment(self._target, target)
        if target.unreadable:
            return unreadable_outcome(target, who=source)
        if target.record is None:
            return ItemOutcome(ItemState.NEEDS_REVIEW, "person_left")
        return EmployeePair(self._marked(source, source.person), self._marked(target, source.person), link)

    def read_on(self, source: EmployeeRecord, target: EmployeeRecord) -> EmployeeRecord | None:
        """The target in the month of the run, for a pair of which only the items of all months were compared: the write
        of a date may have brought the month into the employment. None: it lies outside still."""
        target = self._marked(target, source.person)
        if target.once_only:
            return None
        month = closing_month(self._run.as_of_date, target.person.pay_schedule)
        found = self._target.read(target.person.id, month=month)
        return self._marked(found, source.person) if found is not None and found.record is not None else None

    def _in_employment(self, gateway: EmployeeGateway, found: EmployeeRecord) -> EmployeeRecord:
        if found.record is not None:
            return found
        return read_in_employment(gateway, found, self._run.as_of_date)

    def _marked(self, side: EmployeeRecord, source: Person) -> EmployeeRecord:
        if side.person.system is System.SMARTHR:
            return side
        return with_mark(source, self._with_schedule(side), self._run.as_of_date)

    # ── deletions ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _source_gone(self, link: LinkRow | None) -> ItemOutcome:
        if link is None:
            return (
                not_readable_yet(self._job) if self.is_gathered else ItemOutcome(ItemState.FAILED, "employee_vanished")
            )
        self._unlink(link, self._source.system)
        return ItemOutcome(ItemState.NEEDS_REVIEW, "source_deleted")

    def _target_gone(self, link: LinkRow | None) -> ItemOutcome:
        if link is not None:
            self._unlink(link, self._target.system)
        return ItemOutcome(ItemState.NEEDS_REVIEW, "E20")

    def _unlink(self, link: LinkRow, deleted_in: System) -> None:
        with self._ctx.unit_of_work() as uow:
            uow.links.unlink(link.id, why=_GONE[deleted_in], now=self._ctx.clock.now())

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _find_source(self, link: LinkRow | None) -> EmployeeRecord | None:
        """The item's person. Somebody unknown of whom a webhook tells may be listed before they can be read."""
        try:
            return self._find(self._source, self._item.source_id or "", self._since(link))
        except TemporaryError as error:
            if link is not None or not self.is_gathered or error.code != "listed_not_shown":
                raise
            return None

    def _since(self, link: LinkRow | None) -> datetime:
        """A list begun after this moment shows both people of the link, unless one of them was deleted."""
        return max(self._run.created_at, link.created_at) if link else self._run.created_at

    def _find(self, gateway: EmployeeGateway, person_id: str, since: datetime) -> EmployeeRecord | None:
        """The person as one system shows them now. None: the system no longer has this person, and its list of all
        people agrees. `record` None: the system does not show the person in this month."""
        month = self._month(gateway.system, person_id)
        if month is not None:
            found = gateway.read(person_id, month=month)
            if found is not None and (moved := self._moved(found)) is not None:
                found = gateway.read(person_id, month=moved)
            if found is not None and self._item.attempt > 1:
                found = self._back_in_month(gateway, found)
            if found is not None:
                return found
        return gateway.find(person_id, as_of_date=self._run.as_of_date, since=since)

    def _back_in_month(self, gateway: EmployeeGateway, found: EmployeeRecord) -> EmployeeRecord:
        """The person in the month of the run, when an earlier attempt has brought that month into the employment."""
        if found.record is None or found.month is None:
            return found
        schedule = self._with_schedule(found).person.pay_schedule
        if schedule is None:  # of a group that no listing has shown yet
            return found
        month = closing_month(self._run.as_of_date, schedule)
        if month == found.month or is_outside(month, found.person, schedule=schedule):
            return found
        return gateway.read(found.person.id, month=month) or found

    def _month(self, system: System, person_id: str) -> YearMonth | None:
        """The closing month of the as-of date for this person: the month that the survey has decided, or the one that
        follows from the pay schedule with which freee listed the person last. None: SmartHR, which has no months, or
        freee has never listed the person with a pay schedule."""
        if system is System.SMARTHR or self._months[system] is not None:
            return self._months.get(system)
        schedule = self._schedule_listed(person_id)
        return closing_month(self._run.as_of_date, schedule) if schedule else None

    def _schedule_listed(self, freee_id: str) -> PaySchedule | None:
        with self._ctx.unit_of_work().reading() as uow:
            entry = uow.directory.entries(self._connection.id, System.FREEE, [freee_id]).get(freee_id)
        return PaySchedule(**entry.schedule) if entry and entry.schedule else None

    def _moved(self, found: EmployeeRecord) -> YearMonth | None:
        """The right month of an employee whose 締め日支払い日 has changed since freee listed them, else None."""
        if found.record is None or found.month is None or not self.is_gathered:
            return None
        schedule = self._connection.pay_schedules.get(found.record.get("company_reference_date_rule_name") or "")
        month = closing_month(self._run.as_of_date, schedule) if schedule else found.month
        return month if month != found.month else None

    def link(self) -> LinkRow | None:
        """The link of this person as it is stored now."""
        with self._ctx.unit_of_work().reading() as uow:
            return self._link(uow)

    def _known(self) -> tuple[LinkRow | None, str | None, LinkIndex]:
        """(the link of this person, the id of the target, to whom other connections have linked this target)."""
        with self._ctx.unit_of_work().reading() as uow:
            link = self._link(uow)
            target_id = link.id_in(self._target.system) if link else self._item.target_id
            taken = uow.links.elsewhere(self._connection.id, target_id) if target_id is not None else ()
        return link, target_id, LinkIndex((), elsewhere=taken)

    def _link(self, uow: UnitOfWork) -> LinkRow | None:
        return uow.links.by_source(self._connection.id, self._source.system, self._item.source_id or "")

    # ── newcomers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _newcomer(self, source: EmployeeRecord) -> EmployeePair | ItemOutcome:
        """Match a newcomer: find out whether the target has the person already. As in a survey, all people of
        both systems decide, and before a create the hidden people are read: of a large company as the last survey has
        kept them, else as both lists show them."""
        on, person = self._run.as_of_date, source.person
        kept = self._kept.about(person)
        if kept is not None:
            here, there, among = kept
            return self._decided(source, decide_link(person, sources=here, targets=there, links=among, as_of_date=on))
        targets = self._target.directory(as_of_date=on, fresh=False, since=self._run.created_at)
        sources, links = self.sources(person), self.links()
        decision = decide_link(person, sources=sources, targets=_people(targets), links=links, as_of_date=on)
        if decision.kind is LinkKind.CREATE or decision.code == "hidden_person":
            targets = self.revealed(targets, sources=sources, links=links, since=self._run.created_at)
            decision = decide_link(person, sources=sources, targets=_people(targets), links=links, as_of_date=on)
        return self._decided(source, decision)

    def _decided(self, source: EmployeeRecord, decision: LinkDecision) -> EmployeePair | ItemOutcome:
        if decision.kind is LinkKind.REVIEW:
            return ItemOutcome(ItemState.NEEDS_REVIEW, decision.code, candidates=candidates_of(decision))
        if decision.target_id is not None:
            return self._read_target(source, decision.target_id, None)
        if self._target.system is System.FREEE and not complete(self._connection.export_settings):
            return ItemOutcome(ItemState.FAILED, "export_settings_missing")
        return EmployeePair(source, None, None)

    def sources(self, person: Person) -> Directory:
        """Everybody of the source, this person as just read: listed by a gathered item, which no survey has planned,
        else as the last survey has listed them, by number only."""
        if self.is_gathered:
            since = self._run.created_at
            listed = self._source.directory(as_of_date=self._run.as_of_date, fresh=False, since=since)
            others = [record.person for record in listed if record.person.id != person.id]
        else:
            with self._ctx.unit_of_work().reading() as uow:
                entries = uow.directory.entries(self._connection.id, self._source.system)
            others = [
                Person(self._source.system, each.person_id, each.employee_number)
                for each in entries.values()
                if each.person_id != person.id
            ]
        return Directory([person, *others])

    def about(self, person: Person, others: Sequence[Person]) -> tuple[Directory, LinkIndex]:
        """Of the source and of the links what a decision about this person needs that only looks at these others of the
        target: who has the same numbers, and to whom they are linked."""
        here, numbers = self._source.system, {person.number, *(each.number for each in others)}
        with self._ctx.unit_of_work().reading() as uow:
            links = links_among(uow, self._connection.id, [person, *others])
            partners = (links.partner(each.system, each.id) for each in others)
            ids = {each for each in partners if each is not None}
            ids |= {found for each in numbers for found in uow.directory.ids_numbered(self._connection.id, here, each)}
            entries = uow.directory.entries(self._connection.id, here, sorted(ids - {person.id}))
        same = [Person(here, each.person_id, each.employee_number) for each in entries.values()]
        return Directory([person, *same]), links

    def revealed(
        self, targets: Sequence[EmployeeRecord], *, sources: Directory, links: LinkIndex, since: datetime
    ) -> Sequence[EmployeeRecord]:
        """The target's people, the hidden ones with kana and birth date as far as these can be known."""
        hidden = HiddenPeople(
            self._ctx, self._connection, self._target, sources, links, since, self._lease, MOST_READS_OF_A_JOB
        )
        return hidden.reveal(targets)

    def links(self) -> LinkIndex:
        with self._ctx.unit_of_work().reading() as uow:
            return link_index(uow, self._connection.id)

    def keep_months(self, target: EmployeeRecord, source: EmployeeRecord) -> None:
        """Store with the item the months of the pair's freee record: people see them, and a repetition of the job
        writes in the same month."""
        in_freee = target if target.person.system is System.FREEE else source
        if in_freee.month is None or str(in_freee.month) == self._item.closing_month:
            return
        schedule = in_freee.person.pay_schedule or self._schedule_named(in_freee)
        paid = pay_month(in_freee.month, schedule)
        closing = str(in_freee.month)
        self._job.ledger.planned(
            "months",
            lambda uow: uow.items.set_months(
                self._item.id, self._item.attempt, closing_month=closing, pay_month=str(paid)
            ),
        )

    def _with_schedule(self, in_freee: EmployeeRecord) -> EmployeeRecord:
        """The record with the pay schedule of its group, else the one with which freee listed the person last."""
        person = in_freee.person
        schedule = self._schedule_named(in_freee) or person.pay_schedule or self._schedule_listed(person.id)
        return replace(in_freee, person=replace(person, pay_schedule=schedule))

    def _schedule_named(self, in_freee: EmployeeRecord) -> PaySchedule | None:
        name = (in_freee.record or {}).get("company_reference_date_rule_name") or ""
        return self._connection.pay_schedules.get(name)


def _people(records: Iterable[EmployeeRecord]) -> Directory:
    return Directory(record.person for record in records)

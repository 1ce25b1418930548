"""FreeeGateway: reads employees of one freee company and writes plans to it, one complete object per step.

A create sends what the one call takes; the rest follows as an update, so that a repetition after a crash finds an
employee with differences instead of a half-known state. The steps of an update are independent: when freee refuses one
of them, the others still go through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from app.adapters.freee.additions import added_rows, end_of
from app.adapters.freee.bodies import (
    EMPLOYMENT_INSURANCE_KEY,
    RULES,
    TOP_LEVEL,
    create_object,
    created_at_once,
    employee_object,
    rule_object,
)
from app.adapters.freee.client import PAGE, FreeeClient
from app.adapters.freee.directory_cache import DirectoryCache, Numbers
from app.adapters.freee.masters import Masters
from app.adapters.freee.survey import (
    DIRECTORY,
    Cursor,
    as_employee,
    as_listed,
    assemble,
    directory_row,
    months_of,
    months_to_try,
    person_of,
    record_row,
    schedule_of,
)
from app.adapters.listing import INCOMPLETE, Pages, listed, mark, read_whole, readings_of
from app.adapters.paths import number
from app.adapters.people_cache import PeopleCache
from app.adapters.records import as_asked, readable
from app.domain.completeness.listed import MOST_READINGS, Listed
from app.domain.employee import EmployeeRecord, PaySchedule, Person, Record, Unreadable, YearMonth
from app.domain.enums import Step, System
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.matching.linking import comparable_number
from app.domain.planning.plan import Change
from app.domain.ports import Added, CreateRequest, StepRecorder, SurveyPage
from app.domain.runs.dates import closing_month
from app.domain.settings.connection_settings import ExportSettings, MappingOptions
from app.domain.writing import encode, keys_by_step

MAX_ROWS = 200_000
"""A list with more rows than this does not end by itself, because the server ignores the offset."""


class FreeeGateway(Masters):
    """The port `EmployeeGateway` for freee. Used by one thread."""

    system = System.FREEE
    asks_by_number = False
    odd_masters = 0

    def __init__(
        self,
        client: FreeeClient,
        company_id: int,
        cache: DirectoryCache | None = None,
        people: PeopleCache | None = None,
    ) -> None:
        """`cache`, `people`: without them every look for a number and every listing is a fresh one."""
        self._people = people
        self._client = client
        self._company_id = company_id
        self._cache = cache
        self.window = client.window

    @property
    def calls(self) -> int:
        return self._client.calls

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        """The next page: first those of the list of all employees, then those of each closing month among them."""
        at = Cursor.parse(cursor)
        if at.offset >= MAX_ROWS:
            raise RunError("E23", "a list of freee does not end")
        if at.phase == DIRECTORY:
            return self._directory_page(at, as_of_date)
        return self._month_page(at)

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> Listed:
        return listed(list(readings_of(rows)), directory=DIRECTORY, end_of=end_of)

    def added(self, end: Mapping[str, Any]) -> Added | None:
        found = added_rows(end, self._client.list_company_employees, page=PAGE)
        return Added([as_listed(row) for row in found[0]], found[1]) if found else None

    def assemble(self, rows: Iterable[Mapping[str, Any]], *, as_of_date: date) -> Sequence[EmployeeRecord]:
        return assemble(rows, as_of_date)

    def directory(
        self, *, as_of_date: date, fresh: bool = True, since: datetime | None = None
    ) -> Sequence[EmployeeRecord]:
        if self._people is None:
            return self._directory(as_of_date)
        key = (self.system.value, str(self._company_id), as_of_date)
        return self._people.get(key, lambda: self._directory(as_of_date), fresh=fresh, since=since)

    def _directory(self, as_of_date: date) -> Sequence[EmployeeRecord]:
        rows = read_whole(lambda cursor: self.survey_page(cursor, as_of_date=as_of_date), self.listed)
        return assemble(rows, as_of_date)

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        """One person as of that closing month. The pay schedule is not in this answer: `pay_schedule` is None, the
        group's name is `company_reference_date_rule_name` of the record."""
        if month is None:
            raise ValueError("freee is read as of a month")
        record = self._shown(number(person_id), month)
        return as_employee(record, person_of(record, None), month) if record else None

    def _shown(self, person_id: int, month: YearMonth) -> dict[str, Any] | None:
        record = self._client.get_employee(person_id, month)
        shown = as_asked(record, person_id) if record else None
        self.window.opens(shown)
        return shown

    def find(self, person_id: str, *, as_of_date: date, since: datetime | None = None) -> EmployeeRecord | None:
        """One employee, looked for in the list of all employees.

        Only that list tells the pay schedule, and tells a deleted employee from one whom the list of a month hides:
        who joins later, has left, or is outside payroll.
        """
        listed = self._listed(person_id, since)
        if listed is not None and listed.unreadable:
            return listed
        month = closing_month(as_of_date, listed.person.pay_schedule if listed else None)
        record = self._shown(number(person_id), month)
        if record is None and listed is not None and since is not None:  # deleted since that list, or hidden
            listed = self._listed(person_id, None)
        if listed is None:
            if record is not None:  # a page of the list has shifted while it was read
                raise TemporaryError("listed_not_shown", "somebody who is shown is not listed")
            return None
        person = person_of(record, listed.person.pay_schedule) if record else listed.person
        return as_employee(record, person, month)

    def _listed(self, person_id: str, since: datetime | None) -> EmployeeRecord | None:
        """The person as the list of all employees shows them. Who is missing in a list begun after `since` is not
        looked for in another one."""
        rows: Sequence[EmployeeRecord]
        if self._people is None:
            rows = self._rows()
        else:
            key = (f"{self.system.value} rows", str(self._company_id), date.min)
            rows = self._people.get(key, self._rows, fresh=since is None, since=since)
        found = next((each for each in rows if each.person.id == person_id), None)
        if found is None and any(not each.person.id for each in rows):
            # Somebody is listed whose id cannot be read, so nobody can be said to be gone.
            odd = Unreadable(("id",))
            return EmployeeRecord(Person(System.FREEE, person_id, "", unreadable=True), None, unreadable=odd)
        return found

    def _rows(self) -> list[EmployeeRecord]:
        return [as_listed(row) for row in self._everybody()]

    def some_people(self, *, month: YearMonth | None, leavers: bool = False) -> list[EmployeeRecord]:
        if leavers or month is None:
            rows = self._client.list_company_employees(0)
            return [EmployeeRecord(person_of(row, schedule_of(row)), None) for row in readable(rows)]
        records = self._client.list_employees(month, 0)["employees"]
        return [as_employee(each, person_of(each, None), month) for each in records]

    def identify(self, hidden: EmployeeRecord) -> Person | None:
        """Read somebody in the months of leaving and joining, because freee hides people outside their employment.
        Stops at the first month that tells kana and birth date."""
        found: Person | None = None
        for month in months_to_try(hidden):
            try:
                record = self._shown(number(hidden.person.id), month)
            except ItemError:
                continue  # freee refuses this month; another one may show the person
            if record is None:
                continue
            found = person_of(record, hidden.person.pay_schedule)
            if found.last_name_kana and found.birth_date:
                return found
        return found

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        """Ids of all employees with this number, leavers included. `fresh` False: a list of the last minute is good
        enough, which is right only where no create of this employee is in doubt."""
        wanted = comparable_number(number)
        numbers = None if fresh or self._cache is None else self._cache.get(self._company_id)
        if numbers is None:
            numbers = self._list_numbers()
        return list(numbers.get(wanted, ())) if wanted else []

    def _directory_page(self, at: Cursor, as_of_date: date) -> SurveyPage:
        rows, seen, full = self._company_page(at.offset)
        at = at.with_months(months_of(readable(rows), as_of_date))
        following = at.further(PAGE - 1) if full else at.first_month()
        cursor = following.as_text() if following else None
        return SurveyPage([directory_row(row) for row in rows], cursor, seen)

    def _company_page(self, offset: int) -> tuple[list[dict[str, Any]], dict[str, Any], bool]:
        """A page of the list of all employees with its mark, and whether it is full. Each page begins with the last row
        of the page before it, which is left out here: when it is another one, the list has shifted. freee announces no
        total for this list."""
        rows = self._client.list_company_employees(offset)
        ids = [row.get("id") for row in rows]
        overlap = {"begins": ids[0] if ids else None} if offset else {}
        seen = mark(DIRECTORY, first=not offset, ends=ids[-1] if ids else None, **overlap)
        return rows[1:] if offset else rows, seen, len(rows) >= PAGE

    def _month_page(self, at: Cursor) -> SurveyPage:
        month = at.months[0]
        answer = self._client.list_employees(month, at.offset)
        records, total = answer["employees"], answer.get("total_count")
        seen = at.offset + len(records)
        more = bool(records) and (seen < total if total is not None else len(records) >= PAGE)
        following = at.further(len(records)) if more else at.next_month()
        cursor = following.as_text() if following else None
        announced = mark(at.list_name, first=False, announced=total)
        return SurveyPage([record_row(each, month) for each in records], cursor, announced)

    def _list_numbers(self) -> Numbers:
        since = self._cache.now() if self._cache else None
        numbers: dict[str, list[str]] = {}
        for row in self._everybody():
            if number := comparable_number(row.get("num") or ""):
                numbers.setdefault(number, []).append(str(row.get("id") or ""))
        found = {number: tuple(dict.fromkeys(ids)) for number, ids in numbers.items()}
        if self._cache and since:
            self._cache.keep(self._company_id, found, since=since)
        return found

    def _everybody(self) -> Iterator[Mapping[str, Any]]:
        """All rows of the list of all employees, leavers included. A list that shifts is read again, so a row may come
        twice. Raises TemporaryError("list_incomplete") when it keeps shifting."""
        for _ in range(MOST_READINGS):
            pages, full = Pages(), True
            for offset in range(0, MAX_ROWS, PAGE - 1):
                rows, seen, full = self._company_page(offset)
                pages.add(rows, seen)
                yield from rows
                if not full:
                    break
            if full:
                raise RunError("E23", "a list of freee does not end")
            if pages.is_whole:
                return
        raise TemporaryError(INCOMPLETE)

    # ── creating ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, request: CreateRequest, steps: StepRecorder) -> EmployeeRecord:
        """POST the items which the call takes, then read the employee in the closing month that the as-of date means
        for them."""
        if request.export_settings is None:
            raise RunError("export_settings_missing")
        sent = [change for change in request.changes if created_at_once(change.key)]
        parts = encode(System.FREEE, sent, None, request.options)
        body = create_object(parts, request.export_settings)
        created = self._recorded(Step.CREATE, [change.key for change in sent], steps, lambda: self._create(body))
        schedule = self._schedule(created, request)
        month = closing_month(request.as_of_date, schedule)
        record = self._shown(created["id"], month)
        return as_employee(record, person_of(record or created, schedule), month)

    def _create(self, body: Mapping[str, Any]) -> Record:
        try:
            created = self._client.create_employee(body)
        except TemporaryError:
            if self._cache:
                self._cache.forget(self._company_id)  # the create may have happened
            raise
        if self._cache:
            self._cache.add(self._company_id, comparable_number(created.get("num") or ""), str(created["id"]))
        return created

    def _schedule(self, created: Record, request: CreateRequest) -> PaySchedule | None:
        """The new employee's 締め日支払い日: as learned for this group, else from the list of all employees."""
        name = created.get("company_reference_date_rule_name") or _group(request.export_settings)
        known = request.pay_schedules.get(name)
        if known is not None:
            return replace(known, name=name)
        row = next((row for row in self._everybody() if row.get("id") == created["id"]), None)
        schedule = schedule_of(row) if row else None
        return replace(schedule, name=name) if schedule else None

    # ── updating ──────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(
        self,
        changes: Sequence[Change],
        current: EmployeeRecord,
        *,
        options: MappingOptions,
        steps: StepRecorder,
    ) -> EmployeeRecord:
        """One PUT per step that has changes; whoever wants each of them built from a reading of its own hands over the
        changes of one step at a time. `current` is a reading of the month that is to change."""
        if current.record is None or current.month is None:
            raise ItemError("record_hidden")
        by_key = {change.key: change for change in changes}
        refused: list[ItemError] = []
        for step, keys in keys_by_step(System.FREEE, changes).items():
            wanted = [by_key[key] for key in keys]
            try:
                current = self._write_step(step, wanted, current, options=options, steps=steps)
            except ItemError as error:
                refused.append(error)
        if refused:
            raise refused[0].said(*(answer for error in refused for answer in error.answers))
        return current

    def _write_step(
        self,
        step: Step,
        changes: Sequence[Change],
        current: EmployeeRecord,
        *,
        options: MappingOptions,
        steps: StepRecorder,
    ) -> EmployeeRecord:
        """Send the request of one step. Outside payroll freee takes only 基本, without 雇用保険の被保険者番号 (E14)."""
        writable = changes if current.person.in_payroll else _outside_payroll(step, changes)
        if writable:
            current = self._put(step, writable, current, options=options, steps=steps)
        if len(writable) < len(changes):
            raise ItemError("E14").about(*(change.key for change in changes if change not in writable))
        return current

    def _put(
        self,
        step: Step,
        changes: Sequence[Change],
        current: EmployeeRecord,
        *,
        options: MappingOptions,
        steps: StepRecorder,
    ) -> EmployeeRecord:
        """Merge the changes, send them, and take freee's answer for what freee now holds."""
        record, month, person = current.record, current.month, current.person
        assert record is not None and month is not None
        changed = encode(System.FREEE, changes, record, options).get(step, {})
        keys = [change.key for change in changes]
        if step is Step.EMPLOYEE:
            top = employee_object(record, changed, in_payroll=person.in_payroll)
            answered = self._recorded(step, keys, steps, lambda: self._put_employee(current, top))
            after = {**record, **{name: answered[name] for name in TOP_LEVEL if name in answered}}
        else:
            rule = rule_object(record, step, changed)
            put = self._rule_call(step)
            answered_rule = self._recorded(step, keys, steps, lambda: put(number(person.id), rule, month=month))
            after = {**record, RULES[step]: answered_rule or {**(record.get(RULES[step]) or {}), **rule}}
        return replace(current, person=person_of(after, person.pay_schedule), record=after)

    def _put_employee(self, current: EmployeeRecord, employee: Mapping[str, Any]) -> Record:
        month = current.month if current.person.in_payroll else None
        return self._client.update_employee(number(current.person.id), employee, month=month)

    def _rule_call(self, step: Step) -> Callable[..., Record | None]:
        return {
            Step.PROFILE: self._client.put_profile_rule,
            Step.HEALTH_INSURANCE: self._client.put_health_insurance_rule,
            Step.PENSION_INSURANCE: self._client.put_welfare_pension_insurance_rule,
            Step.BANK_ACCOUNT: self._client.put_bank_account_rule,
        }[step]

    def _recorded(self, step: Step, keys: Sequence[str], steps: StepRecorder, send: Callable[[], Any]) -> Any:
        """Send a request and record its step before and after."""
        steps.sending(step, keys)
        try:
            answered = send()
        except AwaseError as error:
            steps.failed(step, error)
            raise
        steps.done(step)
        return answered


def _group(settings: ExportSettings | None) -> str:
    return settings.pay_schedule_name if settings else ""


def _outside_payroll(step: Step, changes: Sequence[Change]) -> list[Change]:
    """The changes that freee takes for an employee outside payroll."""
    if step is not Step.EMPLOYEE:
        return []
    return [change for change in changes if change.key != EMPLOYMENT_INSURANCE_KEY]

"""SmartHRGateway: reads the crews of one tenant and writes plans to them, every update in one PATCH."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from sys import intern
from typing import Any

import structlog

from app.adapters.listing import by_id, listed, mark, read_whole, readings_of
from app.adapters.packed import Packer, people_of
from app.adapters.people_cache import PeopleCache
from app.adapters.records import UNREADABLE, as_asked, readable, unreadable_of
from app.adapters.smarthr.additions import added_crews, end_of
from app.adapters.smarthr.client import SmartHRClient
from app.adapters.smarthr.errors import NotFound
from app.adapters.smarthr.schemas import CrewRecord
from app.domain.codecs.base import parsed_date
from app.domain.completeness.listed import Listed
from app.domain.employee import EmployeeRecord, Person, Record, YearMonth
from app.domain.enums import Step, System
from app.domain.errors import AwaseError, ItemError, QuestionError, TemporaryError
from app.domain.matching.linking import comparable_number
from app.domain.planning.plan import Change
from app.domain.ports import Added, CreateRequest, StepRecorder, SurveyPage
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK
from app.domain.writing import encode, unwritable

_CREWS = "crews"
_TELLS_WHO = frozenset({"", "id", "emp_code", "last_name_yomi", "first_name_yomi", "birth_at"})

ANY_DAY = date.min
"""The as-of date of a list that is asked only who is there: SmartHR shows everybody on any day."""

log = structlog.get_logger(__name__)


class SmartHRGateway:
    """The port `EmployeeGateway` for SmartHR. Used by one thread."""

    system = System.SMARTHR
    asks_by_number = True

    def __init__(self, client: SmartHRClient, people: PeopleCache | None = None, *, tenant: str = "") -> None:
        """`people`: the cache from which a listing of the last minute may come. `tenant`: this tenant's key in it."""
        self._client = client
        self._people = people
        self._tenant = tenant
        self.odd_masters = 0
        self.window = client.window

    @property
    def calls(self) -> int:
        return self._client.calls

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def survey_page(self, cursor: str | None, *, as_of_date: date) -> SurveyPage:
        """One page of the list of all employees; the cursor is the page number."""
        number = int(cursor) if cursor else 1
        page = self._client.list_crews(number)
        seen = mark(_CREWS, first=number == 1, announced=page.announced, began=page.began)
        return SurveyPage(page.rows, str(number + 1) if page.has_next else None, seen)

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> Listed:
        return listed(list(readings_of(rows)), directory=_CREWS, end_of=end_of)

    def added(self, end: Mapping[str, Any]) -> Added | None:
        found = added_crews(end, self._client.list_newest_crews)
        return Added([_employee(row) for row in found[0]], found[1]) if found else None

    def assemble(self, rows: Iterable[Mapping[str, Any]], *, as_of_date: date) -> Sequence[EmployeeRecord]:
        """Each employee once. Pages shift while records change, so one may come twice; the later row is newer."""
        packer = Packer()
        latest, nameless = by_id(rows, packer.hold)
        kept = [*(latest[crew_id] for crew_id in sorted(latest)), *nameless]
        return people_of(kept, lambda row: _employee(packer.open(row)))

    def directory(
        self, *, as_of_date: date, fresh: bool = True, since: datetime | None = None
    ) -> Sequence[EmployeeRecord]:
        if self._people is None:
            return self._everybody(as_of_date)
        key = (self.system.value, self._tenant, as_of_date)
        return self._people.get(key, lambda: self._everybody(as_of_date), fresh=fresh, since=since)

    def _everybody(self, as_of_date: date) -> Sequence[EmployeeRecord]:
        rows = read_whole(lambda cursor: self.survey_page(cursor, as_of_date=as_of_date), self.listed)
        return self.assemble(rows, as_of_date=as_of_date)

    def find(self, person_id: str, *, as_of_date: date, since: datetime | None = None) -> EmployeeRecord | None:
        """One employee now, because SmartHR shows all the employees it has at any time. One 404 is no proof of a
        deletion: the list has to agree."""
        found = self.read(person_id, month=None)
        if found is None and self._is_listed(person_id, since):
            raise TemporaryError("listed_not_shown", "404 for somebody who is listed")
        return found

    def read(self, person_id: str, *, month: YearMonth | None) -> EmployeeRecord | None:
        """One person now; SmartHR knows no months."""
        record = self._client.get_crew(person_id)
        shown = as_asked(record, person_id) if record else None
        self.window.opens(shown)
        return _employee(shown) if shown else None

    def _is_listed(self, person_id: str, since: datetime | None) -> bool:
        """Whether the list shows this id. A kept list may be older than a deletion, so only a new one says yes."""
        if since is not None and not _shows(self.directory(as_of_date=ANY_DAY, fresh=False, since=since), person_id):
            return False
        return _shows(self.directory(as_of_date=ANY_DAY), person_id)

    def some_people(self, *, month: YearMonth | None, leavers: bool = False) -> list[EmployeeRecord]:
        """The first page of all employees; SmartHR lists leavers with the others."""
        return [_employee(row) for row in self._client.list_crews(1).rows]

    def identify(self, hidden: EmployeeRecord) -> Person | None:
        """The person as SmartHR lists them, because SmartHR hides nobody."""
        return hidden.person

    def ids_by_number(self, number: str, *, fresh: bool = True) -> list[str]:
        """Ids of all employees with this number, 退職済 included. Always fresh, because it takes one call only."""
        wanted = comparable_number(number)
        if not wanted:
            return []
        found = self._client.find_crews(number)
        if any(UNREADABLE in crew for crew in found):
            raise QuestionError("target_unreadable")
        # SmartHR does not document how its filter compares, so the numbers are compared again here.
        return sorted({crew["id"] for crew in found if comparable_number(crew.get("emp_code") or "") == wanted})

    def known_pay_schedules(self, *, as_of_date: date, pages: int) -> tuple[frozenset[str], bool]:
        """SmartHR has none."""
        return frozenset(), True

    def known_positions(self) -> frozenset[str]:
        """Names of the 役職 master, without entries that cannot be read."""
        titles = self._client.list_job_titles()
        self.odd_masters = sum(UNREADABLE in title for title in titles)
        if self.odd_masters:
            log.warning("master_entry_unreadable", master="job_titles", entries=self.odd_masters)
        return frozenset(title["name"] for title in readable(titles) if title.get("name"))

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, request: CreateRequest, steps: StepRecorder) -> EmployeeRecord:
        """POST all items that can be written, with 在籍状況 as of the date; blanks are left out."""
        options = replace(request.options, as_of_date=request.as_of_date)
        filled = [change for change in request.changes if change.after is not BLANK]
        changes, _ = _writable(filled, None, options)
        body = encode(System.SMARTHR, changes, None, options)[Step.CREW]
        body = {name: value for name, value in body.items() if value is not None}
        created = _recorded(steps, Step.CREATE, changes, lambda: self._client.create_crew(body))
        self.window.opens(created.record)
        return created

    def apply(
        self,
        changes: Sequence[Change],
        current: EmployeeRecord,
        *,
        options: MappingOptions,
        steps: StepRecorder,
    ) -> EmployeeRecord:
        """PATCH all items that can be written, in one request; afterwards raise ItemError for one that cannot."""
        possible, refused = _writable(changes, current.record, options)
        after = current
        if possible:
            body = encode(System.SMARTHR, possible, current.record, options)[Step.CREW]
            after = _recorded(steps, Step.CREW, possible, lambda: self._client.update_crew(current.person.id, body))
        if refused:
            reason = next(iter(refused.values()))
            raise ItemError(reason).about(*(each for each, why in refused.items() if why == reason))
        return after


def _shows(people: Iterable[EmployeeRecord], person_id: str) -> bool:
    """Whether this id is listed, or may be: somebody is listed whose id cannot be read."""
    return any(each.person.id in (person_id, "") for each in people)


def _writable(
    changes: Sequence[Change], current: Record | None, options: MappingOptions
) -> tuple[list[Change], dict[str, str]]:
    """The changes that SmartHR can take, and for the others the reason by key."""
    refused = unwritable(System.SMARTHR, changes, current, options)
    return [change for change in changes if change.key not in refused], refused


def _recorded(
    steps: StepRecorder, step: Step, changes: Sequence[Change], send: Callable[[], CrewRecord]
) -> EmployeeRecord:
    """Send one write and record its step, whether it succeeds or fails."""
    steps.sending(step, [change.key for change in changes])
    try:
        record = send()
    except NotFound as error:  # somebody who was read a moment ago: the next attempt looks whether they are gone
        steps.failed(step, error)
        raise TemporaryError("listed_not_shown", "404 for somebody who was shown") from None
    except AwaseError as error:
        steps.failed(step, error)
        raise
    steps.done(step)
    return _employee(record)


def _employee(record: Mapping[str, Any]) -> EmployeeRecord:
    odd = unreadable_of(record)
    person = Person(
        system=System.SMARTHR,
        id=intern(record.get("id") or ""),  # else each look at a packed record makes it anew
        number=intern(record.get("emp_code") or ""),
        last_name_kana=record.get("last_name_yomi") or "",
        first_name_kana=record.get("first_name_yomi") or "",
        birth_date=_date(record, "birth_at"),
        hired_on=_date(record, "entered_at"),
        resigned_on=_date(record, "resigned_at"),
        unreadable=odd is not None,
        unsure_who=odd is not None and not _TELLS_WHO.isdisjoint(odd.fields),
    )
    return EmployeeRecord(person, None if odd else record, unreadable=odd)


def _date(record: Mapping[str, Any], name: str) -> date | None:
    """The date; None also for text that is no date, because the mapping reports that by its key."""
    return parsed_date(record.get(name) or "")

"""The straight script somebody would write instead of the engine: one loop over SmartHR, `requests`, nothing kept.

`python -m tests.bench.straight --smarthr URL --freee URL` brings freee into line and prints one JSON line about it. It
converts and compares with the same pure functions as the engine (`app.domain`, and the engine's bodies for freee), so
that the difference between the two is the engine alone: no database, queue, lease, limiter, retry, history or mail.
It is let off easily: one kept-alive session, pages of 100, only the attributes that are compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import requests

from app.adapters.freee.bodies import RULES, create_object, created_at_once, employee_object, rule_object
from app.adapters.freee.survey import person_of, schedule_of
from app.adapters.municipalities import municipalities
from app.adapters.smarthr.schemas import crew_fields
from app.domain.employee import EmployeeRecord, Person, YearMonth
from app.domain.enums import Direction, Step, System
from app.domain.errors import ItemError
from app.domain.matching.selection import offer
from app.domain.planning.plan import Change
from app.domain.planning.planning import Baseline, plan
from app.domain.reading import readable_attributes, take_snapshot
from app.domain.runs.dates import closing_month
from app.domain.settings.connection_settings import ConflictPolicy, ExportSettings, MappingOptions, PayType
from app.domain.writing import encode, keys_by_step, unwritable
from app.practice.staff import practice_company
from tests.bench.memory import own_peak

PAGE = 100
EXPORT_SETTINGS = ExportSettings("固定時間制", "正社員", PayType.MONTHLY, 230_000)
NO_BASELINE = Baseline({}, lambda _key, _value: "")

Row = Mapping[str, Any]


class Refused(Exception):
    """A 4xx; the script goes on with the next request."""


@dataclass
class Vendor:
    """One API behind its token."""

    base: str
    token: str = field(repr=False)
    session: requests.Session = field(default_factory=requests.Session, repr=False)
    calls: int = 0
    writes: int = 0

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        self.calls += 1
        self.writes += method != "GET"
        headers = {"Authorization": f"Bearer {self.token}"}
        response = self.session.request(method, self.base + path, headers=headers, timeout=30, **options)
        if 400 <= response.status_code < 500:
            raise Refused(f"{method} {response.status_code}")
        response.raise_for_status()
        return response


@dataclass
class Script:
    """One pass over everybody; a second pass starts from nothing again, as the script keeps nothing."""

    smarthr: Vendor
    freee: Vendor
    today: date
    people: int = 0
    written: int = 0
    refused: int = 0

    def run(self) -> None:
        crews = list(self.crews())
        options = MappingOptions(
            municipalities=municipalities(), readable_attributes=readable_attributes(crews), as_of_date=self.today
        )
        employees = self.employees()
        for crew in crews:
            same_number = employees.get(crew.get("emp_code") or "", [])
            if not self.takes_part(crew):
                continue
            self.people += 1
            if not crew.get("emp_code") or len(same_number) > 1:
                continue  # nothing a loop could decide
            self.one(crew, same_number[0] if same_number else None, options)

    def takes_part(self, crew: Row) -> bool:
        return offer(crew_record(crew).person, self.today).offered

    def one(self, crew: Row, row: Row | None, options: MappingOptions) -> None:
        """Bring one person into line. `row`: of freee's list, None for somebody who is not there."""
        source, writes_before = crew_record(crew), self.freee.writes
        try:
            self._bring_into_line(source, row or self._created(source, options), options)
        except Refused:
            self.refused += 1
        self.written += self.freee.writes > writes_before

    def crews(self) -> Iterator[Row]:
        page, total = 0, 1
        while page * PAGE < total:
            page += 1
            query: dict[str, str | int] = {"page": page, "per_page": PAGE, "sort": "created_at"}
            query["fields"] = ",".join(crew_fields())
            answer = self.smarthr.send("GET", "/v1/crews", params=query)
            total = int(answer.headers["x-total-count"])
            yield from answer.json()

    def employees(self) -> dict[str, list[Row]]:
        """従業員番号 → rows of the list of everybody (ids and pay schedules; records are read one by one)."""
        found: dict[str, list[Row]] = defaultdict(list)
        path, offset = f"/api/v1/companies/{practice_company.FREEE_COMPANY_ID}/employees", 0
        rows: list[Row] = [{}] * PAGE
        while len(rows) == PAGE:
            query: dict[str, str | int] = {"limit": PAGE, "offset": offset, "with_no_payroll_calculation": "true"}
            rows = self.freee.send("GET", path, params=query).json()
            offset += PAGE
            for row in rows:
                found[row["num"] or ""].append(row)
        return found

    def _created(self, source: EmployeeRecord, options: MappingOptions) -> Row:
        """POST what that call takes; the rest follows as an update."""
        wanted = plan(
            take_snapshot(source, options),
            None,
            direction=Direction.SMARTHR_TO_FREEE,
            baseline=NO_BASELINE,
            policy=ConflictPolicy.SOURCE_WINS,
            options=options,
            encodable=lambda changes: unwritable(System.FREEE, changes, None, options),
        )
        if wanted.stops or not wanted.changes:
            raise Refused("nothing to create")
        sent = [change for change in wanted.changes if created_at_once(change.key)]
        body = create_object(encode(System.FREEE, sent, None, options), EXPORT_SETTINGS)
        answer = self.freee.send("POST", "/api/v1/employees", json=self._body({"employee": body}, None))
        created: Row = answer.json()["employee"]
        return created

    def _bring_into_line(self, source: EmployeeRecord, row: Row, options: MappingOptions) -> None:
        month = closing_month(self.today, schedule_of(row))
        path = f"/api/v1/employees/{row['id']}"
        query: dict[str, str | int] = {**self._company(), "year": month.year, "month": month.month}
        record: Row = self.freee.send("GET", path, params=query).json()["employee"]
        person = person_of(record, None)
        wanted = plan(
            take_snapshot(source, options),
            take_snapshot(EmployeeRecord(person, record, month), options),
            direction=Direction.SMARTHR_TO_FREEE,
            baseline=NO_BASELINE,
            policy=ConflictPolicy.SOURCE_WINS,
            options=options,
            target_in_payroll=person.in_payroll,
            encodable=lambda changes: unwritable(System.FREEE, changes, record, options),
        )
        if not wanted.stops and wanted.changes:
            self._write(person, record, wanted.changes, month=month, options=options)

    def _write(
        self, person: Person, record: Row, changes: Sequence[Change], *, month: YearMonth, options: MappingOptions
    ) -> None:
        """One PUT per rule; a refused one does not keep the others back."""
        values, refused = encode(System.FREEE, changes, record, options), 0
        for step in keys_by_step(System.FREEE, changes):
            try:
                body = self._object(step, record, values[step], in_payroll=person.in_payroll)
                path = f"/api/v1/employees/{person.id}" + ("" if step is Step.EMPLOYEE else f"/{RULES[step]}")
                self.freee.send("PUT", path, json=self._body(body, month))
            except (Refused, ItemError):
                refused += 1
        if refused:
            raise Refused

    @staticmethod
    def _object(step: Step, record: Row, values: Row, *, in_payroll: bool) -> dict[str, Any]:
        if step is Step.EMPLOYEE:
            return {"employee": employee_object(record, values, in_payroll=in_payroll)}
        return {f"employee_{RULES[step]}": rule_object(record, step, values)}

    @staticmethod
    def _company() -> dict[str, int]:
        return {"company_id": practice_company.FREEE_COMPANY_ID}

    def _body(self, content: dict[str, Any], month: YearMonth | None) -> dict[str, Any]:
        return {**self._company(), **({"year": month.year, "month": month.month} if month else {}), **content}


def crew_record(crew: Row) -> EmployeeRecord:
    """A crew as the loop sees it: the number, and the two dates that decide who takes part."""
    hired, left = crew.get("entered_at"), crew.get("resigned_at")
    person = Person(
        system=System.SMARTHR,
        id=crew["id"],
        number=crew.get("emp_code") or "",
        hired_on=date.fromisoformat(hired) if hired else None,
        resigned_on=date.fromisoformat(left) if left else None,
    )
    return EmployeeRecord(person, crew)


def script_for(smarthr_url: str, freee_url: str, today: date) -> Script:
    smarthr = Vendor(f"{smarthr_url}/{practice_company.SUBDOMAIN}/api", practice_company.SMARTHR_TOKEN)
    return Script(smarthr, Vendor(f"{freee_url}/hr", practice_company.FREEE_ACCESS_TOKEN), today)


def one_pass(smarthr_url: str, freee_url: str, today: date) -> dict[str, Any]:
    """From nothing to the end: seconds, people taken part, people written, vendor calls, writes, people refused."""
    script = script_for(smarthr_url, freee_url, today)
    smarthr, freee = script.smarthr, script.freee
    start = time.monotonic()
    script.run()
    return {
        "seconds": time.monotonic() - start,
        "people": script.people,
        "written": script.written,
        "calls": smarthr.calls + freee.calls,
        "writes": smarthr.writes + freee.writes,
        "refused": script.refused,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.straight")
    parser.add_argument("--smarthr", required=True)
    parser.add_argument("--freee", required=True)
    asked = parser.parse_args()
    passes = {
        name: one_pass(asked.smarthr, asked.freee, practice_company.japan_today()) for name in ("first", "second")
    }
    print(json.dumps({**passes, "peak_mib": own_peak()}))


if __name__ == "__main__":
    main()

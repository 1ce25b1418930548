"""A small company in the freee simulator for the tests, a caller with a token, and the vendor's contract as the judge.

Every answer that a `Caller` gets is held against the contract when it is there: declared status, content type, schema,
and exactly the properties the contract names.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator, oas30_format_checker

from app.practice.freee.practice_freee import create_freee, freee_of
from app.practice.staff import practice_company
from app.practice.staff.forms import Account, Place, Worker, employee_of
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.limits import REAL, Rates

COMPANY = practice_company.FREEE_COMPANY_ID
CONTRACT_FILE = Path(os.environ.get("CONTRACTS_DIR", "../shared/contracts")) / "freee-hr.openapi.json"
BASE = "/hr"

REGULAR, PART_TIME, OFFICER, OUTSIDE, LEAVER, JOINER = 11, 12, 13, 14, 15, 16
"""Paid in the same month; in the next; closing on the 20th; outside payroll; left 2026-01-31; joins 2026-06-25."""


def worker(number: str = "0011", **changes: Any) -> Worker:
    values: dict[str, Any] = {
        "number": number,
        "last_name": "試験",
        "first_name": "一郎",
        "last_kana": "シケン",
        "first_kana": "イチロウ",
        "birth": date(1990, 5, 5),
        "gender": "male",
        "hired": date(2024, 4, 1),
        "title": "主任",
        "home": Place("1000001", 12, "東京都", "千代田区", "千代田1-1", "トウキョウト", "チヨダクチヨダ1-1"),
        "phone": ("090", "0000", "1111"),
        "account": Account("0001", "110", "1234567", "シケン イチロウ"),
        "employment_number": "12345678901",
        "basic_pension": "1234567890",
        "health_number": 7,
        "pension_number": 8,
        "health_income": 300_000,
        "pension_income": 300_000,
    }
    return Worker(**(values | changes))


def small_company() -> PracticeCompany:
    people = [
        employee_of(worker("0011"), REGULAR, company_id=COMPANY),
        employee_of(worker("0012", group="アルバイト", pay=1200), PART_TIME, company_id=COMPANY),
        employee_of(worker("0013", group="役員"), OFFICER, company_id=COMPANY),
        employee_of(worker("0014"), OUTSIDE, company_id=COMPANY, payroll=False),
        employee_of(worker("0015", resigned=date(2026, 1, 31)), LEAVER, company_id=COMPANY),
        employee_of(worker("0016", group="役員", hired=date(2026, 6, 25)), JOINER, company_id=COMPANY),
    ]
    return PracticeCompany(date(2026, 4, 10), crews=[], employees=people, scenarios=[])


class TurnableClock:
    """Epoch seconds that stand still until turned."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 4, 10, 3, 0, 0, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.moment

    def turn(self, seconds: float) -> None:
        self.moment += seconds


class Caller:
    """The simulator with somebody who calls it. `last` is the last response."""

    def __init__(
        self,
        switches: dict[str, Any] | None = None,
        *,
        rates: Rates = REAL,
        company: PracticeCompany | None = None,
    ) -> None:
        self.clock = TurnableClock()
        self.app = create_freee(company or small_company(), switches, self.clock, rates=rates)
        self.freee = freee_of(self.app)
        self.http = self.app.test_client()
        self.token: str | None = practice_company.FREEE_ACCESS_TOKEN
        self.last: Any = None

    def call(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Any:
        """The parsed answer (None when empty). The status is in `self.last`."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self.last = self.http.open(f"{BASE}{path}", method=method, query_string=query, json=body, headers=headers)
        hold_against_contract(method, path, self.last)
        return self.last.get_json() if self.last.is_json else None

    @property
    def status(self) -> int:
        return int(self.last.status_code)

    @property
    def messages(self) -> list[str]:
        """What a refusal of body A says."""
        return [text for each in self.last.get_json()["errors"] for text in each["messages"]]

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, query={"company_id": COMPANY, **query})

    def send(self, method: str, path: str, **body: Any) -> Any:
        return self.call(method, path, body={"company_id": COMPANY, **body})

    def switch(self, name: str, value: Any) -> None:
        self.freee.injector.set_switch(name, value)

    # ── the employee and the rules, in a month ────────────────────────────────────────────────────────────────────

    def employee(self, employee_id: int = REGULAR, year: int = 2026, month: int = 4) -> Any:
        answer = self.get(f"/api/v1/employees/{employee_id}", year=year, month=month)
        return answer["employee"] if self.status == 200 else answer

    def put_employee(self, employee_id: int = REGULAR, *, year: int = 2026, month: int = 4, **changes: Any) -> Any:
        """The two mandatory dates are sent unless given otherwise."""
        sent = {"birth_date": "1990-05-05", "entry_date": "2024-04-01", **changes}
        answer = self.send("PUT", f"/api/v1/employees/{employee_id}", year=year, month=month, employee=sent)
        return answer["employee"] if self.status == 200 else answer

    def rule(self, kind: str, employee_id: int = REGULAR, *, year: int = 2026, month: int = 4) -> Any:
        answer = self.get(f"/api/v1/employees/{employee_id}/{kind}", year=year, month=month)
        return answer[f"employee_{kind}"] if self.status == 200 else answer

    def put_rule(
        self, kind: str, employee_id: int = REGULAR, *, year: int = 2026, month: int = 4, **values: Any
    ) -> Any:
        path = f"/api/v1/employees/{employee_id}/{kind}"
        answer = self.send("PUT", path, year=year, month=month, **{f"employee_{kind}": values})
        return answer[f"employee_{kind}"] if self.status == 200 else answer

    def put_profile(self, employee_id: int = REGULAR, *, year: int = 2026, month: int = 4, **values: Any) -> Any:
        return self.put_rule("profile_rule", employee_id, year=year, month=month, **{**NAMES, **values})

    def create(self, **changes: Any) -> Any:
        answer = self.send("POST", "/api/v1/employees", employee={**NEW, **changes})
        return answer["employee"] if self.status == 201 else answer


NAMES = {"last_name": "試験", "first_name": "一郎", "last_name_kana": "シケン", "first_name_kana": "イチロウ"}
NEW = {
    **NAMES,
    "birth_date": "1999-09-09",
    "entry_date": "2026-04-01",
    "pay_calc_type": "monthly",
    "pay_amount": 250_000,
}


def refused(caller: Caller, *, saying: str = "") -> None:
    """Assert that the last answer is body A of a 400 and says this."""
    assert caller.status == 400
    assert caller.last.mimetype == "application/problem+json"
    assert caller.last.get_json()["errors"][0]["type"] == "bad_request"
    assert any(saying in each for each in caller.messages), caller.messages


# ── the contract ──────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def contract() -> dict[str, Any] | None:
    if not CONTRACT_FILE.exists():
        return None
    parsed: dict[str, Any] = json.loads(CONTRACT_FILE.read_text(encoding="utf-8"), object_hook=_null_in_enums)
    return parsed


def _null_in_enums(schema: dict[str, Any]) -> dict[str, Any]:
    """A nullable enum of the contract leaves null out of its list, although freee does answer null there."""
    if schema.get("nullable") is True and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema


def need_contract() -> dict[str, Any]:
    """The contract, or a skip that says why; an error in CI."""
    return or_skip(contract())


def or_skip(found: dict[str, Any] | None) -> dict[str, Any]:
    if found is None:
        reason = f"the vendor's contract is not at {CONTRACT_FILE} (CONTRACTS_DIR)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def hold_against_contract(method: str, path: str, response: Any) -> None:
    """Raises AssertionError when the answer is not one the contract allows for this operation."""
    document = contract()
    if document is None or response.status_code in (405, 429, 503):
        return  # these are in the contract's prose only
    operation = next((each for template, each in document["paths"].items() if _fits(template, path)), None)
    if operation is None:
        return
    declared = operation[method.lower()]["responses"][str(response.status_code)]
    if response.status_code == 204:
        assert response.data == b""
        return
    schema = declared["content"][response.mimetype]["schema"]
    root = {"allOf": [schema], "components": document["components"]}
    answer = response.get_json()
    problems = [each.message for each in OAS30Validator(root, format_checker=oas30_format_checker).iter_errors(answer)]
    assert problems == [], problems
    if response.status_code < 300:
        same_properties(answer, schema, document)


def same_properties(value: Any, schema: dict[str, Any], document: dict[str, Any], path: str = "$") -> None:
    """Hardly any property is `required` in the contract; the real answers hold all of them, and no others."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        for index, each in enumerate(value):
            same_properties(each, schema["items"], document, f"{path}[{index}]")
    elif isinstance(value, dict):
        assert set(value) == set(schema["properties"]), path
        for name, each in value.items():
            same_properties(each, schema["properties"][name], document, f"{path}.{name}")


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) is not None

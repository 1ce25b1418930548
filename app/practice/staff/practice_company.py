"""The practice company: its constants, and invented staff in both systems with the outcome each person should have.

`build_company(today)` gives the same people on every machine; dates move with `today`, so that the stories stay true.
Shapes:
- `crews`: SmartHR's crews as its write form names them (`positions` are names, `employment_type_id` an id), plus `id`.
- `employees`: the full employee object of freee's API as of the first month, with `profile_rule`,
  `health_insurance_rule`, `welfare_pension_insurance_rule`, `bank_account_rule`, `basic_pay_rule`, `dependent_rules`
  (all None / [] outside payroll), and two keys that are not part of the vendor's object: `pay_schedule` (group name,
  the same as `company_reference_date_rule_name`) and `email` (login mail of the company list).
- `groups`: 締め日支払い日, `{name, closing_day, pay_day, month_of_pay_day}`; 31 = month end.
- `working_hours_systems`: 勤務・賃金設定, `{name, flextime}`; the first is freee's default.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.practice.staff.forms import Worker, stable_id
from app.practice.staff.lists import TITLES
from app.practice.staff.people import moved, ordinary, phone
from app.practice.staff.scenarios import CREATE, EQUAL, UPDATE, Book, Scenario, base_scenarios
from app.practice.staff.tenants import Tenant, tenant

FIRST = tenant(1)
SUBDOMAIN = FIRST.subdomain
SMARTHR_TOKEN = FIRST.smarthr_token
FREEE_COMPANY_ID = FIRST.company_id
FREEE_EXTERNAL_CID = FIRST.external_cid
FREEE_REFRESH_TOKEN = FIRST.refresh_token
FREEE_ACCESS_TOKEN = FIRST.access_token
FREEE_CLIENT_ID = "practice-client"
FREEE_CLIENT_SECRET = "practice-client-secret"  # noqa: S105 - opens nothing but the practice company

GROUPS: tuple[dict[str, Any], ...] = (
    {"name": "正社員", "closing_day": 31, "pay_day": 25, "month_of_pay_day": "this_month"},
    {"name": "アルバイト", "closing_day": 31, "pay_day": 15, "month_of_pay_day": "next_month"},
    {"name": "役員", "closing_day": 20, "pay_day": 25, "month_of_pay_day": "this_month"},
)
WORKING_HOURS_SYSTEMS: tuple[dict[str, Any], ...] = (
    {"name": "固定時間制", "flextime": False},
    {"name": "裁量労働制", "flextime": False},
    {"name": "フレックスタイム制", "flextime": True},
)
EMPLOYMENT_TYPES: tuple[tuple[str, str], ...] = (
    ("board_member", "役員"),
    ("full_timer", "正社員"),
    ("contract_worker", "契約社員"),
    ("permatemp", "派遣社員"),
    ("part_timer", "アルバイト・パート"),
    ("outsourcing_contractor", "業務委託"),
    ("etc", "その他"),
)
"""SmartHR's preset 雇用形態: (preset type, name)."""

_JAPAN = timedelta(hours=9)
_EXTRA_FROM = 10_001  # the first generated person's number


@dataclass(frozen=True)
class PracticeCompany:
    """Both systems' data at the start, and the outcome that each person should have."""

    today: date
    crews: list[dict[str, Any]] = field(repr=False)
    employees: list[dict[str, Any]] = field(repr=False)
    scenarios: list[Scenario] = field(repr=False)
    tenant: Tenant = FIRST
    groups: list[dict[str, Any]] = field(default_factory=lambda: [dict(each) for each in GROUPS])
    working_hours_systems: list[dict[str, Any]] = field(
        default_factory=lambda: [dict(each) for each in WORKING_HOURS_SYSTEMS]
    )
    job_titles: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": stable_id(f"job_title/{name}"), "name": name, "rank": rank * 100, "code": None}
            for rank, name in enumerate(TITLES, start=1)
        ]
    )
    employment_types: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"id": stable_id(f"employment_type/{preset}"), "name": name, "preset_type": preset, "code": None}
            for preset, name in EMPLOYMENT_TYPES
        ]
    )

    @property
    def expected(self) -> dict[str, dict[str, str]]:
        """Direction → {id at the source: outcome}, each direction as the first run of a fresh company.

        Outcomes: "equal", "update", "create", "review:<code>", "fail:<code>", "not_offered".
        """
        return {
            "smarthr_to_freee": {s.crew_id: s.to_freee for s in self.scenarios if s.crew_id},
            "freee_to_smarthr": {str(s.employee_id): s.to_smarthr for s in self.scenarios if s.employee_id},
        }


def build_company(today: date, *, extra: int = 0, equal_share: float = 0.95, tenant: Tenant = FIRST) -> PracticeCompany:
    """The base people and `extra` generated ones, of whom `equal_share` are equal on both sides.

    Of the other generated people every tenth is only in SmartHR, the rest differ in one group of items. Any day will
    do, 29 February included. 10,000 people take about a second.
    """
    book = Book(today, tenant)
    base_scenarios(book)
    for index in range(extra):
        _tell_extra(book, index, equal_share=equal_share)
    return PracticeCompany(today, book.crews, book.employees, book.scenarios, tenant)


def japan_today() -> date:
    return (datetime.now(UTC) + _JAPAN).date()


def expected_counts(direction: str, total: int, *, today: date | None = None) -> dict[str, int]:
    """How many of the source's `total` people should end in which item state, in the order of the demonstration.

    That is SmartHR → freee on a fresh company first, then freee → SmartHR. `total` tells how many generated people
    there were. Keys: succeeded, unchanged, needs_review, failed, left_out.
    """
    today = today or japan_today()
    base = _counts(build_company(today), direction)
    company = build_company(today, extra=max(0, total - sum(base.values())))
    return dict(_counts(company, direction))


def _counts(company: PracticeCompany, direction: str) -> Counter[str]:
    told = (s.to_freee if direction == "smarthr_to_freee" else s.then_back for s in company.scenarios)
    return Counter(ITEM_STATES[outcome.partition(":")[0]] for outcome in told if outcome)


ITEM_STATES = {
    "equal": "unchanged",
    "update": "succeeded",
    "create": "succeeded",
    "review": "needs_review",
    "fail": "failed",
    "not_offered": "left_out",
}


def _tell_extra(book: Book, index: int, *, equal_share: float) -> None:
    number = _EXTRA_FROM + index
    worker = ordinary(number, book.today, group="アルバイト" if index % 4 == 3 else "正社員")
    different_so_far = int((index + 1) * (1 - equal_share) + 1e-9)
    if different_so_far == int(index * (1 - equal_share) + 1e-9):
        book.add(worker, worker, note="生成: 両方で同じ", to_freee=EQUAL, to_smarthr=EQUAL)
    elif different_so_far % 10 == 0:
        book.add(worker, None, note="生成: SmartHRだけ", to_freee=CREATE, then_back=EQUAL)
    else:
        new = _changed(worker, number, kind=different_so_far % 5)
        book.add(new, worker, note="生成: 一部が違う", to_freee=UPDATE, to_smarthr=UPDATE)


def _changed(worker: Worker, number: int, *, kind: int) -> Worker:
    if kind == 0:
        return moved(worker, number + 1)
    if kind == 1:
        return replace(worker, phone=phone(number + 50_000))
    if kind == 2 and worker.account is not None:
        return replace(worker, account=replace(worker.account, number=f"{2_000_000 + number:07d}"))
    if kind == 3:
        return replace(worker, health_number=number + 100_000)
    income = (worker.health_income or 0) + 20_000
    return replace(worker, health_income=income, pension_income=income)


BASE_SIZE = len(build_company(date(2026, 4, 1)).scenarios)
"""How many people the practice company has without generated ones."""

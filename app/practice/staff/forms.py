"""One invented person in the two vendors' forms: how SmartHR writes a crew and how freee writes an employee.

These forms repeat the product's own mapping on purpose and apart from it: a mistake there must not hide here.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

_NAMESPACE = uuid.UUID("6f2f3a52-6a0e-5d0e-9c0b-5a2f6c1d7e01")


def stable_id(text: str) -> str:
    """The same UUID for the same text, on every machine."""
    return str(uuid.uuid5(_NAMESPACE, text))


@dataclass(frozen=True)
class Place:
    """An address. `zip_code` 7 digits, `code` freee's prefecture code, `kana` begins at the municipality.

    `country`: ISO 3166-1 numeric; a place abroad has no freee form.
    """

    zip_code: str
    code: int
    prefecture: str
    city: str
    street: str
    prefecture_kana: str
    kana: str
    building: str = ""
    country: str = "392"

    def smarthr(self) -> dict[str, Any]:
        return {
            "country_number": self.country,
            "zip_code": f"{self.zip_code[:3]}-{self.zip_code[3:]}",
            "pref": self.prefecture,
            "city": self.city,
            "street": self.street,
            "building": self.building,
            "literal_yomi": f"{self.prefecture_kana}{self.kana}" if self.kana else "",
        }

    def freee(self, prefix: str) -> dict[str, Any]:
        """`prefix` is "residential_" for 現住所, "" for 住民票住所."""
        text = self.city + self.street + (f" {self.building}" if self.building else "")
        return {
            f"{prefix}zipcode1": self.zip_code[:3],
            f"{prefix}zipcode2": self.zip_code[3:],
            f"{prefix}prefecture_code": self.code,
            f"{prefix}address": text,
            f"{prefix}address_kana": self.kana,
        }


def _no_place(prefix: str) -> dict[str, Any]:
    blank = {f"{prefix}zipcode1": None, f"{prefix}zipcode2": None, f"{prefix}prefecture_code": -1}
    return {**blank, f"{prefix}address": None, f"{prefix}address_kana": ""}


@dataclass(frozen=True)
class Account:
    """A bank account. `kind` in SmartHR's words: saving 普通, checking 当座, deposit 貯蓄."""

    bank: str
    branch: str
    number: str
    holder: str
    kind: str = "saving"

    def smarthr(self) -> dict[str, Any]:
        return {
            "bank_code": self.bank,
            "bank_branch_code": self.branch,
            "account_type": self.kind,
            "account_number": self.number,
            "account_holder_name": self.holder,
            "transfer_type": "full",
            "transfer_category": "salary_and_bonus",
        }


_FREEE_ACCOUNT_TYPE = {"saving": "ordinary", "checking": "current", "deposit": "saving"}


@dataclass(frozen=True)
class Worker:
    """Everything both systems may know of one person, in neutral form. Numbers are digits without hyphens.

    `phone` is three parts or (). `health_number` and `pension_number`: 被保険者整理番号. `group`: 締め日支払い日.
    """

    number: str
    last_name: str
    first_name: str
    last_kana: str
    first_kana: str
    birth: date | None
    gender: str | None
    hired: date | None
    resigned: date | None = None
    title: str = ""
    spouse: bool = False
    student: bool = False
    widow: str | None = None
    disability: str | None = None
    home: Place | None = None
    registered: Place | None = None
    phone: tuple[str, ...] = ()
    account: Account | None = None
    employment_number: str = ""
    basic_pension: str = ""
    health_number: int | None = None
    pension_number: int | None = None
    health_income: int | None = None
    pension_income: int | None = None
    group: str = "正社員"
    pay: int = 250_000
    email: str = ""
    status: str = "employed"

    @property
    def display_name(self) -> str:
        return f"{self.last_name} {self.first_name}"


_EMPLOYMENT = {"正社員": "full_timer", "アルバイト": "part_timer", "役員": "board_member"}
_FREEE_EMPLOYMENT = {"正社員": "regular", "アルバイト": "part-time", "役員": "board-member"}


def crew_of(worker: Worker, crew_id: str) -> dict[str, Any]:
    """The crew as SmartHR's write form names it: `positions` are names, `employment_type_id` an id."""
    return {
        "id": crew_id,
        "emp_code": worker.number or None,
        "emp_status": worker.status,
        "employment_type_id": stable_id(f"employment_type/{_EMPLOYMENT[worker.group]}"),
        "last_name": worker.last_name,
        "first_name": worker.first_name,
        "last_name_yomi": worker.last_kana,
        "first_name_yomi": worker.first_kana,
        "birth_at": _day(worker.birth),
        "gender": worker.gender,
        "email": worker.email or None,
        "tel_number": "-".join(worker.phone) or None,
        "address": worker.home.smarthr() if worker.home else None,
        "resident_card_address": worker.registered.smarthr() if worker.registered else None,
        "positions": [worker.title] if worker.title else [],
        "entered_at": _day(worker.hired),
        "resigned_at": _day(worker.resigned),
        "having_spouse": worker.spouse,
        "working_student_flag": worker.student,
        "widow_type": worker.widow,
        "handicapped_type": worker.disability,
        "bank_accounts": [worker.account.smarthr()] if worker.account else [],
        "emp_ins_insured_person_number": _grouped(worker.employment_number, 4, 10),
        "basic_pension_number": _grouped(worker.basic_pension, 4),
        "hel_ins_insured_person_number": worker.health_number,
        "soc_ins_insured_person_number": worker.pension_number,
        "monthly_standard_income_hel": worker.health_income,
        "monthly_standard_income_pns": worker.pension_income,
    }


def employee_of(worker: Worker, employee_id: int, *, company_id: int, payroll: bool = True) -> dict[str, Any]:
    """The full freee employee object; `pay_schedule` (group name) and `email` (login mail) are added for the simulator.

    Raises ValueError when freee cannot hold the person (no 入社日 or 生年月日).
    """
    if worker.birth is None or worker.hired is None:
        raise ValueError(f"{worker.number}: freee needs birth and entry date")
    owner = {"company_id": company_id, "employee_id": employee_id}
    return {
        "id": employee_id,
        "company_id": company_id,
        "num": worker.number,
        "display_name": worker.display_name,
        "base_pension_num": worker.basic_pension or None,
        "employment_insurance_reference_number": worker.employment_number if payroll else "",
        "birth_date": _day(worker.birth),
        "entry_date": _day(worker.hired),
        "retire_date": _day(worker.resigned),
        "user_id": None,
        "email": worker.email or None,
        "payroll_calculation": payroll,
        "company_reference_date_rule_name": worker.group if payroll else None,
        "pay_schedule": worker.group if payroll else None,
        "profile_rule": {"id": employee_id * 10 + 1, **owner, **_profile(worker)} if payroll else None,
        "health_insurance_rule": {"id": employee_id * 10 + 2, **owner, **_health(worker)} if payroll else None,
        "welfare_pension_insurance_rule": {"id": employee_id * 10 + 3, **owner, **_pension(worker)}
        if payroll
        else None,
        "dependent_rules": [],
        "bank_account_rule": {"id": employee_id * 10 + 4, **owner, **_account(worker.account)} if payroll else None,
        "basic_pay_rule": {"id": employee_id * 10 + 5, **owner, **_pay(worker)} if payroll else None,
    }


def _profile(worker: Worker) -> dict[str, Any]:
    home = worker.home.freee("residential_") if worker.home else _no_place("residential_")
    registered = worker.registered.freee("") if worker.registered else _no_place("")
    phone = [*worker.phone, None, None, None]
    return {
        "last_name": worker.last_name,
        "first_name": worker.first_name,
        "last_name_kana": worker.last_kana,
        "first_name_kana": worker.first_kana,
        **registered,
        "phone1": phone[0],
        "phone2": phone[1],
        "phone3": phone[2],
        **home,
        "employment_type": _FREEE_EMPLOYMENT[worker.group],
        "title": worker.title or None,
        "gender": worker.gender or "unselected",
        "married": worker.spouse,
        "is_working_student": worker.student,
        "widow_type": {None: "na", "single_parent": "one_parent"}.get(worker.widow, worker.widow),
        "disability_type": {None: "na", "ordinary_handicapped": "general"}.get(worker.disability, "heavy"),
        "email": worker.email or None,
        "householder": "myself",
        "householder_name": "",
    }


def _health(worker: Worker) -> dict[str, Any]:
    calculated = {f"{name}_{kind}_calc_type": "auto" for name in _HEALTH_PARTS for kind in ("salary", "bonus")}
    manual = {
        f"manual_{name}_amount_of_{who}_{kind}": None
        for name in _HEALTH_PARTS
        for who in ("employee", "company")
        for kind in ("salary", "bonus")
    }
    insured = _insured(worker.health_number, worker.health_income)
    return {**calculated, **manual, "health_insurance_qualification_required": False, **insured}


_HEALTH_PARTS = ("health_insurance", "care_insurance", "child_support_fund")


def _pension(worker: Worker) -> dict[str, Any]:
    parts = ("welfare_pension_insurance", "child_allowance_contribution")
    calculated = {f"{name}_{kind}_calc_type": "auto" for name in parts for kind in ("salary", "bonus")}
    manual = {
        f"manual_welfare_pension_insurance_amount_of_{who}_{kind}": None
        for who in ("employee", "company")
        for kind in ("salary", "bonus")
    }
    child = {f"manual_child_allowance_contribution_amount_{kind}": None for kind in ("salary", "bonus")}
    return {**calculated, **manual, **child, **_insured(worker.pension_number, worker.pension_income)}


def _insured(number: int | None, income: int | None) -> dict[str, Any]:
    return {
        "entried": income is not None,
        "reference_num": str(number) if number is not None else None,
        "standard_monthly_remuneration": income or 0,
    }


def _account(account: Account | None) -> dict[str, Any]:
    names = dict.fromkeys(("bank_name", "bank_name_kana", "branch_name", "branch_name_kana"))
    if account is None:
        rest = ("bank_code", "branch_code", "account_number", "account_name", "account_type")
        return {**names, **dict.fromkeys(rest)}
    return {
        **names,
        "bank_code": account.bank,
        "branch_code": account.branch,
        "account_number": account.number,
        "account_name": account.holder,
        "account_type": _FREEE_ACCOUNT_TYPE[account.kind],
    }


def _pay(worker: Worker) -> dict[str, Any]:
    return {"pay_calc_type": "hourly" if worker.group == "アルバイト" else "monthly", "pay_amount": worker.pay}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _grouped(digits: str, *cuts: int) -> str | None:
    """`12345678901` cut at 4 and 10 → `1234-567890-1`; blank → None."""
    if not digits:
        return None
    edges = [0, *cuts, len(digits)]
    return "-".join(digits[start:end] for start, end in pairwise(edges))

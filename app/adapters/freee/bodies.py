"""The objects that Awase writes to freee: always complete, made of what it has read plus the changes.

freee says for two fields only whether a field that is left out keeps or loses its value, so
every PUT carries the whole object of the same month. What is blank is left out: a field that is null or "" has nothing
to lose, most fields refuse null, and numbers and choices refuse "". What somebody fills in between our
reading and this request stays where freee keeps what is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.domain.employee import Record
from app.domain.enums import Step
from app.domain.errors import ItemError
from app.domain.mapping import BY_KEY
from app.domain.settings.connection_settings import ExportSettings

Parts = Mapping[Step, Mapping[str, Any]]
"""The result of `writing.encode`: per step, the dotted vendor paths to set."""

RULES = {
    Step.PROFILE: "profile_rule",
    Step.HEALTH_INSURANCE: "health_insurance_rule",
    Step.PENSION_INSURANCE: "welfare_pension_insurance_rule",
    Step.BANK_ACCOUNT: "bank_account_rule",
}
"""The rule object each step writes."""

TOP_LEVEL = (
    "birth_date",
    "entry_date",
    "num",
    "display_name",
    "base_pension_num",
    "employment_insurance_reference_number",
    "retire_date",
)
"""The fields that `PUT /employees/{id}` carries. `company_reference_date_rule_name` is not among them: freee documents
that it stays when it is left out, and refuses it, when it is sent, once payslips are fixed."""

EMPLOYMENT_INSURANCE = "employment_insurance_reference_number"
EMPLOYMENT_INSURANCE_KEY = "employment_insurance_number"
"""The key in FIELDS of the field EMPLOYMENT_INSURANCE, which freee refuses outside payroll."""

_READ_ONLY = frozenset({"id", "company_id", "employee_id"})
_MEANT_AS_TEXT = frozenset({"employment_type"})
"""Closed lists in which "" is a word of its own (その他)."""

_CREATE_NAMES = ("num", "birth_date", "entry_date")
_CREATE_PROFILE = ("last_name", "first_name", "last_name_kana", "first_name_kana", "gender", "married")


def employee_object(record: Record, changed: Mapping[str, Any], *, in_payroll: bool) -> dict[str, Any]:
    """The `employee` of `PUT /employees/{id}`. A retire_date of None among the changes clears it."""
    held = {name: record.get(name) for name in TOP_LEVEL}
    merged = _merged(held, changed, nullable=frozenset({"retire_date"}))
    if not in_payroll:
        merged.pop(EMPLOYMENT_INSURANCE, None)
    return merged


def rule_object(record: Record, step: Step, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The rule of this step's PUT. Raises ItemError("standard_income_missing"): freee wants that amount in each PUT."""
    merged = _merged(record.get(RULES[step]) or {}, _local(changed, RULES[step]), nullable=frozenset())
    if merged.get("householder") == "myself":
        merged.pop("householder_name", None)  # freee fills in the employee's own name and refuses one that is sent
    if step in (Step.HEALTH_INSURANCE, Step.PENSION_INSURANCE) and not merged.get("standard_monthly_remuneration"):
        raise ItemError("standard_income_missing")
    return merged


def create_object(parts: Parts, settings: ExportSettings) -> dict[str, Any]:
    """The `employee` of `POST /employees`: the items which that call takes, and the four export settings."""
    top = parts.get(Step.EMPLOYEE, {})
    profile = _local(parts.get(Step.PROFILE, {}), RULES[Step.PROFILE])
    items = {name: top.get(name) for name in _CREATE_NAMES} | {name: profile.get(name) for name in _CREATE_PROFILE}
    return {name: value for name, value in items.items() if value is not None} | {
        "working_hours_system_name": settings.working_hours_system_name,
        "company_reference_date_rule_name": settings.pay_schedule_name,
        "pay_calc_type": settings.pay_type.value,
        "pay_amount": settings.base_pay,
    }


def created_at_once(key: str) -> bool:
    """Whether the create call takes this item of FIELDS."""
    return all(
        name in (_CREATE_PROFILE if rule == RULES[Step.PROFILE] else () if rule else _CREATE_NAMES)
        for rule, _, name in (path.rpartition(".") for path in BY_KEY[key].freee.paths)
    )


def _merged(held: Mapping[str, Any], changed: Mapping[str, Any], *, nullable: frozenset[str]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in held.items()
        if name not in _READ_ONLY and value is not None and (value != "" or name in _MEANT_AS_TEXT)
    }
    return kept | {name: value for name, value in changed.items() if value is not None or name in nullable}


def _local(changed: Mapping[str, Any], rule: str) -> dict[str, Any]:
    """`{"profile_rule.title": …}` → `{"title": …}`."""
    return {path.removeprefix(f"{rule}."): value for path, value in changed.items()}

"""What freee refuses beyond single fields, and what becomes of the fields that a PUT leaves out.

The rules are those that freee's API documents; the wording of E1, E4, E5, E6, E13 and E14 is the one people know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.practice.freee import fields as fields
from app.practice.freee.checks import MALFORMED, Field, Strictness, check_body
from app.practice.freee.months import Employee, PayGroup

UNKNOWN_GROUP = "締め日支払い日を選択してください。"  # the one published example of a 400 here
UNKNOWN_HOURS = "勤務・賃金設定を選択してください。"
FLEX_WANTS_MONTHLY = "フレックスタイム制の場合、給与方式は月給のみ指定できます。"
RETIRED_TOO_EARLY = "退職日は入社日以降の日付を入力してください"
OUTSIDE_PAYROLL = "給与計算対象外の従業員は利用できません"
NUM_TAKEN = "従業員番号はすでに使用されています"
PAYSLIP_FIXED = "給与明細が確定されているため、締め日支払い日は変更できません"
HOUSEHOLDER_NAME = "世帯主が本人の場合、世帯主の氏名は指定できません"
RECEIVES_FROM = "雇用保険を受給しない場合、雇用保険受給開始年月日は指定できません"

Switches = Callable[[str], Any]


class Refusal(Exception):
    """An answer of body A: status and messages for people."""

    def __init__(self, status: int, *messages: str) -> None:
        super().__init__(status, *messages)
        self.status = status
        self.messages = messages


@dataclass(frozen=True)
class RuleKind:
    """One monthly object: its name in the employee, its wrapper in its own endpoint, its fields."""

    name: str
    wrapper: str
    fields: tuple[Field, ...]


PROFILE = RuleKind("profile_rule", "employee_profile_rule", fields.PROFILE)
HEALTH = RuleKind("health_insurance_rule", "employee_health_insurance_rule", fields.HEALTH)
PENSION = RuleKind("welfare_pension_insurance_rule", "employee_welfare_pension_insurance_rule", fields.PENSION)
BANK = RuleKind("bank_account_rule", "employee_bank_account_rule", fields.BANK)
BASIC_PAY = RuleKind("basic_pay_rule", "employee_basic_pay_rule", fields.BASIC_PAY)
RULES = {kind.name: kind for kind in (PROFILE, HEALTH, PENSION, BANK, BASIC_PAY)}
DEPENDENTS = "dependent_rules"


@dataclass(frozen=True)
class House:
    """What the company has set up. `flextime` names the working hours systems that are フレックスタイム制."""

    groups: Mapping[str, PayGroup]
    working_hours: tuple[str, ...]
    flextime: frozenset[str]

    @property
    def first_group(self) -> PayGroup:
        """The group that freee takes silently when a create names none."""
        return next(iter(self.groups.values()))


class Rules:
    """The checks of every body. Each returns the checked fields or raises Refusal(400) with all messages."""

    def __init__(self, house: House, switches: Switches) -> None:
        self.house = house
        self._switch = switches

    @property
    def _strictness(self) -> Strictness:
        return Strictness(
            null_clears=self._switch("null_on_non_nullable") == "clear",
            strict_kana=self._switch("kana") == "strict_fullwidth",
        )

    def body(self, sent: Any, wanted: Sequence[Field], *, messages: list[str] | None = None) -> dict[str, Any]:
        """The checked fields of any body."""
        found = [] if messages is None else messages
        taken = check_body(sent, wanted, strictness=self._strictness, messages=found)
        if found and messages is None:
            raise Refusal(400, *found)
        return taken

    def create(self, sent: Any) -> dict[str, Any]:
        messages: list[str] = []
        taken = self.body(sent, fields.CREATE, messages=messages)
        if taken.get("no_payroll_calculation"):
            messages += [
                f"給与計算対象外の従業員に{each.label}は指定できません"
                for each in (fields.PAY_TYPE, fields.PAY_AMOUNT, fields.WORKING_HOURS, fields.GROUP)
                if each.name in sent
            ]
        elif isinstance(sent, Mapping):
            messages += [
                f"{each.label}を入力してください"
                for each in (fields.PAY_TYPE, fields.PAY_AMOUNT)
                if each.name not in sent
            ]
            messages += self._unknown_names(taken)
            messages += self._flextime(taken.get(fields.WORKING_HOURS.name), taken.get("pay_calc_type"))
        _raise(messages)
        return taken

    def update(self, sent: Any, employee: Employee) -> dict[str, Any]:
        messages: list[str] = []
        taken = self.body(sent, fields.UPDATE, messages=messages)
        if employee.in_payroll:
            messages += self._unknown_names(taken)
            regrouped = taken.get(fields.GROUP.name, employee.group.name) != employee.group.name
            if regrouped and self._switch("payslip_fixed"):
                messages.append(PAYSLIP_FIXED)
        elif isinstance(sent, Mapping):
            if not sent.get("display_name"):
                messages.append("従業員名を入力してください")
            for name, label in (
                ("employment_insurance_reference_number", "雇用保険の被保険者番号"),
                (fields.GROUP.name, fields.GROUP.label),
            ):
                if name in sent:
                    messages.append(f"給与計算対象外の従業員に{label}は指定できません")
        retire, entry = taken.get("retire_date"), taken.get("entry_date")
        if retire and entry and retire < entry:
            messages.append(RETIRED_TOO_EARLY)
        _raise(messages)
        return taken

    def rule(self, kind: RuleKind, sent: Any, *, employee: Employee) -> dict[str, Any]:
        messages: list[str] = []
        taken = self.body(sent, kind.fields, messages=messages)
        if kind is PROFILE and taken.get("householder") == "myself" and "householder_name" in taken:
            messages.append(HOUSEHOLDER_NAME)
        if kind is BASIC_PAY:
            messages += self._flextime(employee.working_hours, taken.get("pay_calc_type"))
        _raise(messages)
        return taken

    def dependent(self, sent: Any) -> dict[str, Any]:
        """One entry of bulk_update, `id` and `destroy` included, without the fields that the product ignores."""
        messages: list[str] = []
        taken = self.body(sent, (fields.DEPENDENT_ID, fields.DESTROY, *fields.DEPENDENT), messages=messages)
        receiving = taken.get("employment_insurance_receive_status") in (fields.RECEIVING, fields.PENDING)
        if taken.get("employment_insurance_receives_from") and not receiving:
            messages.append(RECEIVES_FROM)
        _raise(messages)
        ignored = _IGNORED.get(taken["residence_type"], ())
        return {name: value for name, value in taken.items() if name not in ignored}

    def _unknown_names(self, taken: Mapping[str, Any]) -> list[str]:
        messages = []
        if fields.GROUP.name in taken and taken[fields.GROUP.name] not in self.house.groups:
            messages.append(UNKNOWN_GROUP)
        hours = fields.WORKING_HOURS.name
        if hours in taken and taken[hours] not in self.house.working_hours:
            messages.append(UNKNOWN_HOURS)
        return messages

    def _flextime(self, working_hours: str | None, pay_type: str | None) -> list[str]:
        system = working_hours or self.house.working_hours[0]
        wrong = system in self.house.flextime and pay_type in ("daily", "hourly")
        return [FLEX_WANTS_MONTHLY] if wrong else []


_PLACE = ("zipcode1", "zipcode2", "prefecture_code", "address", "address_kana", "annual_remittance_amount")
_IGNORED = {"live_in": _PLACE, "non_resident": ("prefecture_code",)}


def _raise(messages: list[str]) -> None:
    if messages:
        shown = [MALFORMED] if MALFORMED in messages else dict.fromkeys(messages)
        raise Refusal(400, *shown)


def blanks(wanted: Sequence[Field]) -> dict[str, Any]:
    """What an object shows while no field of it was ever set."""
    return {each.name: each.blank for each in wanted}


def merge(
    wanted: Sequence[Field], old: Mapping[str, Any] | None, sent: Mapping[str, Any], *, keep: bool
) -> dict[str, Any]:
    """The object after a PUT; a field that the PUT left out stays (`keep`) or goes blank (switch omitted_field)."""
    return {**blanks(wanted), **(old or {} if keep else {}), **sent}


def shown(kind: RuleKind, value: Mapping[str, Any]) -> dict[str, Any]:
    """The object as GET shows it."""
    seen = merge(kind.fields, value, {}, keep=True)
    if kind is PROFILE and seen["householder"] == "myself":
        seen["householder_name"] = ""
    for name in seen:
        manual = _MANUAL.fullmatch(name)
        # a manual amount is not shown while freee calculates
        if manual and seen[f"{manual[1]}_{manual[2]}_calc_type"] == "auto":
            seen[name] = None
    return seen


_MANUAL = re.compile(r"manual_(.+)_amount(?:_of_(?:employee|company))?_(salary|bonus)")

"""The state of the practice company in freee: people, their months, masters; read, written and edited on the screen.

The caller holds the lock. Refusals are `rules.Refusal`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from app.practice.freee import fields as fields
from app.practice.freee.months import OUTSIDE_PAYROLL, Employee, Month
from app.practice.freee.rules import (
    BANK,
    BASIC_PAY,
    DEPENDENTS,
    HEALTH,
    NUM_TAKEN,
    PENSION,
    PROFILE,
    RULES,
    House,
    Refusal,
    RuleKind,
    Switches,
    blanks,
    merge,
    shown,
)
from app.practice.vendor_kit.kept_lists import KeptLists

TOP = (
    "num", "display_name", "base_pension_num", "employment_insurance_reference_number", "birth_date", "entry_date",
    "retire_date", "user_id", "email", "payroll_calculation",
)  # fmt: skip
Record = dict[str, Any]


class FreeeCompany:
    """All people of the company. Months given are closing months unless the name says pay month."""

    def __init__(self, company_id: int, house: House, switches: Switches) -> None:
        self.id = company_id
        self.house = house
        self.people: KeptLists[int, Employee] = KeptLists()
        self.masters: dict[str, list[Record]] = {"group": [], "position": []}
        self._switch = switches
        self._rule_ids: dict[tuple[int, str, Month], int] = {}
        self._last_id = 0
        self._highest = 0

    # ── filling ───────────────────────────────────────────────────────────────────────────────────────────────────

    def seed(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take over full employee objects; their rules hold from the month of entry on."""
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any]) -> Employee:
        """Add one person from a full or partial employee object, which may hold `working_hours_system_name` as well."""
        payroll = record.get("payroll_calculation", True)
        name = record.get("company_reference_date_rule_name") or self.house.first_group.name
        employee = Employee(
            id=record.get("id") or self._next_employee_id(),
            group=self.house.groups[name] if payroll else OUTSIDE_PAYROLL,
            top={
                **_EMPTY_TOP,
                **_only(TOP, record),
                "payroll_calculation": payroll,
            },
            working_hours=record.get("working_hours_system_name"),
        )
        self.people[employee.id] = employee
        self._highest = max(self._highest, employee.id)
        first = employee.first_pay_month
        for kind in RULES.values():
            value = record.get(kind.name)
            if value is not None:
                self._store(employee, kind, first, value=merge(kind.fields, None, _known(kind, value), keep=True))
        employee.put_rule(DEPENDENTS, first, value=list(record.get(DEPENDENTS) or []))
        return employee

    def create(self, taken: Mapping[str, Any]) -> Employee:
        """POST /employees: defaults filled in, the rules from the month of entry on."""
        self.refuse_taken_num(taken.get("num"), but=None)
        payroll = not taken.get("no_payroll_calculation", False)
        profile = _only([each.name for each in (*fields.NAMES, fields.GENDER, fields.MARRIED)], taken)
        record: Record = {
            "num": taken.get("num", ""),
            "display_name": f"{taken['last_name']} {taken['first_name']}",
            "birth_date": taken["birth_date"],
            "entry_date": taken["entry_date"],
            "payroll_calculation": payroll,
            PROFILE.name: profile,
        }
        if payroll:
            record["company_reference_date_rule_name"] = taken.get("company_reference_date_rule_name")
            record["working_hours_system_name"] = taken.get("working_hours_system_name", self.house.working_hours[0])
            record[BASIC_PAY.name] = {each.name: taken[each.name] for each in fields.BASIC_PAY}
            if self._switch("rules_of_new_employee") == "empty":
                record |= {kind.name: blanks(kind.fields) for kind in (HEALTH, PENSION, BANK)}
        return self.add(record)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def everybody(self, *, outside_payroll: bool) -> list[Employee]:
        """All people, ordered by id; the switch list_order turns the list round, because freee documents no order."""
        is_reverse = self._switch("list_order") == "reverse"

        def made() -> list[Employee]:
            chosen = [each for _, each in sorted(self.people.items()) if each.in_payroll or outside_payroll]
            return chosen[::-1] if is_reverse else chosen

        return self.people.listed((outside_payroll, is_reverse), made)

    def everybody_in(self, month: Month, *, outside_payroll: bool) -> list[Employee]:
        """Those of them who show in that month."""
        known = self.everybody(outside_payroll=outside_payroll)
        asked = (month, outside_payroll, self._switch("employment_month"), self._switch("list_order"))
        return self.people.listed(asked, lambda: self.employed(known, month))

    def employed(self, people: Iterable[Employee], month: Month) -> list[Employee]:
        """Those of these people who show in that month."""
        by_period = self._switch("employment_month") == "period"
        return [each for each in people if each.employed_in(month, by_period=by_period)]

    def listing(self, employee: Employee) -> Record:
        """A line of GET /companies/{id}/employees."""
        top, group = employee.top, employee.group
        paid = employee.in_payroll
        return {
            "id": employee.id,
            **{name: top[name] for name in ("num", "display_name", "entry_date", "retire_date", "user_id", "email")},
            "payroll_calculation": paid,
            "closing_day": group.closing_day if paid else None,
            "pay_day": group.pay_day if paid else None,
            "month_of_pay_day": group.month_of_pay_day if paid else None,
        }

    def record(self, employee: Employee, month: Month) -> Record:
        """The full employee object as of a closing month."""
        top = {name: value for name, value in employee.top.items() if name != "email"}
        return {
            "id": employee.id,
            "company_id": self.id,
            **top,
            **{name: self.rule(employee, kind, month) for name, kind in RULES.items()},
            DEPENDENTS: self.dependents(employee, month),
            "company_reference_date_rule_name": employee.group.name or None,
        }

    def rule(self, employee: Employee, kind: RuleKind, month: Month) -> Record | None:
        """One monthly object with the id it has in that month; None when never set."""
        value = employee.rule(kind.name, month)
        hidden = not employee.in_payroll and self._switch("outside_payroll_profile") == "null"
        if value is None or hidden:
            return None
        value = self._with_gender(employee, kind, value)
        return {
            "id": self._rule_id(employee, kind.name, employee.pay_month(month)),
            "company_id": self.id,
            "employee_id": employee.id,
            **shown(kind, value or {}),
        }

    def dependents(self, employee: Employee, month: Month) -> list[Record]:
        owner = {"company_id": self.id, "employee_id": employee.id}
        return [{**each, **owner} for each in employee.rule(DEPENDENTS, month) or []] if employee.in_payroll else []

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def update(self, employee: Employee, taken: Mapping[str, Any]) -> None:
        """PUT /employees/{id}: change the attributes that exist only once and not per month."""
        self.refuse_taken_num(taken.get("num"), but=employee)
        self.people.changed()
        wanted = dict(taken)
        group = wanted.pop(fields.GROUP.name, None)
        if group is not None:
            employee.group = self.house.groups[group]
        clearable = [each for each in fields.UPDATE if each.name not in ("display_name", fields.GROUP.name)]
        keep = self._switch("omitted_field") == "keep"
        old = {each.name: employee.top[each.name] for each in clearable}
        employee.top |= merge(clearable, old, wanted, keep=keep)

    def put_rule(self, employee: Employee, kind: RuleKind, month: Month, *, taken: Mapping[str, Any]) -> None:
        keep = self._switch("omitted_field") == "keep"
        old = self._with_gender(employee, kind, employee.rule(kind.name, month))
        value = merge(kind.fields, old, taken, keep=keep)
        self._store(employee, kind, employee.pay_month(month), value=value)

    def put_dependents(self, employee: Employee, month: Month, *, entries: Sequence[Mapping[str, Any]]) -> None:
        """bulk_update: no id = new, destroy = removed; dependents not named stay, or go (switch omitted_dependents)."""
        present = {each["id"]: each for each in employee.rule(DEPENDENTS, month) or []}
        if any("id" in each and each["id"] not in present for each in entries):
            raise Refusal(400, "指定された家族情報が存在しません")
        keep = self._switch("omitted_field") == "keep"
        result: dict[int, Record] = dict(present) if self._switch("omitted_dependents") == "keep" else {}
        for entry in entries:
            number = entry.get("id") or self._next_id()
            if entry.get("destroy"):
                result.pop(number, None)
                continue
            values = {name: value for name, value in entry.items() if name not in ("id", "destroy")}
            result[number] = {"id": number, **merge(fields.DEPENDENT, _named(present.get(number)), values, keep=keep)}
        employee.put_rule(DEPENDENTS, employee.pay_month(month), value=list(result.values()))

    def edit(self, employee_id: int, changes: Mapping[str, Any], *, pay_month: Month | None = None) -> None:
        """Edit as a person on the screen does: top-level names and (partial) rule objects, no checks, no API limits.

        The screen's month is the pay month; None edits from the first month on. Raises KeyError, ValueError.
        """
        employee = self.people[employee_id]
        month = pay_month or employee.first_pay_month
        unknown = set(changes) - {*TOP, *RULES, DEPENDENTS, fields.GROUP.name, fields.WORKING_HOURS.name}
        if unknown:
            raise ValueError(f"unknown names: {', '.join(sorted(unknown))}")
        self.people.changed()
        employee.top |= _only(TOP, changes)
        if fields.GROUP.name in changes:
            employee.group = self.house.groups[changes[fields.GROUP.name]]
        employee.working_hours = changes.get(fields.WORKING_HOURS.name, employee.working_hours)
        for kind in RULES.values():
            if kind.name in changes:
                carried = employee.rules.get(kind.name)
                old = self._with_gender(employee, kind, carried.at(month) if carried else None)
                value = merge(kind.fields, old, _known(kind, changes[kind.name]), keep=True)
                self._store(employee, kind, month, value=value)
        if DEPENDENTS in changes:
            listed = [
                {"id": each.get("id") or self._next_id(), **_blank_dependent(each)} for each in changes[DEPENDENTS]
            ]
            employee.put_rule(DEPENDENTS, month, value=listed)

    # ── masters ───────────────────────────────────────────────────────────────────────────────────────────────────

    def add_master(self, kind: str, taken: Mapping[str, Any]) -> Record:
        """A 部門 ("group") or 役職 ("position"); a missing code becomes ""."""
        made: Record = {"id": self._next_id(), "code": taken.get("code") or "", "name": taken["name"]}
        if kind == "group":
            parent = next((each for each in self.masters[kind] if each["id"] == taken.get("parent_group_id")), None)
            if taken.get("parent_group_id") is not None and parent is None:
                raise Refusal(400, "親部門が存在しません")
            made |= {f"parent_group_{name}": parent[name] if parent else None for name in ("id", "code", "name")}
            made["level"] = parent["level"] + 1 if parent else 1
        self.masters[kind].append(made)
        return made

    def dump(self) -> Record:
        return {
            "company_id": self.id,
            "employees": [self.people[each].dump() for each in sorted(self.people)],
            "groups": copy.deepcopy(self.masters["group"]),
            "positions": copy.deepcopy(self.masters["position"]),
        }

    def kept(self) -> Record:
        """Everything, including the numbers given so far: a removed person's id must not come back."""
        return {
            "employees": [each.dump() for each in self.people.values()],
            "masters": self.masters,
            "rule_ids": [[*owner, str(month), number] for (*owner, month), number in self._rule_ids.items()],
            "last_id": self._last_id,
            "highest": self._highest,
        }

    def take(self, kept: Mapping[str, Any]) -> None:
        """Take over everything from `kept`.

        Raises KeyError, ValueError, TypeError, AttributeError; then this company is half done.
        """
        restored = [Employee.restored(each, self.house.groups) for each in kept["employees"]]
        self.people = KeptLists({each.id: each for each in restored})
        self.masters = {kind: list(kept["masters"][kind]) for kind in self.masters}
        self._rule_ids = {(who, kind, Month.parse(month)): number for who, kind, month, number in kept["rule_ids"]}
        self._last_id, self._highest = int(kept["last_id"]), int(kept["highest"])

    # ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _with_gender(self, employee: Employee, kind: RuleKind, value: Record | None) -> Record | None:
        """The value, with the gender of all months in it while the switch gender_month is global."""
        if kind is PROFILE and value is not None and self._switch("gender_month") == "global":
            return {**value, "gender": employee.gender}
        return value

    def _store(self, employee: Employee, kind: RuleKind, pay_month: Month, *, value: Record) -> None:
        employee.put_rule(kind.name, pay_month, value=value)
        if kind is PROFILE:
            employee.gender = value["gender"]

    def refuse_taken_num(self, num: str | None, *, but: Employee | None) -> None:
        """Raises Refusal when somebody else has this number and the switch num_unique forbids that."""
        if not num or not self._switch("num_unique"):
            return
        if any(each.top["num"] == num for each in self.people.values() if each is not but):
            raise Refusal(400, NUM_TAKEN)

    def _rule_id(self, employee: Employee, kind: str, pay_month: Month) -> int:
        """The id of a month's object; each month has its own, as freee does not say that an id outlives its month."""
        return self._rule_ids.setdefault((employee.id, kind, pay_month), 900_000 + len(self._rule_ids))

    def _next_employee_id(self) -> int:
        return self._highest + 1  # a deleted person's id is not given again

    def _next_id(self) -> int:
        self._last_id += 1
        return 500_000 + self._last_id


_EMPTY_TOP: Record = {
    "num": "",
    "display_name": "",
    "base_pension_num": None,
    "employment_insurance_reference_number": "",
    "birth_date": date(1990, 1, 1).isoformat(),
    "entry_date": date(2020, 4, 1).isoformat(),
    "retire_date": None,
    "user_id": None,
    "email": None,
    "payroll_calculation": True,
}


def _only(names: Iterable[str], values: Mapping[str, Any]) -> Record:
    return {name: values[name] for name in names if name in values}


def _known(kind: RuleKind, value: Mapping[str, Any]) -> Record:
    return _only([each.name for each in kind.fields], value)


def _named(dependent: Mapping[str, Any] | None) -> Record | None:
    return None if dependent is None else {name: value for name, value in dependent.items() if name != "id"}


def _blank_dependent(changes: Mapping[str, Any]) -> Record:
    return merge(fields.DEPENDENT, None, _only([each.name for each in fields.DEPENDENT], changes), keep=True)

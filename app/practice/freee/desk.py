"""A person at freee人事労務's screen: one month at a time, with the checks of the API.

As at freee, a change on the screen fires a webhook only for some items (`webhooks`), and a file fires none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from app.practice.freee import fields as fields
from app.practice.freee.company import Record
from app.practice.freee.items import NUM, hiring, sections_of
from app.practice.freee.months import Employee, Month
from app.practice.freee.rules import PROFILE, RULES, Refusal
from app.practice.freee.simulator import PracticeFreee
from app.practice.pages.desk import Brand, Imported, Key, Line, Person, SampleFile
from app.practice.pages.items import Fault, Item, Section, about, different, texts
from app.practice.staff import practice_company

_NULLABLE = frozenset({"retire_date"})
_BACK, _AHEAD = 12, 3
"""So many months before and after the present one can be looked at."""
_PREFECTURES = ("prefecture_code", "residential_prefecture_code")
_PAY = {"pay_calc_type": "monthly", "pay_amount": 0}


class FreeeDesk:
    """`app.practice.pages.desk.Desk` for one company. The screen's month is the month of payment."""

    brand = Brand(
        look="freee",
        product="freee人事労務",
        people="従業員",
        number="従業員番号",
        hire="従業員の追加",
        leave="退職の設定",
        leaving_day="退職日",
        file="CSV の取り込み",
        keys="連携アプリ",
    )

    def __init__(self, freee: PracticeFreee) -> None:
        self._freee = freee
        self.company = str(freee.tenant.company_id)
        self.company_name = freee.tenant.company_name

    def lines(self) -> list[Line]:
        with self._freee.lock:
            lines = [self._line(each) for each in self._freee.company.people.values()]
        return sorted(lines, key=lambda each: (each.number == "", each.number, each.id))

    def person(self, who: str, month: str) -> Person | None:
        with self._freee.lock:
            employee = self._known(who)
            if employee is None:
                return None
            sections = sections_of(self._freee.house, in_payroll=employee.in_payroll)
            if not employee.in_payroll:
                return Person(
                    self._line(employee),
                    sections,
                    texts(employee.top, sections),
                    note="給与計算対象外の従業員です。本人情報、保険、口座はありません。",
                )
            present = self._present(employee)
            months = [present.later(count) for count in range(-_BACK, _AHEAD + 1)]
            shown = self._month(employee, month)
            named = tuple((str(each), _read(each)) for each in months if each >= employee.first_pay_month)
            return Person(
                self._line(employee),
                sections,
                self._texts(employee, shown, sections),
                str(shown),
                named,
                self._note(employee, shown),
            )

    def hiring(self) -> tuple[Section, ...]:
        return hiring(self._freee.house)

    def columns(self) -> tuple[Section, ...]:
        return sections_of(self._freee.house)

    def hire(self, typed: Mapping[str, str]) -> str | list[Fault]:
        items = _items(self.hiring())
        sent = {name: items[name].value(text) for name, text in typed.items()}
        try:
            return str(self._freee.hire(sent))
        except Refusal as refusal:
            return _faults(refusal, items.values())

    def change(self, who: str, typed: Mapping[str, str], month: str) -> list[Fault]:
        with self._freee.lock:
            employee = self._freee.company.people[int(who)]
            pay_month = self._month(employee, month)
            changes, faults = self._checked(employee, typed, pay_month)
            if faults:
                return faults
            try:
                self._freee.save(employee.id, changes, pay_month=pay_month)
            except Refusal as refusal:
                return _faults(refusal, [NUM])
        return []

    def leave(self, who: str, day: str) -> list[Fault]:
        if not day:
            return [Fault("退職日を入力してください")]
        return self.change(who, {"retire_date": day}, "")

    def remove(self, who: str) -> None:
        self._freee.remove(int(who))

    def take_rows(self, rows: Sequence[Mapping[str, str]]) -> Imported:
        with self._freee.lock:
            todo: list[Callable[[], int | None]] = []
            faults: list[Fault] = []
            for place, row in enumerate(rows, start=1):
                done, wrong = self._row(row)
                todo.append(done)
                faults += [Fault(f"{place}人目: {each.message}", each.item) for each in wrong]
            if faults:
                return Imported(faults=tuple(faults))
            made = [do() for do in todo]
        added = tuple(str(each) for each in made if each is not None)
        return Imported(added, len(rows) - len(added))

    def samples(self) -> list[SampleFile]:
        return []

    def keys(self) -> list[Key]:
        tenant, address = self._freee.tenant, self._freee.registration.address
        return [
            Key("事業所名", tenant.company_name, "連携するときに選ぶ事業所です。"),
            Key("事業所番号", tenant.external_cid),
            Key("事業所ID", str(tenant.company_id)),
            Key("アプリの Client ID", practice_company.FREEE_CLIENT_ID, "make run が Awase に設定しています。"),
            Key("Webhook の通知先", address.url, "make run が設定しています。"),
            Key("Webhook の検証用トークン", address.token, "make run が Awase に設定しています。"),
        ]

    # ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _known(self, who: str) -> Employee | None:
        is_id = who.isascii() and who.isdigit() and len(who) < 12
        return self._freee.company.people.get(int(who)) if is_id else None

    def _present(self, employee: Employee) -> Month:
        """The month in which the present pay period is paid, or the first one of somebody who is still to come."""
        now = employee.pay_month(employee.group.closing_month(self._freee.today))
        return max(now, employee.first_pay_month)

    def _month(self, employee: Employee, asked: str) -> Month:
        try:
            return max(Month.parse(asked), employee.first_pay_month) if asked else self._present(employee)
        except ValueError:
            return self._present(employee)

    def _texts(self, employee: Employee, month: Month, sections: Iterable[Section]) -> dict[str, str]:
        return texts(self._freee.company.record(employee, employee.group.closing_of(month)), sections)

    def _note(self, employee: Employee, month: Month) -> str:
        if self._freee.company.employed([employee], employee.group.closing_of(month)):
            return ""
        return f"{_read(month)}には在籍していません。API からは、この月のこの人は見えません。"

    def _line(self, employee: Employee) -> Line:
        profile = employee.rules.get(PROFILE.name)
        names = profile.at(self._present(employee)) if profile else {}
        top, today = employee.top, self._freee.today.isoformat()
        full = f"{names.get('last_name') or ''} {names.get('first_name') or ''}".strip()
        gone = bool(top["retire_date"]) and top["retire_date"] < today
        return Line(
            id=str(employee.id),
            number=top["num"] or "",
            name=full or top["display_name"],
            kana=f"{names.get('last_name_kana') or ''} {names.get('first_name_kana') or ''}".strip(),
            state="退職" if gone else "入社前" if top["entry_date"] > today else "在籍",
            is_gone=gone,
            entered=top["entry_date"],
            left=top["retire_date"] or "",
        )

    def _checked(self, employee: Employee, typed: Mapping[str, str], month: Month) -> tuple[Record, list[Fault]]:
        """The change in the form of `simulator.edit`, and what the API would say against it."""
        items = _items(sections_of(self._freee.house, in_payroll=employee.in_payroll))
        changes: Record = {}
        faults: list[Fault] = []
        for kind, sent in _by_object(items, typed).items():
            of_kind = [each for name, each in items.items() if name.rpartition(".")[0] == kind]
            try:
                taken = self._judged(employee, kind, sent, month)
            except Refusal as refusal:
                faults += _faults(refusal, of_kind)
                continue
            mine = {name: value for name, value in taken.items() if name in sent}
            changes |= {kind: mine} if kind else mine
        return changes, faults

    def _judged(self, employee: Employee, kind: str, sent: Record, month: Month) -> Record:
        """The checked fields of one call, with those that the API wants each time. Raises Refusal."""
        if not kind:
            wanted = ("birth_date", "entry_date", "retire_date", *(() if employee.in_payroll else ("display_name",)))
            return self._freee.rules.update({**{name: employee.top[name] for name in wanted}, **sent}, employee)
        rule = RULES[kind]
        present = self._freee.company.rule(employee, rule, employee.group.closing_of(month)) or {}
        needed = {each.name: present.get(each.name) for each in rule.fields if each.required}
        return self._freee.rules.rule(rule, {**needed, **sent}, employee=employee)

    def _row(self, row: Mapping[str, str]) -> tuple[Callable[[], int | None], list[Fault]]:
        """What is to be done for one row of a file (the id of a new person comes back), and what is against it."""
        found = self._freee.ids_by_num(row[NUM.name]) if row.get(NUM.name) else []
        if not row.get(NUM.name):
            return lambda: None, [Fault(f"{NUM.label}を入力してください")]
        if len(found) > 1:
            return lambda: None, [Fault(f"{NUM.label}「{row[NUM.name]}」の人が{len(found)}人います", NUM.name)]
        if not found:
            return self._new_row(row)
        employee = self._freee.company.people[found[0]]
        month = self._present(employee)
        sections = sections_of(self._freee.house, in_payroll=employee.in_payroll)
        known = {item.name for section in sections for item in section.items}
        present = self._texts(employee, month, sections) if employee.in_payroll else texts(employee.top, sections)
        typed = different({name: text for name, text in row.items() if name in known}, present)
        changes, faults = self._checked(employee, typed, month)

        def edit() -> None:
            self._freee.company.edit(employee.id, changes, pay_month=month)

        return edit, faults

    def _new_row(self, row: Mapping[str, str]) -> tuple[Callable[[], int | None], list[Fault]]:
        """A new person: a create with what a create takes, then everything as an edit of the first month."""
        items = _items(self.columns())
        flat = {items[name].field: items[name].value(text) for name, text in row.items()}
        sent: Record = _PAY | {each.name: flat[each.name] for each in fields.CREATE if each.name in flat}
        try:
            taken = self._freee.rules.create(sent)
        except Refusal as refusal:
            return lambda: None, _faults(refusal, items.values())
        group = self._freee.house.groups.get(sent.get(fields.GROUP.name, ""), self._freee.house.first_group)
        draft = Employee(0, group, {"payroll_calculation": True, "retire_date": None, **_dates(taken)})
        changes, faults = self._checked(draft, row, draft.first_pay_month)

        def add() -> int:
            made = self._freee.company.create(taken)
            self._freee.company.edit(made.id, changes)
            return made.id

        return add, faults


def _dates(taken: Mapping[str, Any]) -> Record:
    return {name: taken[name] for name in ("birth_date", "entry_date")}


def _items(sections: Iterable[Section]) -> dict[str, Item]:
    return {item.name: item for section in sections for item in section.items}


def _by_object(items: Mapping[str, Item], typed: Mapping[str, str]) -> dict[str, Record]:
    """Object ("" for the employee itself) → field → value, of what was typed."""
    found: dict[str, Record] = {}
    for name, text in typed.items():
        kind, _, part = name.rpartition(".")
        value = int(text) if part in _PREFECTURES and text else items[name].value(text)
        emptied = "" if value is None and part not in _NULLABLE and items[name].kind == "text" else value
        found.setdefault(kind, {})[part] = emptied
    return found


def _faults(refusal: Refusal, items: Iterable[Item]) -> list[Fault]:
    known = list(items)
    return [Fault(message, about(message, known)) for message in refusal.messages]


def _read(month: Month) -> str:
    return f"{month.year}年{month.number}月支払い分"

"""A person at SmartHR's screen: every change passes the checks of the API and fires the webhooks of the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.practice.pages.desk import Brand, Imported, Key, Line, Person, SampleFile
from app.practice.pages.items import Fault, Item, Section, different, texts
from app.practice.smarthr.crews import check_crew
from app.practice.smarthr.errors import Problem
from app.practice.smarthr.fields import ADDRESS_PARTS, WRITABLE
from app.practice.smarthr.items import HIRING, NUMBER_ITEM, SECTIONS, STATES
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.smarthr.state import Record
from app.practice.staff.tenants import Tenant

_ITEMS: dict[str, Item] = {item.name: item for section in SECTIONS for item in section.items}
_ACCOUNT = "bank_accounts"
_NEW_ACCOUNT = {"transfer_type": "full", "transfer_category": "salary_and_bonus"}
_ACCOUNT_PARTS = tuple(item.field for name, item in _ITEMS.items() if name.startswith(_ACCOUNT))
_MIXED_UP = 12
"""So many people are in the file with mixed-up accounts: enough that Awase stops to ask."""


class SmartHRDesk:
    """`app.practice.pages.desk.Desk` for one tenant. SmartHR keeps no months on these screens."""

    brand = Brand(
        look="smarthr",
        product="SmartHR",
        people="従業員リスト",
        number="社員番号",
        hire="従業員を追加",
        leave="退職手続き",
        leaving_day="退職年月日",
        file="CSV の取り込み",
        keys="アクセストークン",
    )

    def __init__(self, smarthr: PracticeSmartHR, tenant: Tenant) -> None:
        self._smarthr = smarthr
        self._state = smarthr.state
        self._tenant = tenant
        self.company = tenant.subdomain
        self.company_name = tenant.company_name

    def lines(self) -> list[Line]:
        self._smarthr.new_day()
        with self._state.lock:
            lines = [_line(each) for each in self._state.crews.values()]
        return sorted(lines, key=lambda each: (each.number == "", each.number, each.id))

    def person(self, who: str, month: str) -> Person | None:
        self._smarthr.new_day()
        with self._state.lock:
            crew = self._state.crews.get(who)
            if crew is None:
                return None
            return Person(_line(crew), SECTIONS, texts(self._state.shown(crew), SECTIONS))

    def hiring(self) -> tuple[Section, ...]:
        return HIRING

    def columns(self) -> tuple[Section, ...]:
        return SECTIONS

    def hire(self, typed: Mapping[str, str]) -> str | list[Fault]:
        with self._state.lock:
            sent = _body(typed, {})
            faults = self._faults_of_new(sent)
            return faults or self._smarthr.add(sent)

    def change(self, who: str, typed: Mapping[str, str], month: str) -> list[Fault]:
        with self._state.lock:
            crew = self._state.crews[who]
            sent = _body(typed, self._state.shown(crew))
            faults = self._faults(sent, crew)
            if not faults:
                self._smarthr.edit(who, sent)
            return faults

    def leave(self, who: str, day: str) -> list[Fault]:
        """Record the 退職年月日; 在籍状況 becomes 退職済 at once for a day that is over, else in the night after it."""
        if not day:
            return [Fault("退職年月日を入力してください。")]
        gone = {"emp_status": "retired"} if day < self._state.today else {}
        return self.change(who, {"resigned_at": day, **gone}, "")

    def remove(self, who: str) -> None:
        self._smarthr.remove(who)

    def take_rows(self, rows: Sequence[Mapping[str, str]]) -> Imported:
        created: list[Record] = []
        updated: dict[str, Record] = {}
        faults: list[Fault] = []
        with self._state.lock:
            for place, row in enumerate(rows, start=1):
                number = row.get(NUMBER_ITEM.name, "")
                found = self._smarthr.ids_by_number(number) if number else []
                crew = self._state.crews[found[0]] if found else {}
                present = self._state.shown(crew) if crew else {}
                sent = _body(different(row, texts(present, SECTIONS)), present)
                wrong = self._faults(sent, crew) if crew else self._faults_of_new(sent)
                faults += [Fault(f"{place}人目: {each.message}", each.item) for each in wrong]
                if not number:
                    faults.append(Fault(f"{place}人目: {NUMBER_ITEM.label}を入力してください。"))
                elif len(found) > 1:
                    told = f"{place}人目: {NUMBER_ITEM.label}「{number}」の人が{len(found)}人います。"
                    faults.append(Fault(told, NUMBER_ITEM.name))
                elif crew:
                    updated[crew["id"]] = sent
                else:
                    created.append(sent)
            if faults:
                return Imported(faults=tuple(faults))
            return Imported(tuple(self._smarthr.import_crews(created, updated)), len(updated))

    def samples(self) -> list[SampleFile]:
        """The accounts of the first people moved by one row, the slip that everybody fears; and the right ones."""
        right = [_account_row(each) for each in self._state.first_crews() if _is_plain(each)][:_MIXED_UP]
        accounts = [{name: text for name, text in row.items() if name != NUMBER_ITEM.name} for row in right]
        moved = accounts[1:] + accounts[:1]
        mixed = [{NUMBER_ITEM.name: row[NUMBER_ITEM.name], **each} for row, each in zip(right, moved, strict=True)]
        return [
            SampleFile("mixed-up", "口座が1行ずれたファイル", "Excel の並べ替えを誤り、口座が別の人のものです", mixed),
            SampleFile("right", "正しい口座のファイル", "はじめの日の口座に戻します", right),
        ]

    def keys(self) -> list[Key]:
        return [
            Key("サブドメイン", self._tenant.subdomain, "Awase の接続の設定で尋ねられます。"),
            Key("アクセストークン", self._tenant.smarthr_token, "従業員と Webhook の参照と更新が許可されています。"),
        ]

    def _faults_of_new(self, sent: Record) -> list[Fault]:
        """As the API, and the names without which SmartHR's screen adds nobody."""
        missing = [item for item in HIRING[0].items if item.required and not sent.get(item.name)]
        faults = [Fault(f"{item.label}を入力してください。", item.name) for item in missing]
        if self._smarthr.injector.switch("plan_limit"):
            faults.append(Fault(Problem("plan_limit_exceeded").envelope["message"]))
        return faults + self._faults(sent, {})

    def _faults(self, sent: Record, crew: Record) -> list[Fault]:
        try:
            check_crew(sent, crew, self._state, self._smarthr.injector)
        except Problem as problem:
            return [Fault(each["message"], _item_of(each["field"], sent)) for each in problem.envelope["errors"]]
        return []


def _line(crew: Record) -> Line:
    return Line(
        id=crew["id"],
        number=crew.get("emp_code") or "",
        name=f"{crew.get('last_name') or ''} {crew.get('first_name') or ''}".strip(),
        kana=f"{crew.get('last_name_yomi') or ''} {crew.get('first_name_yomi') or ''}".strip(),
        state=dict(STATES).get(crew.get("emp_status") or "", ""),
        is_gone=crew.get("emp_status") == "retired",
        entered=crew.get("entered_at") or "",
        left=crew.get("resigned_at") or "",
    )


def _body(typed: Mapping[str, str], present: Record) -> Record:
    """The write body for what was typed. `present` is the crew as an answer shows it; {} for a new one."""
    sent: Record = {}
    for name, text in typed.items():
        head, _, part = name.partition(".")
        value = _ITEMS[name].value(text)
        if WRITABLE[head] == "address":
            sent.setdefault(head, {each: (present.get(head) or {}).get(each) or "" for each in ADDRESS_PARTS})
            sent[head][part] = value or ""
        elif head == _ACCOUNT:
            sent.setdefault(head, _accounts(present))[0][part.removeprefix("0.")] = value
        else:
            sent[head] = value
    return {head: _settled(head, value) for head, value in sent.items()}


def _accounts(present: Record) -> list[Record]:
    """The accounts in the write form, at least one."""
    kept = [{k: v for k, v in each.items() if k != "bankbook_image"} for each in present.get(_ACCOUNT) or []]
    return kept or [dict(_NEW_ACCOUNT)]


def _settled(head: str, value: Any) -> Any:
    """An address or a first account of which nothing is left goes as a whole; a new address is in Japan."""
    if head == _ACCOUNT:
        return value if any(value[0].get(part) for part in _ACCOUNT_PARTS) else value[1:]
    if WRITABLE[head] == "address":
        filled = any(text for part, text in value.items() if part != "country_number")
        return {**value, "country_number": value["country_number"] or "392"} if filled else None
    return value


def _item_of(field: str, sent: Record) -> str:
    """The name of the item that a fault's `field` means, among those that were sent."""
    wanted = [name for name, item in _ITEMS.items() if item.field == field or name == field]
    return next((name for name in wanted if name.partition(".")[0] in sent), "")


def _is_plain(crew: Record) -> bool:
    return bool(crew.get("emp_code") and crew.get(_ACCOUNT)) and crew.get("emp_status") == "employed"


def _account_row(crew: Record) -> dict[str, str]:
    account = crew[_ACCOUNT][0]
    return {NUMBER_ITEM.name: crew["emp_code"], **{f"{_ACCOUNT}.0.{part}": account[part] for part in _ACCOUNT_PARTS}}

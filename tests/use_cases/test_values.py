"""Promise 5, from outside: no value is shortened, guessed or beautified without a rule that proves it harmless.

Every line of the tables is one linked person whose value is changed at the source. After the run the value stands at
the other vendor as the line says, or stands as before and the item asks (要確認). Values of another JSON type than the
contract's are not here: such an answer stops the run (`test_a_changed_schema_is_unreadable_and_not_guessed`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from app.domain.employee import YearMonth
from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.storage.runs.rows import ItemRow
from tests.house import House

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
ASKS = ItemState.NEEDS_REVIEW
KEPT = ItemState.UNCHANGED  # a blank: there is nothing to ask, and nothing is erased


@dataclass(frozen=True)
class Line:
    """`name` at the source becomes `value`; `there` names the same item at the target. `rule`: a note of the item."""

    name: str
    value: Any
    expected: Any
    rule: str | None = None


def yucho(number: str, *, branch: str = "018", kind: str = "saving") -> dict[str, str]:
    return {"bank_code": "9900", "bank_branch_code": branch, "account_type": kind, "account_number": number}


LEFT = {
    "last_name": "profile_rule.last_name",
    "last_name_yomi": "profile_rule.last_name_kana",
    "emp_code": "num",
    "tel_number": "profile_rule.phone",
    "bank": "bank_account_rule.account_number",
    "bank_code": "bank_account_rule.bank_code",
    "account_holder_name": "bank_account_rule.account_name",
    "basic_pension_number": "base_pension_num",
    "resigned_at": "retire_date",
    "hel_ins_insured_person_number": "health_insurance_rule.reference_num",
    "positions": "profile_rule.title",
}
"""SmartHR's name → freee's path."""

TO_FREEE_LINES = [
    Line("last_name", "新\u200b名\u00ad", "新名", "rule_invisible"),
    Line("last_name", "\u3000新名\u00a0", "新名", "rule_edges"),
    Line("last_name", "新が".replace("が", "か\u3099"), "新が", "rule_composed"),
    Line("last_name", "\ufeff\u2066新名\u2069\r\n", "新名", "rule_invisible"),
    Line("last_name", "葛\U000e0100\u200b", "葛\U000e0100", "rule_invisible"),
    Line("last_name", "\ufa19山", "\ufa19山"),
    Line("last_name", "𠮷田", "𠮷田"),
    Line("last_name", "\u200b\u2060\u3164", KEPT),
    Line("last_name", "新\n名", ASKS),
    Line("last_name", "新\t名", ASKS),
    Line("last_name", "新名\x00", ASKS),
    Line("last_name", "\u202e名新", ASKS),
    Line("last_name", "新名\ue000", ASKS),
    Line("last_name", "新名😀", ASKS),
    Line("last_name", "あ" * 256, ASKS),
    Line("last_name", "𠮷" * 128, ASKS),
    Line("last_name_yomi", "カ゛ルシア", "ガルシア", "rule_marks"),
    Line("last_name_yomi", "か\u3099るしあ", "ガルシア", "rule_katakana"),
    Line("last_name_yomi", "ｶﾞﾙｼｱ", "ガルシア", "rule_width"),
    Line("last_name_yomi", "スミス・ジョーンズ", "スミス・ジョーンズ"),
    Line("last_name_yomi", "スミス-ジョーンズ", ASKS),
    Line("last_name_yomi", "ｽﾐｽ-ｼﾞｮｰﾝｽﾞ", ASKS),
    Line("last_name_yomi", "ア゛", ASKS),
    Line("last_name_yomi", "サトウ2", ASKS),
    Line("emp_code", "９８７６", "9876", "rule_width"),
    Line("emp_code", "００９８７５", "009875", "rule_width"),
    Line("tel_number", "08001234567", ("0800", "123", "4567"), "rule_phone_plan"),
    Line("tel_number", "０３ー１２３４ー５６７９", ("03", "1234", "5679"), "rule_width"),
    Line("tel_number", "+81 (0)3 1234 5670", ("03", "1234", "5670"), "rule_country_code"),
    Line("tel_number", "03-12345-678", ("03", "1234", "5678"), "rule_phone_plan"),
    Line("tel_number", "0120123456", ("0120", "123", "456"), "rule_phone_plan"),
    Line("tel_number", "0570-012-345", ("0570", "012", "345")),
    Line("tel_number", "080-1234-567", ASKS),
    Line("tel_number", "090-1234-56789", ASKS),
    Line("tel_number", "3-1234-5678", ASKS),
    Line("tel_number", "03-1234-5678 内線123", ASKS),
    Line("tel_number", "03-1234-5678 090-1111-2222", ASKS),
    Line("tel_number", "03-1234-567X", ASKS),
    Line("bank", yucho("12345671"), "1234567", "rule_yucho"),
    Line("bank", yucho("7654321"), "7654321"),
    Line("bank", yucho("12345678"), ASKS),
    Line("bank", yucho("123451"), ASKS),
    Line("bank", yucho("12345671", branch="019", kind="checking"), ASKS),
    Line("bank", {"account_number": "12345671", "bank_code": "0001"}, ASKS),
    Line("bank", {"account_number": "12-34567"}, ASKS),
    Line("bank", {"account_number": "①234567"}, ASKS),
    Line("bank_code", "３３", "0033", "rule_zeros"),
    Line("account_holder_name", "やまだ　はなこ", "ヤマダ　ハナコ", "rule_katakana"),
    Line("account_holder_name", "tanaka", "ＴＡＮＡＫＡ", "rule_capitals"),
    Line("account_holder_name", "カ゛ルシア", "ガルシア", "rule_marks"),
    Line("account_holder_name", "ヤマダ\nハナコ", ASKS),
    Line("basic_pension_number", "９８７６ー５４３２１０", "9876543210", "rule_width"),
    Line("basic_pension_number", "98-76543210", ASKS),
    Line("basic_pension_number", "987654321", ASKS),
    Line("resigned_at", "2099-02-30", ASKS),
    Line("resigned_at", "令和80年3月31日", ASKS),
]

TO_SMARTHR_LINES = [
    Line("last_name", "新\u200b名", "新名", "rule_invisible"),
    Line("last_name", "新\n名", ASKS),
    Line("last_name", "新名\ue000", ASKS),
    Line("last_name_yomi", "ｶﾞﾙｼｱ", "ガルシア", "rule_width"),
    Line("last_name_yomi", "スミス-ジョーンズ", ASKS),
    Line("emp_code", "９８７６", "9876", "rule_width"),
    Line("tel_number", ("08001", "234", "567"), "0800-123-4567", "rule_phone_plan"),
    Line("tel_number", ("080", "1234", "567"), ASKS),
    Line("tel_number", ("03", "1234", "56a8"), ASKS),
    Line("bank", "12345678", ASKS),
    Line("account_holder_name", "ﾔﾏﾀﾞ ﾊﾅｺ", "ヤマダ　ハナコ", "rule_width"),
    Line("hel_ins_insured_person_number", "0987", 987),
    Line("hel_ins_insured_person_number", "９８６", 986, "rule_width"),
    Line("hel_ins_insured_person_number", "A-123", ASKS),
    Line("hel_ins_insured_person_number", "12.5", ASKS),
    Line("hel_ins_insured_person_number", "-12", ASKS),
    Line("positions", "新\u200b役職\n", ASKS),  # a position the master does not know is never made
    Line("positions", "課\n長", ASKS),
]


def linked_staff(
    open_practice: Callable[..., House], company: PracticeCompany, lines: Sequence[Line]
) -> tuple[House, list[tuple[str, int]]]:
    """A house with one linked pair of equal records per line."""
    base = build_company(company.today, extra=len(lines) * 2, equal_share=1.0)
    equal = [s for s in base.scenarios[-len(lines) * 2 :] if s.to_freee.startswith("equal")][: len(lines)]
    assert len(equal) == len(lines)
    crews = {scenario.crew_id for scenario in equal}
    employees = {scenario.employee_id for scenario in equal}
    staff = replace(
        base,
        scenarios=equal,
        crews=[crew for crew in base.crews if crew["id"] in crews],
        employees=[employee for employee in base.employees if employee["id"] in employees],
    )
    house = open_practice(staff)
    house.run(TO_FREEE)
    return house, [(str(scenario.crew_id), int(scenario.employee_id or 0)) for scenario in equal]


def change_smarthr(house: House, crew_id: str, line: Line) -> None:
    if line.name in ("bank", "bank_code", "account_holder_name"):
        parts = line.value if isinstance(line.value, dict) else {line.name: line.value}
        accounts = house.smarthr.crew(crew_id)["bank_accounts"]
        house.smarthr.edit(crew_id, {"bank_accounts": [{**accounts[0], **parts}, *accounts[1:]]})
    else:
        house.smarthr.edit(crew_id, {line.name: line.value})


def change_freee(house: House, employee_id: int, line: Line) -> None:
    rule, _, name = LEFT[line.name].rpartition(".")
    values = {name: line.value}
    if name == "phone":
        values = {f"phone{place}": part for place, part in enumerate(line.value, start=1)}
    if line.name == "bank":
        values |= {"bank_code": "9900", "branch_code": "018", "account_type": "ordinary"}
    house.freee.edit(employee_id, {rule: values} if rule else values)


def in_freee(house: House, employee_id: int, name: str) -> Any:
    today = house.today
    record: Any = house.freee.employee(employee_id, month=YearMonth(today.year, today.month).next())
    rule, _, last = LEFT[name].rpartition(".")
    held = record[rule] if rule else record
    return tuple(held[f"phone{place}"] for place in (1, 2, 3)) if last == "phone" else held[last]


def in_smarthr(house: House, crew_id: str, name: str) -> Any:
    crew = house.smarthr.crew(crew_id)
    account = (crew["bank_accounts"] or [{}])[0]
    if name == "bank":
        return account["account_number"]
    return account[name] if name in ("bank_code", "account_holder_name") else crew[name]


def found(line: Line, before: Any, after: Any, item: ItemRow) -> str | None:
    """What is wrong with this line, None when it ended as it says."""
    notes = {note["code"] for note in item.notes}
    if isinstance(line.expected, ItemState):
        return None if after == before and item.state is line.expected else f"{after!r} {item.state}"
    right = after == line.expected and item.state is ItemState.SUCCEEDED and (line.rule is None or line.rule in notes)
    return None if right else f"{after!r} {item.state} {item.error_code} {sorted(notes)}"


@pytest.mark.parametrize(
    ("direction", "lines"), [(TO_FREEE, TO_FREEE_LINES), (TO_SMARTHR, TO_SMARTHR_LINES)], ids=["to_freee", "to_smarthr"]
)
def test_no_value_is_shortened_guessed_or_beautified_without_a_rule(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction, lines: Sequence[Line]
) -> None:
    house, pairs = linked_staff(open_practice, company, lines)
    look = in_freee if direction is TO_FREEE else in_smarthr
    who = [pair[1] if direction is TO_FREEE else pair[0] for pair in pairs]
    before = [look(house, person, line.name) for person, line in zip(who, lines, strict=True)]  # type: ignore[arg-type]
    for (crew_id, employee_id), line in zip(pairs, lines, strict=True):
        if direction is TO_FREEE:
            change_smarthr(house, crew_id, line)
        else:
            change_freee(house, employee_id, line)
    run = house.run(direction)
    items = {item.source_id: item for item in house.items(run)}
    wrong = {}
    for pair, person, line, held in zip(pairs, who, lines, before, strict=True):
        item = items[pair[0] if direction is TO_FREEE else str(pair[1])]
        fault = found(line, held, look(house, person, line.name), item)  # type: ignore[arg-type]
        if fault:
            wrong[f"{line.name} {line.value!a}"] = fault
    assert wrong == {}
    writes = house.writes()
    house.run(direction)
    assert house.writes() == writes  # and nothing is left to do

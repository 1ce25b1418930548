"""Invented people in the vendors' shapes, and short ways to look at them through FIELDS."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

from app.adapters.municipalities import municipalities
from app.domain.codecs.base import CannotEncode
from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import System
from app.domain.mapping import FIELDS, FieldMapping, Place
from app.domain.planning.plan import Change
from app.domain.reading import take_snapshot
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import ABSENT, FieldState, Plain, Snapshot

CREW: dict[str, Any] = {
    "id": "1f0c6c0e-3b0f-4c39-9d7e-0d5a7a5b1c11",
    "emp_code": "00123",
    "emp_status": "employed",
    "last_name": "佐藤",
    "first_name": "花子",
    "last_name_yomi": "サトウ",
    "first_name_yomi": "ハナコ",
    "birth_at": "1990-04-02",
    "gender": "female",
    "tel_number": "090-0000-1234",
    "entered_at": "2024-04-01",
    "resigned_at": None,
    "having_spouse": False,
    "working_student_flag": False,
    "widow_type": "single_parent",
    "handicapped_type": "ordinary_handicapped",
    "address": {
        "country_number": "392",
        "zip_code": "106-0041",
        "pref": "東京都",
        "city": "港区",
        "street": "麻布台1-2-3",
        "building": "麻布ハイツ101",
        "literal_yomi": "トウキョウトミナトクアザブダイ",
    },
    "resident_card_address": {
        "country_number": "",
        "zip_code": "060-0001",
        "pref": "北海道",
        "city": "札幌市中央区",
        "street": "北一条西2丁目",
        "building": None,
        "literal_yomi": "ホッカイドウサッポロシチュウオウク",
    },
    "positions": [{"id": "p1", "name": "課長", "rank": 100, "code": None, "created_at": None}, None, None],
    "position": "課長",
    "bank_accounts": [
        {
            "bank_code": "0001",
            "bank_branch_code": "011",
            "account_type": "saving",
            "account_number": "0012345",
            "account_holder_name": "サトウ ハナコ",
            "transfer_type": "full",
            "specified_transfer_amount": None,
            "transfer_category": "salary_and_bonus",
            "bankbook_image": {"file_name": "book.png", "url": "https://files.invalid/book.png"},
            "bank_account_setting_id": None,
        }
    ],
    "emp_ins_insured_person_number": "1234-567890-1",
    "basic_pension_number": "0123-456789",
    "hel_ins_insured_person_number": 7,
    "soc_ins_insured_person_number": 12,
    "monthly_standard_income_hel": 300000,
    "monthly_standard_income_pns": 300000,
}

EMPLOYEE: dict[str, Any] = {
    "id": 4321,
    "company_id": 1234567,
    "num": "00123",
    "display_name": "佐藤 花子",
    "birth_date": "1990-04-02",
    "entry_date": "2024-04-01",
    "retire_date": None,
    "base_pension_num": "0123456789",
    "employment_insurance_reference_number": "12345678901",
    "payroll_calculation": True,
    "company_reference_date_rule_name": "正社員",
    "profile_rule": {
        "id": 1,
        "last_name": "佐藤",
        "first_name": "花子",
        "last_name_kana": "サトウ",
        "first_name_kana": "ハナコ",
        "zipcode1": "060",
        "zipcode2": "0001",
        "prefecture_code": 0,
        "address": "札幌市中央区北一条西2丁目",
        "address_kana": "サッポロシチュウオウク",
        "phone1": "090",
        "phone2": "0000",
        "phone3": "1234",
        "residential_zipcode1": "106",
        "residential_zipcode2": "0041",
        "residential_prefecture_code": 12,
        "residential_address": "港区麻布台１丁目２番３号　麻布ハイツ１０１",
        "residential_address_kana": "ミナトクアザブダイ",
        "title": "課長",
        "gender": "female",
        "married": False,
        "is_working_student": False,
        "widow_type": "one_parent",
        "disability_type": "general",
    },
    "health_insurance_rule": {"entried": True, "reference_num": "007", "standard_monthly_remuneration": 300000},
    "welfare_pension_insurance_rule": {
        "entried": True,
        "reference_num": "0012",
        "standard_monthly_remuneration": 300000,
    },
    "bank_account_rule": {
        "bank_name": "見本銀行",
        "bank_code": "0001",
        "branch_code": "011",
        "account_type": "ordinary",
        "account_number": "0012345",
        "account_name": "ｻﾄｳ ﾊﾅｺ",
    },
}


def plain_of(row: FieldMapping) -> Plain:
    """An invented value of an item: the first that both codecs take and read back."""
    places = (row.smarthr, row.freee)
    words = [ours for place in places for _, ours in getattr(place.codec, "words", ())]
    for plain in (
        *words,
        "mihon@example.com",
        "ミホン",
        True,
        300_000,
        date(2020, 4, 1),
        *("1" * length for length in range(1, 13)),
    ):
        try:
            seen = [place.codec.decode(_raw(place, plain), MappingOptions()) for place in places]
        except CannotEncode:
            continue
        if seen == [plain, plain]:
            return plain
    raise LookupError(f"{row.key}: give both people of tests/domain/records.py a value of this item")


def _raw(place: Place, plain: Plain) -> tuple[Any, ...]:
    nothing = (None,) * len((*place.paths, *place.beside))
    return (*place.codec.encode(plain, nothing, MappingOptions()), *nothing[len(place.paths) :])


def _fill(record: dict[str, Any], place: Place, row: FieldMapping) -> None:
    """Give somebody a value of an item of which nothing is said above: a new row of FIELDS."""
    for path, value in zip(place.paths, _raw(place, plain_of(row)), strict=True):
        *way, name = path.split(".")
        node = record
        for step in way:
            node = record["bank_accounts"][0] if step == "bank_account" else node.setdefault(step, {})
        node[name] = value


def _says_nothing(record: dict[str, Any], place: Place) -> bool:
    node: Any = record
    for step in place.paths[0].split("."):
        node = record["bank_accounts"][0] if step == "bank_account" else node.get(step, ...)
        if node is ...:
            return True
    return False


for _row in FIELDS:
    for _record, _place in ((CREW, _row.smarthr), (EMPLOYEE, _row.freee)):
        if _says_nothing(_record, _place):
            _fill(_record, _place, _row)

READABLE = frozenset(CREW)
OPTIONS = MappingOptions(readable_attributes=READABLE, municipalities=municipalities())


def crew(**changes: Any) -> dict[str, Any]:
    """A SmartHR crew; a dotted name goes in with `__`: crew(address__street="1-1")."""
    return _changed(CREW, changes)


def employee(**changes: Any) -> dict[str, Any]:
    """A freee employee; employee(profile_rule__title="部長")."""
    return _changed(EMPLOYEE, changes)


def seen_in_smarthr(record: dict[str, Any] | None, options: MappingOptions = OPTIONS) -> Snapshot:
    person = Person(system=System.SMARTHR, id="crew-1", number="00123")
    return take_snapshot(EmployeeRecord(person=person, record=record), options)


def seen_in_freee(
    record: dict[str, Any] | None, options: MappingOptions = OPTIONS, *, in_payroll: bool = True
) -> Snapshot:
    person = Person(system=System.FREEE, id="4321", number="00123", in_payroll=in_payroll)
    return take_snapshot(EmployeeRecord(person=person, record=record), options)


def change(key: str, after: FieldState, before: FieldState = ABSENT) -> Change:
    return Change(key=key, before=before, after=after)


def _changed(record: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    copy = deepcopy(record)
    for name, value in changes.items():
        *way, last = name.split("__")
        node = copy
        for step in way:
            node = node[step]
        node[last] = value
    return copy

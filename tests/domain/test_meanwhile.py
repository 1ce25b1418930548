"""What an answer shows beyond what was written, and what a long window may have put back."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from app.adapters.municipalities import municipalities
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY
from app.domain.meanwhile import (
    LONG,
    MOVED,
    OTHER_ITEMS,
    PERHAPS_PUT_BACK,
    notes_of_answer,
    notes_of_lost_answer,
    notes_of_window,
)
from app.domain.planning.plan import Change, Note, Severity
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import BLANK, FieldState
from tests.domain.records import CREW, EMPLOYEE

OPTIONS = MappingOptions(municipalities=municipalities(), as_of_date=date(2026, 11, 11))


def changed(**after: FieldState) -> list[Change]:
    return [Change(key, BLANK, value) for key, value in after.items()]


def with_values(record: Any, **values: Any) -> dict[str, Any]:
    """The record with `rule__name=value` set."""
    made: dict[str, Any] = deepcopy(dict(record))
    for path, value in values.items():
        node, *rest = path.split("__")
        if rest:
            made[node] = {**made[node], rest[0]: value}
        else:
            made[node] = value
    return made


def moved(system: System, changes: list[Change], **values: Any) -> list[str | None]:
    before = EMPLOYEE if system is System.FREEE else CREW
    notes = notes_of_answer(system, changes, before, with_values(before, **values), OPTIONS)
    assert all(note == Note(MOVED, Severity.INFO, note.key) for note in notes)
    return [note.key for note in notes]


PHONE = changed(phone="080-3333-4444")


def test_what_was_written_is_no_news() -> None:
    after = {"profile_rule__phone1": "080", "profile_rule__phone2": "3333", "profile_rule__phone3": "4444"}
    assert moved(System.FREEE, PHONE, **after) == []
    assert moved(System.SMARTHR, PHONE, tel_number="080-3333-4444") == []


def test_what_else_moved_is_named_by_its_item_or_by_its_place() -> None:
    assert moved(System.FREEE, PHONE, profile_rule__title="主任") == ["title"]
    assert moved(System.FREEE, PHONE, profile_rule__householder="father") == ["profile_rule.householder"]
    assert moved(System.SMARTHR, PHONE, last_name="新田", first_name="花") == ["first_name", "last_name"]
    assert moved(System.SMARTHR, PHONE, address__building="合瀬ビル") == ["home_address"]


def test_one_blank_is_like_another() -> None:
    assert EMPLOYEE["profile_rule"].get("householder_name") is None
    assert moved(System.FREEE, PHONE, profile_rule__householder_name="") == []
    assert moved(System.FREEE, PHONE, profile_rule__householder_name="佐藤 花子") == ["profile_rule.householder_name"]


def test_what_the_vendor_works_out_itself_is_no_news() -> None:
    premiums = {"health_insurance_rule__manual_care_insurance_amount_of_employee_salary": 5}
    assert moved(System.FREEE, PHONE, **premiums, profile_rule__id=77) == []
    bank = changed(bank_code="0005")
    assert moved(System.FREEE, bank, bank_account_rule__bank_name="架空銀行") == []
    assert moved(System.FREEE, PHONE, bank_account_rule__bank_name="架空銀行") == ["bank_account_rule.bank_name"]
    assert moved(System.SMARTHR, changed(resigned_on=date(2026, 11, 1)), emp_status="retired") == []
    assert moved(System.SMARTHR, PHONE, emp_status="absent") == ["emp_status"]


def test_what_smarthr_takes_as_a_whole_is_compared_part_by_part() -> None:
    zip_code = changed(home_zip_code="1050014")
    assert moved(System.SMARTHR, zip_code, address__zip_code="105-0014") == []
    assert moved(System.SMARTHR, zip_code, address__zip_code="105-0014", address__building="合瀬ビル") == [
        "home_address"
    ]


@pytest.mark.parametrize(("step", "key"), [(Step.PROFILE, "profile_rule"), (Step.EMPLOYEE, "employee")])
def test_a_long_window_of_freee_names_the_object(step: Step, key: str) -> None:
    told = notes_of_window(System.FREEE, step, PHONE, EMPLOYEE, OPTIONS, seconds=LONG)
    assert told == [Note(PERHAPS_PUT_BACK, Severity.INFO, key)]
    assert notes_of_window(System.FREEE, step, PHONE, EMPLOYEE, OPTIONS, seconds=LONG - 0.1) == []


def test_a_long_window_of_smarthr_names_only_what_is_carried_as_a_whole() -> None:
    def told(changes: list[Change]) -> list[str | None]:
        return [n.key for n in notes_of_window(System.SMARTHR, Step.CREW, changes, CREW, OPTIONS, seconds=LONG)]

    assert told(PHONE) == []
    assert told(changed(home_zip_code="1050014", phone="080-3333-4444")) == ["address"]
    assert told(changed(bank_code="0005")) == ["bank_accounts"]


def test_a_lost_answer_names_what_it_carried() -> None:
    def told(system: System, *keys: str) -> list[str | None]:
        return [note.key for note in notes_of_lost_answer(system, keys)]

    assert told(System.FREEE, "phone", "title", "bank_code") == ["profile_rule", "bank_account_rule"]
    assert told(System.SMARTHR, "phone", "home_zip_code", "bank_code") == ["address", "bank_accounts"]
    assert told(System.FREEE) == []


def test_everything_that_a_note_can_name_has_a_name() -> None:
    assert OTHER_ITEMS["profile_rule.householder"] == "世帯主の続柄"
    assert not OTHER_ITEMS.keys() & BY_KEY.keys()

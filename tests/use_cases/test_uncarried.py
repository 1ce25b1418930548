"""Promise 6: a value that could not be carried is not overwritten from the other side; undo restores exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.runs.run_state import ItemState, RunState
from app.practice.staff.practice_company import PracticeCompany
from app.storage.enums import ChangeState
from app.storage.runs.rows import ItemRow
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.shared.views import RunView
from tests.house import House
from tests.listening import now_in_japan
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_undo import taken_back

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def pair(open_practice: Callable[..., House], company: PracticeCompany) -> tuple[House, str, int]:
    """(house, crew, employee) of one pair that a first run has linked."""
    house = open_practice(only(company, "equal", most=1))
    house.smarthr.add(witness(house))
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    item = item_of(house, run)
    return house, item.source_id or "", int(item.target_id or 0)


def item_of(house: House, run: RunView) -> ItemRow:
    """The item of the pair; the witness is left out."""
    (item,) = [each for each in house.items(run) if each.state is not ItemState.LEFT_OUT]
    return item


def witness(house: House) -> dict[str, Any]:
    """A crew who joins far ahead and shows a value of every attribute: so a null of the others is a blank."""
    (crew,) = house.smarthr.crews
    shown = {"having_spouse": True, "working_student_flag": True, "widow_type": "widow", "handicapped_type": None}
    numbers = {"hel_ins_insured_person_number": 5, "soc_ins_insured_person_number": 6}
    apart = {"emp_code": "9999", "first_name": "証", "first_name_yomi": "アカシ", "birth_at": "1970-01-01"}
    kept = {name: crew[name] for name in WITNESS_HAS}
    return {**kept, **apart, **shown, **numbers, "entered_at": "2099-01-01"}


WITNESS_HAS = (
    *("last_name", "last_name_yomi", "gender", "tel_number", "address", "resident_card_address"),
    *("emp_ins_insured_person_number", "basic_pension_number", "bank_accounts"),
)

SMARTHR_SEEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # item: (what stands in SmartHR, what freee holds)
    "phone": (
        {"tel_number": "03-1234-5678 内線123"},
        {"profile_rule": {"phone1": "080", "phone2": "1999", "phone3": "9999"}},
    ),
    "last_name_kana": ({"last_name_yomi": "山田"}, {"profile_rule": {"last_name_kana": "ヤマダ"}}),
    "last_name": ({"last_name": "長" * 300}, {"profile_rule": {"last_name": "山田"}}),
    "basic_pension_number": ({"basic_pension_number": "1234-56789"}, {"base_pension_num": "1234567890"}),
}
"""What was seen at SmartHR as the target."""


def smarthr_holds(house: House, crew: str) -> dict[str, Any]:
    shown = house.smarthr.crew(crew)
    return {name: value for name, value in shown.items() if name != "updated_at"}


def freee_holds(house: House, employee: int, run: Any) -> dict[str, Any]:
    item = item_of(house, run)
    year, month = map(int, str(item.closing_month).split("-"))
    shown = house.freee.employee(employee, month=(year, month))
    flat = {name: value for name, value in shown.items() if not isinstance(value, dict)}
    rules = {name: value for name, value in shown.items() if isinstance(value, dict)}
    return flat | {f"{rule}.{name}": v for rule, value in rules.items() for name, v in value.items() if name != "id"}


def both_moved(house: House, crew: str, employee: int, smarthr: dict[str, Any], freee: dict[str, Any]) -> None:
    house.smarthr.edit(crew, smarthr)
    house.freee.edit(employee, freee)


def codes(house: House, run: Any) -> dict[str, str]:
    item = item_of(house, run)
    return {note["key"]: note["code"] for note in item.notes if note["severity"] == "review"}


@pytest.mark.parametrize("key", sorted(SMARTHR_SEEN))
def test_a_value_of_smarthr_that_could_not_be_carried_is_neither_carried_nor_overwritten(
    pair: tuple[House, str, int], key: str
) -> None:
    house, crew, employee = pair
    smarthr, freee = SMARTHR_SEEN[key]
    both_moved(house, crew, employee, smarthr, freee)
    forth = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert item_of(house, forth).state is ItemState.NEEDS_REVIEW
    before = smarthr_holds(house, crew)
    back = house.run(TO_SMARTHR, as_of_date=now_in_japan(house))
    assert codes(house, back) == {key: "target_not_carried"}
    assert item_of(house, back).state is ItemState.NEEDS_REVIEW
    assert smarthr_holds(house, crew) == before
    (mail,) = house.postbox.mails[-1:]
    assert "上書きしていません" in mail.body


@pytest.mark.parametrize("key", sorted(SMARTHR_SEEN))
def test_with_a_tick_it_is_overwritten_and_undo_brings_back_just_what_stood_there(
    pair: tuple[House, str, int], key: str
) -> None:
    house, crew, employee = pair
    smarthr, freee = SMARTHR_SEEN[key]
    both_moved(house, crew, employee, smarthr, freee)
    before = smarthr_holds(house, crew)
    run = house.run(TO_SMARTHR, as_of_date=now_in_japan(house), dry_run=True)
    assert house.seen(run).state is RunState.PREVIEWED
    number = item_of(house, run).employee_number
    approve_retry_cancel.approve(house.ctx, run.id, by="test", overwrite={number: [key]})
    house.work()
    assert (item_of(house, run).state, codes(house, run)) == (ItemState.SUCCEEDED, {})
    assert smarthr_holds(house, crew) != before
    back = taken_back(house, run)
    assert (item_of(house, back).state, codes(house, back)) == (ItemState.SUCCEEDED, {})
    assert smarthr_holds(house, crew) == before


def test_without_the_tick_an_approved_preview_leaves_it(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    both_moved(house, crew, employee, *SMARTHR_SEEN["phone"])
    before = smarthr_holds(house, crew)
    run = house.run(TO_SMARTHR, as_of_date=now_in_japan(house), dry_run=True)
    approve_retry_cancel.approve(house.ctx, run.id, by="test")
    house.work()
    assert (item_of(house, run).state, codes(house, run)) == (ItemState.NEEDS_REVIEW, {"phone": "target_not_carried"})
    assert smarthr_holds(house, crew) == before


def test_a_tick_is_void_when_another_value_stands_there_meanwhile(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    both_moved(house, crew, employee, *SMARTHR_SEEN["phone"])
    run = house.run(TO_SMARTHR, as_of_date=now_in_japan(house), dry_run=True)
    number = item_of(house, run).employee_number
    approve_retry_cancel.approve(house.ctx, run.id, by="test", overwrite={number: ["phone"]})
    house.smarthr.edit(crew, {"tel_number": "03-1234-5678 内線9"})
    house.work()
    assert item_of(house, run).error_code == "approved_plan_changed"
    assert house.smarthr.crew(crew)["tel_number"] == "03-1234-5678 内線9"


# ── whole things, and freee as the target ─────────────────────────────────────────────────────────────────────────


def ticked_run(house: House, direction: Direction) -> Any:
    """A preview of which everything held is ticked, approved and worked to its end."""
    run = house.run(direction, as_of_date=now_in_japan(house), dry_run=True)
    item = item_of(house, run)
    with house.ctx.unit_of_work() as uow:
        held = [each.key for each in uow.changes.of_items([item.id])[item.id] if each.state is ChangeState.HELD]
    approve_retry_cancel.approve(
        house.ctx, run.id, by="test", acknowledged=True, overwrite={item.employee_number: held} if held else None
    )
    house.work()
    return run


def test_a_whole_account_that_nobody_can_read_stays_and_comes_back(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    (account,) = house.smarthr.crew(crew)["bank_accounts"][:1]
    strange = {**account, "account_number": "12-A", "account_holder_name": "山田 太郎"}
    house.smarthr.edit(crew, {"bank_accounts": [strange]})
    house.freee.edit(employee, {"bank_account_rule": {"account_number": "7654321"}})
    before = smarthr_holds(house, crew)
    run = house.run(TO_SMARTHR, as_of_date=now_in_japan(house))
    assert set(codes(house, run)) == {"bank_account_number", "bank_account_holder"}
    assert smarthr_holds(house, crew) == before
    preview = house.run(TO_SMARTHR, as_of_date=now_in_japan(house), dry_run=True)
    item = item_of(house, preview)
    overwrite = {item.employee_number: ["bank_account_holder"]}  # one of the five ticks the account
    approve_retry_cancel.approve(house.ctx, preview.id, by="test", overwrite=overwrite)
    house.work()
    assert house.smarthr.crew(crew)["bank_accounts"][0]["account_number"] == "7654321"
    taken_back(house, preview)
    assert smarthr_holds(house, crew) == before


def test_a_number_with_letters_in_freee_stays_and_comes_back(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    house.freee.edit(employee, {"health_insurance_rule": {"reference_num": "A-123"}})
    house.smarthr.edit(crew, {"hel_ins_insured_person_number": 77})
    back = house.run(TO_SMARTHR, as_of_date=now_in_japan(house))
    assert codes(house, back) == {"health_insured_number": "letters_in_number"}
    before = freee_holds(house, employee, back)
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert codes(house, run) == {"health_insured_number": "target_not_carried"}
    assert freee_holds(house, employee, run) == before
    run = ticked_run(house, TO_FREEE)
    assert freee_holds(house, employee, run)["health_insurance_rule.reference_num"] == "77"
    taken_back(house, run)
    assert freee_holds(house, employee, run) == before


def test_an_unreadable_part_keeps_its_whole_address(pair: tuple[House, str, int]) -> None:
    house, _, employee = pair
    house.freee.edit(employee, {"profile_rule": {"residential_zipcode1": "1O0", "residential_address": "港区芝9-9-9"}})
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert codes(house, run)["home_zip_code"] == "target_not_carried"
    held = freee_holds(house, employee, run)
    assert (held["profile_rule.residential_zipcode1"], held["profile_rule.residential_address"]) == (
        "1O0",
        "港区芝9-9-9",
    )


# ── undo, character for character ─────────────────────────────────────────────────────────────────────────────────

HOME = {"country_number": "392", "zip_code": "150-0001", "pref": "東京都", "city": "渋谷区", "street": "神宮前1-1-1"}
SMARTHR_HELD: dict[str, dict[str, Any]] = {
    "full width": {"tel_number": "０９０－１１１１－２２２２", "last_name": "Ｙａｍａｄａ"},
    "blanks at the edges": {"last_name": " 山田　", "tel_number": " 090-1111-2222 ", "emp_code": " 0042"},
    "half-width kana": {"last_name_yomi": "ﾔﾏﾀﾞ", "first_name_yomi": "たろう "},
    "nothing, as text": {"tel_number": "", "emp_ins_insured_person_number": "", "basic_pension_number": ""},
    "nothing, as null": {"tel_number": None, "emp_ins_insured_person_number": None, "resident_card_address": None},
    "no numbers": {"hel_ins_insured_person_number": None, "soc_ins_insured_person_number": None},
    "not said": {"having_spouse": None, "working_student_flag": None, "widow_type": None},
    "no account": {"bank_accounts": []},
    "positions": {"positions": ["部長", None, "係長"]},
    "address": {"address": {**HOME, "building": "ﾊｲﾂ １０１", "literal_yomi": "ﾄｳｷｮｳﾄｼﾌﾞﾔｸ"}},
    "address with nulls": {"resident_card_address": {**HOME, "zip_code": None, "building": None, "literal_yomi": ""}},
    "on leave": {"emp_status": "absent", "resigned_at": "2031-03-31"},
    "everything wrong": {"tel_number": "内線123", "last_name_yomi": "山田", "basic_pension_number": "不明"},
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", thinned(3, sorted(SMARTHR_HELD)))
def test_undo_gives_smarthr_back_just_what_stood_there(pair: tuple[House, str, int], name: str) -> None:
    house, crew, employee = pair
    house.freee.edit(
        employee,
        {
            "num": "0777",
            "retire_date": "2030-12-31",
            "employment_insurance_reference_number": "50010000012",
            "base_pension_num": "1234567890",
            "profile_rule": {
                "last_name": "新田",
                "last_name_kana": "ニッタ",
                "first_name_kana": "ジロウ",
                "title": "主任",
                "phone1": "080",
                "phone2": "3333",
                "phone3": "4444",
                "married": True,
                "is_working_student": True,
                "prefecture_code": 26,
                "address": "大阪市北区梅田1-1",
                "zipcode1": "530",
                "zipcode2": "0001",
                "residential_prefecture_code": 26,
                "residential_address": "大阪市北区梅田1-1",
                "residential_zipcode1": "530",
                "residential_zipcode2": "0001",
                "widow_type": "widow",
                "residential_address_kana": "オオサカシキタクウメダ",
                "address_kana": "オオサカシキタクウメダ",
            },
            "bank_account_rule": {"account_number": "7654321"},
            "health_insurance_rule": {"reference_num": "77"},
            "welfare_pension_insurance_rule": {"reference_num": "78"},
        },
    )
    house.smarthr.edit(crew, SMARTHR_HELD[name])
    before = smarthr_holds(house, crew)
    run = ticked_run(house, TO_SMARTHR)
    after = smarthr_holds(house, crew)
    assert any(after[attribute] != before[attribute] for attribute in SMARTHR_HELD[name])
    back = taken_back(house, run)
    assert smarthr_holds(house, crew) == before
    assert codes(house, back) == {}


FREEE_HELD: dict[str, dict[str, Any]] = {
    "full width": {"profile_rule": {"last_name": "Ｙａｍａｄａ", "title": "係　長 "}},
    "blanks at the edges": {
        "num": " 0042 ",
        "profile_rule": {"last_name": " 山田　", "residential_address": " 芝１ "},
    },
    "nothing, as text": {"profile_rule": {"title": "", "phone1": "", "phone2": "", "phone3": ""}},
    "strange phone": {"profile_rule": {"phone1": "03", "phone2": "12A", "phone3": "内1"}},
    "strange numbers": {"health_insurance_rule": {"reference_num": " A-12３ "}},
    "other words": {"profile_rule": {"widow_type": "special_widow", "gender": "unselected"}},
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", sorted(FREEE_HELD))
def test_undo_gives_freee_back_just_what_stood_there(pair: tuple[House, str, int], name: str) -> None:
    house, crew, employee = pair
    house.smarthr.edit(
        crew,
        {
            "emp_code": "0777",
            "last_name": "新田",
            "tel_number": "080-3333-4444",
            "positions": ["主任"],
            "widow_type": "widow",
            "gender": "female",
            "hel_ins_insured_person_number": 77,
            "address": HOME,
        },
    )
    house.freee.edit(employee, {"profile_rule": {"title": "", "residential_address_kana": ""}})
    house.freee.edit(employee, FREEE_HELD[name])
    first = house.run(TO_FREEE, as_of_date=now_in_japan(house), dry_run=True)
    before = freee_holds(house, employee, first)
    run = ticked_run(house, TO_FREEE)
    assert freee_holds(house, employee, first) != before
    back = taken_back(house, run)
    assert freee_holds(house, employee, first) == before
    assert codes(house, back) == {}


def test_what_freee_cannot_be_given_back_as_null_is_told(pair: tuple[House, str, int]) -> None:
    """freee takes no null for a telephone number, so it gets the empty text."""
    house, crew, employee = pair
    house.freee.edit(employee, {"profile_rule": {"phone1": None, "phone2": None, "phone3": None}})
    house.smarthr.edit(crew, {"tel_number": "080-3333-4444"})
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    back = taken_back(house, run)
    item = item_of(house, back)
    held = freee_holds(house, employee, run)
    assert [held[f"profile_rule.phone{place}"] for place in (1, 2, 3)] == ["", "", ""]
    assert item.state is ItemState.SUCCEEDED
    assert [(note["code"], note["severity"]) for note in item.notes] == [("restored_otherwise", "info")]


def test_a_writing_that_the_vendor_refuses_comes_back_in_its_usual_form_and_asks(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=1), smarthr_switches={"former_values": "check"})
    item = item_of(house, house.run(TO_FREEE, as_of_date=now_in_japan(house)))
    crew, employee = item.source_id or "", int(item.target_id or 0)
    held = {"last_name_yomi": "ﾔﾏﾀﾞ", "last_name": " 山田", "tel_number": "03-1234-5678 内線123"}
    house.smarthr.edit(crew, held)
    new = {"last_name_kana": "ニッタ", "last_name": "新田", "phone1": "080", "phone2": "3333", "phone3": "4444"}
    house.freee.edit(employee, {"profile_rule": new})
    back = taken_back(house, ticked_run(house, TO_SMARTHR))
    now = house.smarthr.crew(crew)
    assert (now["last_name"], now["last_name_yomi"], now["tel_number"]) == (" 山田", "ヤマダ", "080-3333-4444")
    told = codes(house, back)
    assert told["last_name_kana"] == "restored_otherwise"
    assert set(told) == {"last_name_kana", "phone"}
    assert item_of(house, back).state is ItemState.NEEDS_REVIEW


def test_what_was_changed_since_stays_though_the_rest_of_the_object_goes_back(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    house.smarthr.edit(crew, {"address": {**HOME, "building": "", "literal_yomi": "トウキョウトシブヤク"}})
    house.freee.edit(
        employee,
        {"profile_rule": {"residential_zipcode1": "105", "residential_zipcode2": "0014", "phone3": "9876"}},
    )
    run = house.run(TO_SMARTHR, as_of_date=now_in_japan(house))
    house.smarthr.edit(crew, {"address": {"literal_yomi": "トウキョウトミナトク"}, "tel_number": "090-0000-1111"})
    taken_back(house, run)
    now = house.smarthr.crew(crew)
    assert (now["address"]["literal_yomi"], now["tel_number"]) == ("トウキョウトミナトク", "090-0000-1111")

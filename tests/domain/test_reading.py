"""Records → snapshots: the three states, and what has no counterpart."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.reading import readable_attributes, take_snapshot
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import ABSENT, BLANK, Missing, Unconvertible, is_value
from tests.domain.records import CREW, EMPLOYEE, OPTIONS, READABLE, crew, employee, seen_in_freee, seen_in_smarthr

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
ALL_KEYS = {row.key for row in FIELDS}


def test_everything_is_read_from_both_sides_and_compares_equal() -> None:
    smarthr, freee = seen_in_smarthr(crew(resigned_at="2030-01-31")), seen_in_freee(employee(retire_date="2030-01-31"))
    assert set(smarthr.values) == set(freee.values) == ALL_KEYS
    for row in FIELDS:
        ours, theirs = smarthr[row.key], freee[row.key]
        assert is_value(ours) and is_value(theirs), row.key
        assert row.comparable(ours) == row.comparable(theirs), row.key  # type: ignore[arg-type]


def test_plain_values() -> None:
    seen = seen_in_smarthr(crew())
    assert seen["employee_number"] == "00123"
    assert seen["birth_date"] == date(1990, 4, 2)
    assert seen["having_spouse"] is False
    assert seen["home_address"] == "港区麻布台1-2-3 麻布ハイツ101"
    assert seen["home_address_kana"] == "ミナトクアザブダイ"
    assert seen["registered_prefecture"] == "北海道"
    assert seen["bank_account_type"] == "futsu"
    assert seen["health_insured_number"] == "7"
    assert seen_in_freee(employee())["health_insured_number"] == "007"
    assert seen_in_freee(employee())["registered_prefecture"] == "北海道"


def test_a_person_without_a_record_has_only_absent_items() -> None:
    assert seen_in_freee(None).values == {}
    assert seen_in_smarthr(None)["last_name"] is ABSENT


def test_an_excluded_key_is_absent() -> None:
    options = MappingOptions(readable_attributes=READABLE, excluded=frozenset({"phone"}))
    assert seen_in_smarthr(crew(), options)["phone"] is ABSENT
    assert seen_in_freee(employee(), options)["phone"] is ABSENT
    assert is_value(seen_in_freee(employee(), options)["title"])


@pytest.mark.parametrize("attribute", ["tel_number", "handicapped_type", "address", "positions", "bank_accounts"])
def test_a_null_is_blank_only_for_an_attribute_the_token_is_known_to_read(attribute: str) -> None:
    hidden = MappingOptions(readable_attributes=READABLE - {attribute})
    record = crew(**{attribute: None}, position=None)
    keys = {row.key for row in FIELDS if row.smarthr.paths[0].split(".")[0] in (attribute, attribute.rstrip("s"))}
    assert keys
    for key in keys:
        assert seen_in_smarthr(record)[key] is BLANK
        assert seen_in_smarthr(record, hidden)[key] is ABSENT
        assert seen_in_smarthr(record, MappingOptions())[key] is ABSENT


def test_an_empty_list_may_be_a_hidden_one() -> None:
    record = crew(bank_accounts=[], positions=[], position=None)
    assert seen_in_smarthr(record)["bank_code"] is BLANK
    assert seen_in_smarthr(record)["title"] is BLANK
    assert seen_in_smarthr(record, MappingOptions())["bank_code"] is ABSENT
    assert seen_in_smarthr(record, MappingOptions())["title"] is ABSENT


def test_a_null_inside_a_visible_address_is_blank() -> None:
    seen = seen_in_smarthr(crew(address__zip_code=None, address__literal_yomi=""), MappingOptions())
    assert seen["home_zip_code"] is BLANK
    assert seen["home_address_kana"] is BLANK


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.key)
def test_a_key_the_answer_lacks_is_absent(row: Any) -> None:
    attribute = row.smarthr.paths[0].split(".")[0]
    attribute = "bank_accounts" if attribute == "bank_account" else attribute
    record = crew()
    del record[attribute]
    record.pop("position", None)
    assert seen_in_smarthr(record)[row.key] is ABSENT
    other = employee()
    for path in row.freee.paths:
        parent, _, name = path.rpartition(".")
        del (other[parent] if parent else other)[name]
    assert seen_in_freee(other)[row.key] is ABSENT


def test_an_empty_string_is_visible_and_blank() -> None:
    assert seen_in_smarthr(crew(tel_number="  "), MappingOptions())["phone"] is BLANK


def test_readable_attributes_need_one_value_among_all_people() -> None:
    people = [
        {"id": "a", "tel_number": None, "bank_accounts": [], "having_spouse": False},
        {"id": "b", "tel_number": None, "email": ""},
    ]
    assert readable_attributes(people) == {"id", "having_spouse", "email"}
    assert readable_attributes([]) == frozenset()


def test_outside_payroll_only_the_basics_are_there() -> None:
    record = employee(profile_rule=None, health_insurance_rule=None, welfare_pension_insurance_rule=None)
    seen = seen_in_freee(record, in_payroll=False)
    assert {key for key in ALL_KEYS if seen[key] is not ABSENT} == {
        "birth_date",
        "hired_on",
        "resigned_on",
        "employee_number",
        "basic_pension_number",
    }


def test_no_insurance_and_no_account_in_payroll_are_blank_but_a_missing_profile_is_not() -> None:
    seen = seen_in_freee(employee(health_insurance_rule=None, bank_account_rule=None, profile_rule=None))
    assert seen["health_insured_number"] is BLANK
    assert seen["health_standard_income"] is BLANK
    assert seen["bank_account_holder"] is BLANK
    assert seen["last_name"] is ABSENT


@pytest.mark.parametrize(
    ("changes", "key", "state"),
    [
        ({"profile_rule__gender": "unselected"}, "gender", Unconvertible("gender_unselected")),
        ({"profile_rule__widow_type": "widower"}, "widow_type", Unconvertible("abolished_widow_type")),
        ({"profile_rule__widow_type": "special_widow"}, "widow_type", Unconvertible("abolished_widow_type")),
        ({"profile_rule__widow_type": "new_word"}, "widow_type", Unconvertible("unknown_value")),
        ({"profile_rule__widow_type": "na"}, "widow_type", BLANK),
        ({"profile_rule__disability_type": "na"}, "disability_type", BLANK),
        ({"profile_rule__disability_type": "heavy"}, "disability_type", "special"),
        ({"profile_rule__married": True}, "having_spouse", True),
        ({"profile_rule__residential_prefecture_code": -1}, "home_prefecture", BLANK),
        ({"profile_rule__residential_prefecture_code": 47}, "home_prefecture", Unconvertible("unknown_value")),
        ({"profile_rule__phone1": "", "profile_rule__phone2": None, "profile_rule__phone3": ""}, "phone", BLANK),
        ({"profile_rule__zipcode1": "06", "profile_rule__zipcode2": "00010"}, "registered_zip_code", "digit_count"),
        ({"health_insurance_rule__reference_num": "A7"}, "health_insured_number", "letters_in_number"),
        ({"base_pension_num": "123456789"}, "basic_pension_number", "digit_count"),
        ({"entry_date": "2024-02-30"}, "hired_on", "impossible_date"),
        ({"profile_rule__last_name_kana": "佐藤"}, "last_name_kana", "kana_characters"),
        ({"num": ""}, "employee_number", BLANK),
        ({"profile_rule": "gone"}, "last_name", Unconvertible("unknown_value")),
    ],
)
def test_states_from_freee(changes: dict[str, Any], key: str, state: object) -> None:
    wanted = Unconvertible(state) if isinstance(state, str) and "_" in state else state
    assert seen_in_freee(employee(**changes))[key] == wanted


@pytest.mark.parametrize("country", ["840", "36", "US", 840, ["392"]])
def test_an_address_abroad_is_not_convertible_as_a_whole(country: object) -> None:
    seen = seen_in_smarthr(crew(address__country_number=country))
    keys = ("home_zip_code", "home_prefecture", "home_address", "home_address_kana")
    assert {seen[key] for key in keys} == {Unconvertible("foreign_address")}
    assert seen["registered_address"] == "札幌市中央区北一条西2丁目"


@pytest.mark.parametrize("country", [None, "", "392", 392, "JP", " jp "])
def test_an_address_in_japan(country: object) -> None:
    assert seen_in_smarthr(crew(address__country_number=country))["home_zip_code"] == "106-0041"


@pytest.mark.parametrize("accounts", ["none", {"bank_code": "0001"}, [5]])
def test_a_misshapen_account_list_is_reported_not_guessed(accounts: object) -> None:
    state = seen_in_smarthr(crew(bank_accounts=accounts))["bank_code"]
    assert state == (BLANK if accounts == [5] else Unconvertible("unknown_value"))


def test_the_account_that_gets_the_whole_salary_counts() -> None:
    first = {**CREW["bank_accounts"][0], "bank_code": "0009", "transfer_type": "specified"}
    bonus = {**first, "bank_code": "0010", "transfer_type": "full", "transfer_category": "bonus"}
    salary = {**first, "bank_code": "0033", "transfer_type": "full", "transfer_category": "salary"}
    assert seen_in_smarthr(crew(bank_accounts=[first, bonus, salary]))["bank_code"] == "0033"
    assert seen_in_smarthr(crew(bank_accounts=[None, first, bonus]))["bank_code"] == "0009"


@given(record=st.fixed_dictionaries(dict.fromkeys(CREW, JSON)), readable=st.booleans())
def test_no_crew_makes_reading_fail(record: dict[str, Any], readable: bool) -> None:
    seen = seen_in_smarthr(record, OPTIONS if readable else MappingOptions())
    assert set(seen.values) <= ALL_KEYS


@given(address=st.fixed_dictionaries(dict.fromkeys(CREW["address"], JSON)), account=JSON)
def test_no_inner_object_makes_reading_fail(address: dict[str, Any], account: Any) -> None:
    seen = seen_in_smarthr(crew(address=address, bank_accounts=[account]))
    assert seen["last_name"] == "佐藤"


@given(
    record=st.fixed_dictionaries(dict.fromkeys(EMPLOYEE, JSON)),
    profile=st.fixed_dictionaries(dict.fromkeys(EMPLOYEE["profile_rule"], JSON)),
    account=st.fixed_dictionaries(dict.fromkeys(EMPLOYEE["bank_account_rule"], JSON)),
)
def test_no_freee_record_makes_reading_fail(
    record: dict[str, Any], profile: dict[str, Any], account: dict[str, Any]
) -> None:
    seen = seen_in_freee({**record, "profile_rule": profile, "bank_account_rule": account})
    for key, state in seen.values.items():
        # Whatever came in, a value that is offered can be compared, and comparing again changes nothing.
        if not isinstance(state, (Missing, Unconvertible)):
            form = BY_KEY[key].comparable(state)
            assert BY_KEY[key].comparable(form) == form


def test_each_snapshot_of_one_reading_goes_by_its_own_options() -> None:
    """What was made of the record for one snapshot serves the next one, as far as the options have no part in it."""
    person, shown = Person(System.SMARTHR, "crew-1", "00123"), crew(bank_accounts=None, resigned_at=None)
    record = EmployeeRecord(person, shown)
    seen = [take_snapshot(record, options) for options in (OPTIONS, MappingOptions(), OPTIONS, MappingOptions())]
    assert [snapshot["resigned_on"] for snapshot in seen] == [BLANK, ABSENT, BLANK, ABSENT]
    without = take_snapshot(record, MappingOptions(excluded=frozenset({"employee_number"})))
    assert without["employee_number"] is ABSENT
    buildings = [take_snapshot(record, MappingOptions(include_building=wanted)) for wanted in (True, False)]
    assert buildings[0]["home_address"] != buildings[1]["home_address"]
    assert seen[2].values == take_snapshot(EmployeeRecord(person, shown), OPTIONS).values

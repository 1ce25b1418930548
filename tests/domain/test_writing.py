"""Changes → vendor paths: whole objects, order, what clears, what is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.municipalities import municipalities
from app.domain.codecs.base import CannotEncode
from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change
from app.domain.settings.connection_settings import MappingOptions
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot, is_value
from app.domain.writing import encode, keys_by_step, unwritable
from tests.domain.records import CREW, OPTIONS, READABLE, change, crew, employee, seen_in_freee, seen_in_smarthr

SMARTHR, FREEE = System.SMARTHR, System.FREEE
ADDRESS = CREW["address"]


def options(**changes: Any) -> MappingOptions:
    return MappingOptions(
        **{
            "municipalities": municipalities(),
            "readable_attributes": READABLE,
            "as_of_date": date(2024, 6, 15),
            **changes,
        }
    )


def crew_body(*changes: Change, current: dict[str, Any] | None = None, given: MappingOptions = OPTIONS) -> Any:
    return encode(SMARTHR, changes, crew() if current is None else current, given)[Step.CREW]


def differences(source: Snapshot, target: Snapshot) -> list[Change]:
    """What a run in which the source wins would write."""
    return [
        change(row.key, source[row.key], target[row.key])
        for row in FIELDS
        if is_value(source[row.key]) and not same(row.key, source[row.key], target[row.key])
    ]


def same(key: str, one: FieldState, other: FieldState) -> bool:
    if is_value(one) and is_value(other):
        return BY_KEY[key].comparable(one) == BY_KEY[key].comparable(other)  # type: ignore[arg-type]
    return one == other


# ── towards freee ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_item_goes_into_its_own_request() -> None:
    changes = [
        change("bank_code", "5"),
        change("last_name", "鈴木"),
        change("birth_date", date(1990, 4, 3)),
        change("health_standard_income", 320000),
        change("pension_insured_number", "13"),
        change("registered_prefecture", "北海道"),
        change("phone", "03-1234-5678"),
    ]
    assert encode(FREEE, changes, employee(), OPTIONS) == {
        Step.EMPLOYEE: {"birth_date": "1990-04-03"},
        Step.PROFILE: {
            "profile_rule.last_name": "鈴木",
            "profile_rule.prefecture_code": 0,
            "profile_rule.phone1": "03",
            "profile_rule.phone2": "1234",
            "profile_rule.phone3": "5678",
        },
        Step.BANK_ACCOUNT: {"bank_account_rule.bank_code": "0005"},
        Step.HEALTH_INSURANCE: {"health_insurance_rule.standard_monthly_remuneration": 320000},
        Step.PENSION_INSURANCE: {"welfare_pension_insurance_rule.reference_num": "13"},
    }
    assert keys_by_step(FREEE, changes) == {
        Step.EMPLOYEE: ("birth_date",),
        Step.PROFILE: ("last_name", "registered_prefecture", "phone"),
        Step.BANK_ACCOUNT: ("bank_code",),
        Step.PENSION_INSURANCE: ("pension_insured_number",),
        Step.HEALTH_INSURANCE: ("health_standard_income",),
    }
    assert keys_by_step(SMARTHR, changes[:2]) == {Step.CREW: ("last_name", "bank_code")}


def test_freee_is_cleared_in_its_own_ways() -> None:
    keys = ("title", "phone", "widow_type", "disability_type", "resigned_on", "home_prefecture", "home_zip_code")
    written = encode(FREEE, [change(key, BLANK) for key in keys], employee(), OPTIONS)
    assert written[Step.EMPLOYEE] == {"retire_date": None}
    assert written[Step.PROFILE] == {
        "profile_rule.title": "",
        "profile_rule.widow_type": "na",
        "profile_rule.disability_type": "na",
        "profile_rule.residential_zipcode1": "",
        "profile_rule.residential_zipcode2": "",
        "profile_rule.residential_prefecture_code": -1,
        "profile_rule.phone1": "",
        "profile_rule.phone2": "",
        "profile_rule.phone3": "",
    }


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.key)
def test_a_blank_is_read_back_as_blank_or_refused(row: Any, system: System) -> None:
    current = crew() if system is SMARTHR else employee()
    if system in row.unclearable_in:
        with pytest.raises(CannotEncode, match="not_clearable"):
            encode(system, [change(row.key, BLANK)], current, OPTIONS)
        return
    written = encode(system, [change(row.key, BLANK)], current, OPTIONS)
    seen = stored_crew(current, written) if system is SMARTHR else stored_employee(current, written)
    assert seen[row.key] is BLANK


def test_an_absent_or_unconvertible_state_is_never_written() -> None:
    with pytest.raises(CannotEncode, match="not_a_value"):
        encode(FREEE, [change("title", ABSENT)], employee(), OPTIONS)


def test_an_equal_number_keeps_its_zeros_and_a_new_person_gets_the_source() -> None:
    path = "health_insurance_rule.reference_num"
    assert encode(FREEE, [change("health_insured_number", "7")], employee(), OPTIONS) == {
        Step.HEALTH_INSURANCE: {path: "007"}
    }
    assert encode(FREEE, [change("health_insured_number", "7")], None, OPTIONS) == {Step.HEALTH_INSURANCE: {path: "7"}}


# ── towards SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────


def test_one_row_of_an_address_writes_the_whole_address() -> None:
    body = crew_body(change("home_zip_code", "106-0042"))
    assert body == {"address": {**ADDRESS, "zip_code": "106-0042"}}


def test_a_move_is_split_by_the_new_prefecture() -> None:
    body = crew_body(
        change("home_address_kana", "オオサカシキタク"),
        change("home_address", "大阪市北区梅田1-1"),
        change("home_prefecture", "大阪府"),
        change("home_zip_code", "530-0001"),
    )
    assert body == {
        "address": {
            "country_number": "392",
            "zip_code": "530-0001",
            "pref": "大阪府",
            "city": "大阪市北区",
            "street": "梅田1-1",
            "building": "",
            "literal_yomi": "オオサカフオオサカシキタク",
        }
    }


def test_nulls_inside_an_address_are_left_out_and_new_addresses_are_in_japan() -> None:
    body = crew_body(change("registered_zip_code", "060-0002"))
    assert "building" not in body["resident_card_address"]
    assert body["resident_card_address"]["city"] == "札幌市中央区"
    new = crew_body(
        change("home_prefecture", "東京都"), change("home_address", "港区三田1"), current=crew(address=None)
    )
    assert new == {"address": {"country_number": "392", "pref": "東京都", "city": "港区", "street": "三田1"}}


@pytest.mark.parametrize("address", [None, {}, {"pref": "東京都"}, {"city": " "}])
def test_an_address_needs_its_city(address: object) -> None:
    with pytest.raises(CannotEncode) as caught:
        crew_body(change("home_zip_code", "106-0042"), current=crew(address=address))
    assert (caught.value.reason, caught.value.key) == ("address_without_city", "home_zip_code")


def test_an_address_abroad_is_not_written_over() -> None:
    with pytest.raises(CannotEncode, match="foreign_address"):
        crew_body(change("home_zip_code", "106-0042"), current=crew(address__country_number="840"))


def test_a_bank_change_writes_the_whole_list_without_images() -> None:
    other = {"bank_code": "0005", "bank_branch_code": "001", "account_type": "checking", "account_number": "1"}
    first = {**other, "account_holder_name": "サトウ", "transfer_type": "specified", "specified_transfer_amount": 5000}
    current = crew(bank_accounts=[first, *CREW["bank_accounts"]])
    body = crew_body(change("bank_account_number", "7654321"), change("bank_account_type", "toza"), current=current)
    assert body == {
        "bank_accounts": [
            first,
            {
                "bank_code": "0001",
                "bank_branch_code": "011",
                "account_type": "checking",
                "account_number": "7654321",
                "account_holder_name": "サトウ ハナコ",
                "transfer_type": "full",
                "transfer_category": "salary_and_bonus",
            },
        ]
    }


@pytest.mark.parametrize(("ids", "kept"), [(("s1", "s2"), True), (("s1", None), False), ((None, None), False)])
def test_account_settings_are_named_by_all_entries_or_none(ids: tuple[str | None, ...], kept: bool) -> None:
    accounts = [{**CREW["bank_accounts"][0], "bank_account_setting_id": setting} for setting in ids]
    body = crew_body(change("bank_code", "0009"), current=crew(bank_accounts=accounts))
    assert [entry.get("bank_account_setting_id") for entry in body["bank_accounts"]] == (
        list(ids) if kept else [None] * 2
    )
    assert all("bank_account_setting_id" in entry for entry in body["bank_accounts"]) is kept


@pytest.mark.parametrize("accounts", [None, []])
def test_a_first_account_needs_all_five(accounts: object) -> None:
    everything = [
        change("bank_code", "1"),
        change("bank_branch_code", "11"),
        change("bank_account_type", "futsu"),
        change("bank_account_number", "12345"),
        change("bank_account_holder", "ｻﾄｳ ﾊﾅｺ"),
    ]
    current = crew(bank_accounts=accounts)
    assert crew_body(*everything, current=current) == {
        "bank_accounts": [
            {
                "bank_code": "0001",
                "bank_branch_code": "011",
                "account_type": "saving",
                "account_number": "0012345",
                "account_holder_name": "サトウ　ハナコ",
            }
        ]
    }
    with pytest.raises(CannotEncode, match="bank_incomplete"):
        crew_body(*everything[:4], current=current)


def position(name: str, rank: int | None) -> dict[str, Any]:
    return {"id": name, "name": name, "rank": rank}


@pytest.mark.parametrize(
    ("positions", "title"),
    [
        ([position("課長", 100)], "課長"),
        ([None, position("主任", 300), position("部長", 10)], "部長"),
        ([position("主任", None), position("部長", 10)], "部長"),
        ([position("主任", None), position("係長", None)], "主任"),
        ([position("主任", 5), position("係長", 5)], "主任"),
        ([], "相談役"),
        (None, "相談役"),
    ],
)
def test_the_first_position_by_rank_is_the_title(positions: object, title: str) -> None:
    assert seen_in_smarthr(crew(positions=positions, position="相談役"))["title"] == title


def test_a_title_replaces_the_first_position_and_keeps_the_others() -> None:
    current = crew(positions=[None, position("主任", 300), position("部長", 10)])
    known = options(known_positions=frozenset({"本部長", "主任"}))
    assert crew_body(change("title", "本部長"), current=current, given=known) == {"positions": ["主任", "本部長"]}
    with pytest.raises(CannotEncode, match="position_order"):
        crew_body(change("title", "主任"), current=current, given=known)
    with pytest.raises(CannotEncode, match="several_positions"):
        crew_body(change("title", BLANK), current=current, given=known)
    assert crew_body(change("title", BLANK)) == {"positions": []}


def test_a_title_the_master_does_not_know_is_created_only_when_allowed() -> None:
    with pytest.raises(CannotEncode, match="unknown_position"):
        crew_body(change("title", "室長"), given=options(known_positions=frozenset({"課長"})))
    with pytest.raises(CannotEncode, match="unknown_position"):
        crew_body(change("title", "室長"), given=options(known_positions=None))
    assert crew_body(change("title", "室長"), given=options(create_positions=True)) == {"positions": ["室長"]}
    spelled = options(known_positions=frozenset({"Ｍ１"}))
    assert crew_body(change("title", "M1"), given=spelled) == {"positions": ["Ｍ１"]}
    assert crew_body(change("title", "課長")) == {"positions": ["課長"]}


@pytest.mark.parametrize(
    ("status", "resigned_on", "as_of_date", "written"),
    [
        ("employed", date(2024, 6, 14), date(2024, 6, 15), "retired"),
        ("absent", date(2024, 6, 14), date(2024, 6, 15), "retired"),
        ("retired", date(2024, 6, 14), date(2024, 6, 15), None),
        ("employed", date(2024, 6, 15), date(2024, 6, 15), None),
        ("employed", date(2024, 7, 31), date(2024, 6, 15), None),
        ("retired", date(2024, 7, 31), date(2024, 6, 15), "employed"),
        ("employed", date(2024, 6, 14), None, None),
        ("retired", BLANK, None, "employed"),
        (None, BLANK, None, "employed"),
        ("absent", BLANK, date(2024, 6, 15), None),
        ("employed", BLANK, date(2024, 6, 15), None),
    ],
)
def test_the_status_goes_with_the_date_of_leaving(
    status: str | None, resigned_on: FieldState, as_of_date: date | None, written: str | None
) -> None:
    body = crew_body(
        change("resigned_on", resigned_on), current=crew(emp_status=status), given=options(as_of_date=as_of_date)
    )
    assert body.get("emp_status") == written
    assert body["resigned_at"] == (resigned_on.isoformat() if isinstance(resigned_on, date) else None)


def test_a_new_crew_always_has_a_status() -> None:
    given = options()
    assert encode(SMARTHR, [change("last_name", "佐藤")], None, given)[Step.CREW]["emp_status"] == "employed"
    gone = [change("resigned_on", date(2024, 1, 31))]
    assert encode(SMARTHR, gone, None, given)[Step.CREW] == {"resigned_at": "2024-01-31", "emp_status": "retired"}


def test_other_changes_leave_the_status_alone() -> None:
    assert crew_body(change("last_name", "鈴木"), current=crew(emp_status="retired")) == {"last_name": "鈴木"}
    assert encode(SMARTHR, [], crew(), OPTIONS) == {}


# ── what cannot be written ────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_refused_takes_along_only_what_belongs_to_it() -> None:
    changes = [
        change("last_name", "鈴木"),
        change("home_zip_code", "530-0001"),
        change("home_prefecture", "大阪府"),
        change("home_address", "どこか1"),
        change("registered_zip_code", "060-0002"),
        change("title", "室長"),
    ]
    refused = unwritable(SMARTHR, changes, crew(), OPTIONS)
    assert refused == {
        "home_zip_code": "unsplittable_address",
        "home_prefecture": "unsplittable_address",
        "home_address": "unsplittable_address",
        "title": "unknown_position",
    }
    left = [c for c in changes if c.key not in refused]
    assert set(encode(SMARTHR, left, crew(), OPTIONS)[Step.CREW]) == {"last_name", "resident_card_address"}
    assert unwritable(SMARTHR, left, crew(), OPTIONS) == {}


def test_half_a_bank_account_takes_along_the_whole() -> None:
    changes = [change("bank_code", "0001"), change("bank_account_holder", "佐藤"), change("phone", "0312345678")]
    assert unwritable(FREEE, changes, employee(), OPTIONS) == {
        "bank_code": "kana_characters",
        "bank_account_holder": "kana_characters",
    }


def test_the_error_names_the_row_and_not_the_value() -> None:
    with pytest.raises(CannotEncode) as caught:
        encode(FREEE, [change("title", "長" * 256)], employee(), OPTIONS)
    assert (caught.value.reason, caught.value.key) == ("too_long", "title")
    assert "長" not in str(caught.value)


# ── a run in one direction leaves nothing to do in either ─────────────────────────────────────────────────────────


def stored_crew(current: dict[str, Any], written: dict[Step, dict[str, Any]], given: MappingOptions = OPTIONS) -> Any:
    body = dict(written.get(Step.CREW, {}))
    if "positions" in body:
        body["positions"] = [position(name, place) for place, name in enumerate(body["positions"], start=1)]
        body["position"] = body["positions"][0]["name"] if body["positions"] else None
    return seen_in_smarthr({**current, **body}, given)


def stored_employee(
    current: dict[str, Any], written: dict[Step, dict[str, Any]], given: MappingOptions = OPTIONS
) -> Snapshot:
    paths = {path: value for values in written.values() for path, value in values.items()}
    return seen_in_freee(employee_with(current, paths), given)


def employee_with(current: dict[str, Any], paths: dict[str, Any]) -> dict[str, Any]:
    record = {name: dict(value) if isinstance(value, dict) else value for name, value in current.items()}
    for path, value in paths.items():
        parent, _, name = path.rpartition(".")
        (record[parent] if parent else record)[name] = value
    return record


KANA = st.text("アイウガキシャュョッー", max_size=5).map(lambda rest: f"ハ{rest}")
DIGITS = "0123456789"
DATES = st.dates(min_value=date(1940, 1, 1), max_value=date(2060, 12, 31)).map(lambda day: day.isoformat())
STREETS = st.sampled_from(["麻布台1-2-3", "三田五丁目13番", "1番地の2", "元麻布3 2", "白金台２－４"])
CREWS = st.fixed_dictionaries(
    {
        "last_name": st.text("佐藤鈴木髙", min_size=1, max_size=3),
        "last_name_yomi": KANA,
        "birth_at": DATES,
        "resigned_at": st.none() | DATES,
        "gender": st.sampled_from(["male", "female"]),
        "emp_code": st.text(DIGITS, min_size=1, max_size=6),
        "having_spouse": st.booleans(),
        "widow_type": st.sampled_from([None, "widow", "single_parent"]),
        "handicapped_type": st.sampled_from([None, "ordinary_handicapped", "special_handicapped"]),
        "tel_number": st.sampled_from([None, "0312345678", "090-1111-2222", "+81 45 123 4567", "0980-72-1234"]),
        "address__pref": st.just("東京都"),
        "address__city": st.sampled_from(["港区", "西多摩郡瑞穂町", "瑞穂町", "府中市"]),
        "address__street": STREETS,
        "address__building": st.sampled_from([None, "", "麻布ハイツ101", "101"]),
        "address__literal_yomi": KANA | KANA.map(lambda kana: f"トウキョウト{kana}"),
        "hel_ins_insured_person_number": st.integers(0, 99_999_999),
        "monthly_standard_income_pns": st.integers(58_000, 650_000),
    }
)
EMPLOYEES = st.fixed_dictionaries(
    {
        "num": st.text(DIGITS, min_size=1, max_size=6),
        "entry_date": DATES,
        "retire_date": st.none() | DATES,
        "base_pension_num": st.text(DIGITS, min_size=10, max_size=10),
        "profile_rule__first_name_kana": KANA,
        "profile_rule__married": st.booleans(),
        "profile_rule__widow_type": st.sampled_from(["na", "widow", "one_parent"]),
        "profile_rule__residential_prefecture_code": st.just(12),
        "profile_rule__residential_address": st.builds(
            lambda city, street, building: f"{city}{street}{building}",
            st.sampled_from(["港区", "西多摩郡瑞穂町", "東京都港区", "府中市"]),
            STREETS,
            st.sampled_from(["", " 麻布ハイツ101", "　見本荘5"]),
        ),
        "profile_rule__residential_address_kana": KANA,
        "profile_rule__title": st.sampled_from(["課長", "室長", "Ｍ１"]),
        "health_insurance_rule__reference_num": st.text(DIGITS, min_size=1, max_size=8),
        "bank_account_rule__account_type": st.sampled_from(["ordinary", "current", "saving"]),
        "bank_account_rule__account_name": st.sampled_from(["ﾔﾏﾀﾞ ﾀﾛｳ", "カ）ミホン", "SATO"]),
        "bank_account_rule__account_number": st.text(DIGITS, min_size=7, max_size=7),
    }
)


@given(left=CREWS, right=EMPLOYEES)
def test_after_writing_to_freee_both_sides_are_equal(left: dict[str, Any], right: dict[str, Any]) -> None:
    source, current = seen_in_smarthr(crew(**left)), employee(**right)
    changes = differences(source, seen_in_freee(current))
    after = stored_employee(current, encode(FREEE, changes, current, OPTIONS))
    assert differences(source, after) == []
    assert [c.key for c in differences(after, source) if source[c.key] is not BLANK] == []


@given(left=CREWS, right=EMPLOYEES)
def test_after_writing_to_smarthr_both_sides_are_equal(left: dict[str, Any], right: dict[str, Any]) -> None:
    given_options = options(create_positions=True)
    source, current = seen_in_freee(employee(**right)), crew(**left)
    changes = differences(source, seen_in_smarthr(current))
    asked = unwritable(SMARTHR, changes, current, given_options)
    assert set(asked) <= {"home_address", "home_address_kana"} and set(asked.values()) <= {"building_unclear"}
    changes = [change for change in changes if change.key not in asked]
    after = stored_crew(current, encode(SMARTHR, changes, current, given_options))
    assert {c.key for c in differences(source, after)} == asked.keys()
    assert {c.key for c in differences(after, source) if source[c.key] is not BLANK} == asked.keys()

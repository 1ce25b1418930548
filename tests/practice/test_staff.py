"""The invented staff: the stories hold, equal people are equal, and it works on any day."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.staff.lists import FEMALE_NAMES, MALE_NAMES, SURNAMES, TOWNS
from app.practice.staff.practice_company import (
    BASE_SIZE,
    FREEE_COMPANY_ID,
    GROUPS,
    PracticeCompany,
    build_company,
    expected_counts,
)
from app.practice.staff.scenarios import Scenario
from app.practice.vendor_kit.limits import FAST
from tests.contracts.openapi_checks import check_response, load_contract

TODAY = date(2026, 11, 22)
DAYS = [TODAY, date(2027, 1, 1), date(2028, 2, 29), date(2026, 12, 31), date(2027, 3, 21)]
SMALL = str.maketrans("ァィゥェォッャュョ", "アイウエオツヤユヨ")


@pytest.fixture(scope="module")
def company() -> PracticeCompany:
    return build_company(TODAY)


def sides(company: PracticeCompany) -> list[tuple[Scenario, dict[str, Any] | None, dict[str, Any] | None]]:
    """Every story with the crew as the API shows it and the employee."""
    crews = {each["id"]: each for each in smarthr_of(create_smarthr(company)).crews}
    employees = {each["id"]: each for each in company.employees}
    return [(s, crews.get(s.crew_id or ""), employees.get(s.employee_id or 0)) for s in company.scenarios]


def plain(text: str | None) -> str:
    """Text without what only looks different: width, blanks, hyphens, small kana."""
    wide = unicodedata.normalize("NFKC", text or "")
    return wide.replace("-", "").replace(" ", "").replace("−", "").translate(SMALL)


def of_crew(crew: Mapping[str, Any]) -> dict[str, Any]:
    """A crew's items in a form that can be held against `of_employee`; written for this test, not shared with it."""
    account = (crew["bank_accounts"] or [None])[0]
    return {
        "number": crew["emp_code"] or "",
        "names": [crew["last_name"], crew["first_name"]],
        "kana": [plain(crew["last_name_yomi"]), plain(crew["first_name_yomi"])],
        "dates": [crew["birth_at"], crew["entered_at"], crew["resigned_at"]],
        "gender": crew["gender"],
        "title": crew["position"] or "",
        "flags": [crew["having_spouse"], crew["working_student_flag"]],
        "widow": {None: "na", "single_parent": "one_parent"}.get(crew["widow_type"], crew["widow_type"]),
        "disability": {None: "na", "ordinary_handicapped": "general"}.get(crew["handicapped_type"], "heavy"),
        "home": place_of_crew(crew["address"]),
        "registered": place_of_crew(crew["resident_card_address"]),
        "phone": plain(crew["tel_number"]),
        "account": account
        and [
            account["bank_code"],
            account["bank_branch_code"],
            {"saving": "ordinary", "checking": "current", "deposit": "saving"}[account["account_type"]],
            account["account_number"],
            plain(account["account_holder_name"]),
        ],
        "employment insurance": plain(crew["emp_ins_insured_person_number"]),
        "pension": plain(crew["basic_pension_number"]),
        "insured": [crew["hel_ins_insured_person_number"], crew["soc_ins_insured_person_number"]],
        "income": [crew["monthly_standard_income_hel"], crew["monthly_standard_income_pns"]],
    }


def place_of_crew(place: Mapping[str, Any] | None) -> list[Any] | None:
    if place is None:
        return None
    prefecture = next(t for t in TOWNS if t.prefecture == place["pref"])
    reading = plain(place["literal_yomi"]).removeprefix(plain(prefecture.prefecture_kana))
    text = plain(place["city"] + place["street"] + place["building"])
    return [plain(place["zip_code"]), prefecture.code, text, reading]


def of_employee(employee: Mapping[str, Any]) -> dict[str, Any]:
    profile, bank = employee["profile_rule"], employee["bank_account_rule"]
    rules = [employee["health_insurance_rule"], employee["welfare_pension_insurance_rule"]]
    return {
        "number": employee["num"],
        "names": [profile["last_name"], profile["first_name"]],
        "kana": [plain(profile["last_name_kana"]), plain(profile["first_name_kana"])],
        "dates": [employee["birth_date"], employee["entry_date"], employee["retire_date"]],
        "gender": profile["gender"],
        "title": profile["title"] or "",
        "flags": [profile["married"], profile["is_working_student"]],
        "widow": profile["widow_type"],
        "disability": profile["disability_type"],
        "home": place_of_employee(profile, "residential_"),
        "registered": place_of_employee(profile, ""),
        "phone": "".join(profile[f"phone{n}"] or "" for n in (1, 2, 3)),
        "account": bank["bank_code"]
        and [
            bank["bank_code"],
            bank["branch_code"],
            bank["account_type"],
            bank["account_number"],
            plain(bank["account_name"]),
        ],
        "employment insurance": employee["employment_insurance_reference_number"],
        "pension": employee["base_pension_num"] or "",
        "insured": [int(rule["reference_num"]) for rule in rules],
        "income": [rule["standard_monthly_remuneration"] for rule in rules],
    }


def place_of_employee(profile: Mapping[str, Any], prefix: str) -> list[Any] | None:
    if profile[f"{prefix}prefecture_code"] == -1:
        return None
    return [
        profile[f"{prefix}zipcode1"] + profile[f"{prefix}zipcode2"],
        profile[f"{prefix}prefecture_code"],
        plain(profile[f"{prefix}address"]),
        plain(profile[f"{prefix}address_kana"]),
    ]


def test_the_company_is_big_and_calm_enough(company: PracticeCompany) -> None:
    assert len(company.scenarios) == BASE_SIZE >= 60
    outcomes = Counter(scenario.to_freee for scenario in company.scenarios)
    assert outcomes["equal"] > len(company.scenarios) / 2
    wanted = {"equal", "update", "create", "not_offered", "fail:E1", "review:E8", "review:link_ambiguous", "review:E16"}
    assert wanted <= set(outcomes)
    assert {"update", "create", "review:E16", "review:E8"} <= {scenario.to_smarthr for scenario in company.scenarios}


@pytest.mark.parametrize("today", DAYS)
def test_equal_people_are_equal_and_different_ones_are_not(today: date) -> None:
    checked = Counter[str]()
    for scenario, crew, employee in sides(build_company(today, extra=120)):
        if crew and employee and employee["payroll_calculation"] and scenario.to_freee in ("equal", "update"):
            told = of_crew(crew) == of_employee(employee)
            assert told == (scenario.to_freee == scenario.to_smarthr == "equal"), scenario.note
            checked[scenario.to_freee] += 1
    assert checked["equal"] > 140
    assert checked["update"] > 15


def test_outside_payroll_freee_has_no_rules(company: PracticeCompany) -> None:
    (outside,) = [each for each in company.employees if not each["payroll_calculation"]]
    assert all(value is None for name, value in outside.items() if name.endswith("_rule"))
    assert outside["company_reference_date_rule_name"] is None


@pytest.mark.parametrize("today", DAYS)
def test_the_reference_date_decides_who_is_offered(today: date) -> None:
    for scenario, crew, employee in sides(build_company(today)):
        for outcome, record, hired, left in (
            (scenario.to_freee, crew, "entered_at", "resigned_at"),
            (scenario.to_smarthr, employee, "entry_date", "retire_date"),
        ):
            if record is None:
                assert outcome == "", scenario.note
                continue
            inside = (record[hired] or "") <= today.isoformat() <= (record[left] or "9999")
            assert (outcome != "not_offered") == inside, scenario.note


def test_stories_say_what_the_records_show(company: PracticeCompany) -> None:
    numbers = Counter(crew["emp_code"] for crew in company.crews)
    for scenario, crew, employee in sides(company):
        if crew is not None:
            assert (scenario.to_freee == "fail:E1") == (crew["entered_at"] is None), scenario.note
            assert (scenario.to_freee == "fail:E2") == (crew["birth_at"] is None), scenario.note
            asked = scenario.to_freee == "review:E8"
            assert asked == (crew["emp_code"] is None or numbers[crew["emp_code"]] > 1), scenario.note
        if "create" in (scenario.to_freee, scenario.to_smarthr):
            assert (crew is None) != (employee is None), scenario.note
        if "update" in (scenario.to_freee, scenario.to_smarthr):
            assert crew is not None, scenario.note
            assert employee is not None, scenario.note


def test_every_case_of_the_domain_is_there(company: PracticeCompany) -> None:
    profiles = [each["profile_rule"] for each in company.employees if each["profile_rule"]]
    assert any(each["residential_prefecture_code"] == 0 for each in profiles)
    assert any(each["widow_type"] == "widower" for each in profiles)
    assert any(each["gender"] == "unselected" for each in profiles)
    assert any(each["emp_code"] == "00123" for each in company.crews)
    assert any("9900" in str(each["bank_accounts"]) for each in company.crews)
    assert any((each["address"] or {}).get("country_number") == "702" for each in company.crews)
    assert any((each["address"] or {}).get("building") for each in company.crews)
    assert {each["pay_schedule"] for each in company.employees} == {"正社員", "アルバイト", "役員", None}
    kinds = {(each["bank_account_rule"] or {}).get("account_type") for each in company.employees}
    assert {"ordinary", "current", "saving"} <= kinds
    created = [s for s in company.scenarios if s.to_freee == "create"]
    assert len(created) == 3


def test_nobody_looks_like_anybody_else_except_the_one_told(company: PracticeCompany) -> None:
    crews = smarthr_of(create_smarthr(build_company(TODAY, extra=3000))).crews
    same = Counter((c["last_name_yomi"], c["first_name_yomi"], c["birth_at"]) for c in crews)
    assert max(same.values()) == 1
    for records in (company.crews, company.employees):
        assert len({each["id"] for each in records}) == len(records)


def test_the_same_day_gives_the_same_people_and_another_day_the_same_ids() -> None:
    assert build_company(TODAY, extra=50).crews == build_company(TODAY, extra=50).crews
    assert build_company(TODAY).employees == build_company(TODAY).employees
    earlier, later = build_company(TODAY), build_company(date(2028, 2, 29))
    assert [c["id"] for c in earlier.crews] == [c["id"] for c in later.crews]


def test_freee_could_hold_every_value(company: PracticeCompany) -> None:
    for employee in company.employees:
        assert employee["company_id"] == FREEE_COMPANY_ID
        assert len(employee["employment_insurance_reference_number"]) in (0, 11)
        assert len(employee["base_pension_num"] or "0" * 10) == 10
        profile, bank = employee["profile_rule"], employee["bank_account_rule"]
        if profile is None:
            continue
        assert [len(profile[f"phone{n}"] or "") <= most for n, most in ((1, 5), (2, 4), (3, 4))] == [True] * 3
        assert [len(bank[name] or "0" * n) for name, n in (("bank_code", 4), ("branch_code", 3))] == [4, 3]
        assert len(bank["account_number"] or "0" * 7) == 7


def test_smarthr_shows_them_as_its_contract_says(company: PracticeCompany) -> None:
    contract = load_contract("smarthr")
    check_response(contract, "GET", "/v1/crews", 200, smarthr_of(create_smarthr(company)).crews)


def test_telephones_and_mails_belong_to_nobody(company: PracticeCompany) -> None:
    big = build_company(TODAY, extra=200)
    for crew in big.crews:
        tel = (crew["tel_number"] or "").replace("-", "")
        assert tel == "" or tel.startswith(("0900", "030", "039999"))
        assert (crew["email"] or "@example.com").endswith("@example.com")


def test_the_lists_are_clean() -> None:
    assert len({town.zip_code for town in TOWNS}) == len(TOWNS)
    for names in (SURNAMES, MALE_NAMES, FEMALE_NAMES):
        assert len({name for name, _ in names}) == len(names)


# ── generated people ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("share", "equal"), [(1.0, 400), (0.95, 380), (0.5, 200), (0.0, 0)])
def test_the_share_of_equal_people_is_kept(share: float, equal: int) -> None:
    scenarios = build_company(TODAY, extra=400, equal_share=share).scenarios[BASE_SIZE:]
    outcomes = Counter(scenario.to_freee for scenario in scenarios)
    assert outcomes["equal"] == equal
    assert outcomes["create"] == (400 - equal) // 10


def test_ten_thousand_have_numbers_of_their_own() -> None:
    company = build_company(TODAY, extra=10_000)
    state = smarthr_of(create_smarthr(company, rates=FAST)).state
    assert len(state.crews) == len(company.crews)
    numbers = Counter(each["num"] for each in company.employees)
    assert [number for number, count in numbers.items() if count > 1] == []


@pytest.mark.parametrize("extra", [0, 40, 1000])
def test_expected_counts_follow_from_the_number_of_people(extra: int) -> None:
    company = build_company(TODAY, extra=extra)
    for direction, outcomes in (
        ("smarthr_to_freee", [s.to_freee for s in company.scenarios]),
        ("freee_to_smarthr", [s.then_back for s in company.scenarios]),
    ):
        everybody = [each for each in outcomes if each]
        counts = expected_counts(direction, len(everybody), today=TODAY)
        assert sum(counts.values()) == len(everybody)
        assert counts["unchanged"] == everybody.count("equal")
        assert counts["succeeded"] == everybody.count("update") + everybody.count("create")
        assert counts.get("left_out", 0) == everybody.count("not_offered")


def test_the_expected_outcomes_are_keyed_by_the_sources_ids(company: PracticeCompany) -> None:
    assert set(company.expected["smarthr_to_freee"]) == {each["id"] for each in company.crews}
    assert set(company.expected["freee_to_smarthr"]) == {str(each["id"]) for each in company.employees}


def test_the_groups_pay_in_the_same_and_in_the_next_month() -> None:
    told = {each["name"]: (each["closing_day"], each["pay_day"], each["month_of_pay_day"]) for each in GROUPS}
    assert told["アルバイト"] == (31, 15, "next_month")
    assert told["役員"][0] == 20
    assert told["正社員"][2] != "next_month"

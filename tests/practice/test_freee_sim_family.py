"""freee simulator: family members, written in one list."""

from __future__ import annotations

from typing import Any

import pytest

from tests.practice.freee_house import REGULAR, Caller, refused


@pytest.fixture
def caller() -> Caller:
    return Caller()


CHILD = {
    "last_name": "試験",
    "first_name": "花",
    "gender": "female",
    "relationship": "child",
    "birth_date": "2020-02-29",
    "residence_type": "live_in",
    "income": 0,
    "annual_revenue": 0,
    "disability_type": "na",
    "social_insurance_and_tax_dependent": "social_insurance_and_tax",
}


def put_family(caller: Caller, *entries: dict[str, Any], month: int = 4) -> Any:
    path = f"/api/v1/employees/{REGULAR}/dependent_rules/bulk_update"
    answer = caller.send("PUT", path, year=2026, month=month, employee_dependent_rules=list(entries))
    return answer["employee_dependent_rules"] if caller.status == 200 else answer


def test_family_without_id_is_created_and_listed(caller: Caller) -> None:
    made = put_family(caller, CHILD)
    assert made == caller.rule("dependent_rules") == caller.employee()["dependent_rules"]
    again = put_family(caller, CHILD)
    assert len(again) == 2  # a repetition duplicates


def test_family_with_id_is_changed_and_destroyed(caller: Caller) -> None:
    child = put_family(caller, {**CHILD, "occupation": "園児"})[0]
    changed = put_family(caller, {**CHILD, "id": child["id"], "first_name": "華"})
    assert [(each["first_name"], each["occupation"]) for each in changed] == [("華", "園児")]
    assert put_family(caller, {**CHILD, "id": child["id"], "destroy": True}) == []
    put_family(caller, {**CHILD, "id": child["id"]})
    refused(caller, saying="家族情報")


def test_family_not_named_stays_or_goes(caller: Caller) -> None:
    first = put_family(caller, CHILD)[0]
    assert len(put_family(caller, {**CHILD, "first_name": "葉"})) == 2
    caller.switch("omitted_dependents", "delete")
    assert [each["id"] for each in put_family(caller, {**CHILD, "id": first["id"]})] == [first["id"]]


def test_family_has_months_as_well(caller: Caller) -> None:
    put_family(caller, CHILD, month=6)
    assert caller.rule("dependent_rules", month=5) == []
    assert len(caller.rule("dependent_rules", month=7)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"income": None},
        {"relationship": "cousin"},
        {"phone1": "09000"},
        {"employment_insurance_receive_status": "unselected", "employment_insurance_receives_from": "2026-01-01"},
        {"employment_insurance_receives_from": "2026-01-01"},
        {"id": "1"},
    ],
)
def test_family_is_checked(caller: Caller, changes: dict[str, Any]) -> None:
    put_family(caller, {**CHILD, **changes})
    refused(caller)
    assert caller.rule("dependent_rules") == []


def test_what_the_residence_makes_needless_is_ignored(caller: Caller) -> None:
    place = {"zipcode1": "100", "prefecture_code": 12, "address": "千代田区", "annual_remittance_amount": 5}
    near = put_family(caller, {**CHILD, **place})[0]
    assert (near["zipcode1"], near["prefecture_code"], near["address"], near["annual_remittance_amount"]) == (
        None,
        None,
        None,
        0,
    )
    far = put_family(caller, {**CHILD, **place, "residence_type": "non_resident"})[-1]
    assert (far["prefecture_code"], far["address"]) == (None, "千代田区")
    apart = put_family(caller, {**CHILD, **place, "residence_type": "resident"})[-1]
    assert apart["prefecture_code"] == 12


def test_family_must_be_a_list(caller: Caller) -> None:
    path = f"/api/v1/employees/{REGULAR}/dependent_rules/bulk_update"
    caller.send("PUT", path, year=2026, month=4, employee_dependent_rules={"0": CHILD})
    refused(caller, saying="形式")

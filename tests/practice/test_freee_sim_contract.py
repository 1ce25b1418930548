"""freee simulator: its field tables against the vendor's request schemas, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from app.practice.freee import fields as fields
from app.practice.freee.checks import BOOLEAN, DATE, INTEGER, NUMBER, Field
from tests.practice.freee_house import need_contract, or_skip

BODIES: dict[str, tuple[Field, ...]] = {
    "ApiV1EmployeeCreateRequestSerializer": fields.CREATE,
    "ApiV1EmployeeUpdateRequestSerializer": fields.UPDATE,
    "ApiV1EmployeesProfileRuleUpdateRequestSerializer": fields.PROFILE,
    "ApiV1EmployeesBasicPayRuleUpdateRequestSerializer": fields.BASIC_PAY,
    "ApiV1EmployeesBankAccountRuleUpdateRequestSerializer": fields.BANK,
    "ApiV1EmployeesHealthInsuranceRuleUpdateRequestSerializer": fields.HEALTH,
    "ApiV1EmployeesWelfarePensionInsuranceRuleUpdateRequestSerializer": fields.PENSION,
    "ApiV1EmployeesDependentRuleUpdateRequestSerializer": (
        fields.DEPENDENT_ID,
        fields.DESTROY,
        *fields.DEPENDENT,
    ),
    "ApiV1GroupCreateRequestParams": fields.GROUP_MASTER,
    "ApiV1PositionRequestParams": fields.POSITION_MASTER,
}
ANSWERS: dict[str, tuple[Field, ...]] = {
    "ApiV1EmployeesProfileRuleSerializer": fields.PROFILE,
    "ApiV1EmployeesBasicPayRuleSerializer": fields.BASIC_PAY,
    "ApiV1EmployeesBankAccountRuleSerializer": fields.BANK,
    "ApiV1EmployeesHealthInsuranceRuleSerializer": fields.HEALTH,
    "ApiV1EmployeesWelfarePensionInsuranceRuleSerializer": fields.PENSION,
}
TYPES = {INTEGER: "integer", NUMBER: "number", BOOLEAN: "boolean"}


def schema_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = need_contract()["components"]["schemas"][name]
    return found


@pytest.mark.parametrize("name", BODIES)
def test_the_table_names_the_fields_of_the_contract(name: str) -> None:
    assert {each.name for each in BODIES[name]} == set(schema_of(name)["properties"])


@pytest.mark.parametrize("name", BODIES)
def test_the_table_requires_what_the_contract_requires(name: str) -> None:
    assert {each.name for each in BODIES[name] if each.required} == set(schema_of(name).get("required", ()))


@pytest.mark.parametrize("name", BODIES)
def test_types_limits_and_choices_are_those_of_the_contract(name: str) -> None:
    properties = schema_of(name)["properties"]
    for field in BODIES[name]:
        declared = properties[field.name]
        assert declared["type"] == TYPES.get(field.kind, "string"), field.name
        assert declared.get("minimum") == field.low, field.name
        assert declared.get("maximum") == field.high, field.name
        assert declared.get("minLength", 0) == field.shortest, field.name
        assert bool(declared.get("nullable")) == field.nullable, field.name
        if field.kind != DATE:
            assert declared.get("maxLength") == (field.digits or field.longest), field.name
        choices = {each for each in declared.get("enum", ()) if each is not None}
        assert choices == set(field.choices), field.name


@pytest.mark.parametrize("name", ANSWERS)
def test_a_blank_is_something_the_contract_lets_freee_answer(name: str) -> None:
    """Except what is always set: names are texts, and a pay rule is never blank."""
    properties = schema_of(name)["properties"]
    for field in ANSWERS[name]:
        if field.required:
            continue
        declared = properties[field.name]
        if field.blank is None:
            assert declared.get("nullable"), field.name
        elif "enum" in declared:
            assert field.blank in declared["enum"], field.name


def test_year_and_month_have_the_range_of_the_contract() -> None:
    body = schema_of("ApiV1EmployeesProfileRulesController.update_body")["properties"]
    for field in (fields.YEAR, fields.MONTH):
        assert (body[field.name]["minimum"], body[field.name]["maximum"]) == (field.low, field.high)


def test_a_missing_contract_is_a_skip_and_an_error_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="CONTRACTS_DIR"):
        or_skip(None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CONTRACTS_DIR"):
        or_skip(None)

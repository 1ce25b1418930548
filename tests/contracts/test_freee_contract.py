"""freee's own contract: every request that our client sends and every answer that the practice company gives is in it.

The whole life of employees is played once per reading of what freee does not document, and each exchange on the wire is
held against the published file.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app.adapters.freee.bodies import RULES, TOP_LEVEL
from app.adapters.freee.schemas import (
    BankAccountRuleSchema,
    CompanySchema,
    DirectoryRowSchema,
    EmployeeSchema,
    InsuranceRuleSchema,
    ProfileRuleSchema,
)
from app.domain.employee import EmployeeRecord
from app.domain.enums import Step
from app.domain.errors import AwaseError
from app.domain.mapping import FIELDS
from app.domain.ports import CreateRequest
from app.domain.reading import take_snapshot
from app.domain.snapshot import BLANK, FieldState, is_value
from tests.adapters.freee_world import (
    CLOSES_ON_20,
    DECEMBER,
    EXPORT,
    LEFT_LAST_YEAR,
    NEXT_MONTH_PAYER,
    NOVEMBER,
    OPTIONS,
    OUTSIDE_PAYROLL,
    SAME_MONTH_PAYER,
    TODAY,
    Exchange,
    Steps,
    World,
    change,
    freee_world,
)
from tests.contracts.openapi_checks import Contract, check_request, check_response, load_contract

READINGS: list[dict[str, Any]] = [
    {},
    {"omitted_field": "clear", "kana": "any", "null_on_non_nullable": "clear", "rules_of_new_employee": "null"},
    {"outside_payroll_profile": "object", "unknown_employee_subresource": 404, "gender_month": "monthly"},
    {"expired_status": 403, "employment_month": "calendar", "list_order": "reverse", "num_unique": True},
]


@pytest.fixture(scope="module")
def contract() -> Contract:
    loaded = load_contract("freee")
    return replace(loaded, answers=null_beside_enum(copy.deepcopy(loaded.answers)))


def null_beside_enum(node: Any) -> Any:
    """`nullable: true` beside an `enum` without null means that null may come: freee's prose says so (householder)."""
    if isinstance(node, dict):
        if node.get("nullable") is True and isinstance(node.get("enum"), list):
            node["enum"] = [*node["enum"], None]
        for inner in node.values():
            null_beside_enum(inner)
    elif isinstance(node, list):
        for inner in node:
            null_beside_enum(inner)
    return node


def of_the_api(world: World) -> list[Exchange]:
    return [each for each in world.injector.exchanges if each.path.startswith("/hr/")]


def check(contract: Contract, exchange: Exchange) -> None:
    """Both halves of one exchange, and the declared content type of a refusal."""
    path = exchange.path.removeprefix("/hr")
    check_request(contract, exchange.method, path, dict(parse_qsl(exchange.query)), exchange.sent)
    if exchange.status in (401, 403) and exchange.content_type == "application/json" and "code" in exchange.answered:
        # Body C: declared as the second type of a 403; seen in the field under 401 as well.
        assert exchange.answered.keys() == properties(contract, "accessDeniedError").keys()
        return
    check_response(contract, exchange.method, path, exchange.status, exchange.answered)
    if exchange.status in (400, 403, 404):
        assert exchange.content_type == "application/problem+json"


NEWCOMER: dict[str, FieldState] = {
    "last_name": "新田",
    "first_name": "葵",
    "last_name_kana": "ニッタ",
    "first_name_kana": "アオイ",
    "birth_date": date(2001, 2, 3),
    "hired_on": date(2026, 11, 1),
    "gender": "female",
    "having_spouse": False,
    "employee_number": "0900",
}


def quietly(world: World, current: EmployeeRecord, values: Mapping[str, Any]) -> None:
    """Apply; refusals are part of the play."""
    changes = [change(key, value) for key, value in values.items()]
    with contextlib.suppress(AwaseError):
        world.gateway().apply(changes, current, options=OPTIONS, steps=Steps())


def everything_of(world: World, person: int) -> dict[str, Any]:
    """All items of one person as plain values: written to another one, every field of every body is sent."""
    snapshot = take_snapshot(world.read(person), OPTIONS)
    keys = {row.key for row in FIELDS} - {"employee_number", "birth_date", "hired_on", "resigned_on"}
    return {key: snapshot[key] for key in keys if is_value(snapshot[key])}


def play(world: World) -> None:
    """Survey, create, complete, change, clear, leave; and the refusals on the way."""
    world.client().users_me()
    world.gateway().directory(as_of_date=date(2026, 11, 24))
    world.gateway().ids_by_number("0900")
    made = world.gateway().create(
        CreateRequest(
            changes=tuple(change(key, value) for key, value in NEWCOMER.items()),
            as_of_date=TODAY,
            options=OPTIONS,
            export_settings=EXPORT,
        ),
        Steps(),
    )
    whole = everything_of(world, SAME_MONTH_PAYER)
    assert len(whole) > 20
    quietly(world, made, whole)
    quietly(world, world.read(NEXT_MONTH_PAYER), whole)
    quietly(world, world.read(CLOSES_ON_20, DECEMBER), {"title": "執行役員", "resigned_on": date(2027, 3, 31)})
    erasable = {row.key: BLANK for row in FIELDS if row.freee.erased is not None and row.key != "employee_number"}
    quietly(world, world.read(SAME_MONTH_PAYER), erasable)
    quietly(world, world.read(OUTSIDE_PAYROLL), {"employee_number": "V-9", "title": "顧問"})
    refusals(world, made)


def refusals(world: World, made: EmployeeRecord) -> None:
    world.gateway().read(str(LEFT_LAST_YEAR), month=NOVEMBER)
    quietly(world, world.read(int(made.person.id)), {"resigned_on": date(2020, 1, 1)})
    world.freee.expire_access_tokens()
    world.read(SAME_MONTH_PAYER)
    for switch, position in (("ip_restriction", True), ("missing_permission", True), ("role", "self_only")):
        world.freee.injector.set_switch(switch, position)
        with pytest.raises(AwaseError):
            world.read(SAME_MONTH_PAYER)
        world.freee.injector.set_switch(switch, world.freee.injector.declared[switch].default)


@pytest.mark.parametrize("switches", READINGS, ids=["defaults", "mild", "other forms", "other orders"])
def test_every_exchange_is_in_the_contract(contract: Contract, switches: dict[str, Any]) -> None:
    with freee_world(switches) as world:
        play(world)
        exchanges = of_the_api(world)
        for exchange in exchanges:
            check(contract, exchange)

    asked = {(each.method, each.path.rpartition("/")[2]) for each in exchanges}
    assert {("PUT", name) for name in RULES.values()} <= asked
    assert {("GET", "me"), ("GET", "employees"), ("POST", "employees")} <= asked
    assert {each.status for each in exchanges} >= {200, 201, 400, 401, 403, 404}


def test_the_checks_see_a_deviation(contract: Contract) -> None:
    good = {
        "company_id": 1,
        "year": 2026,
        "month": 11,
        "employee_bank_account_rule": {"bank_code": "0001"},
    }
    path = "/api/v1/employees/1/bank_account_rule"
    check_request(contract, "PUT", path, {}, good)
    for bad in (
        {**good, "company_id": "1"},
        {**good, "month": 13},
        {**good, "employee_bank_account_rule": {"bank_code": None}},
        {**good, "employee_bank_account_rule": {"id": 5}},
        {name: value for name, value in good.items() if name != "year"},
    ):
        with pytest.raises(AssertionError):
            check_request(contract, "PUT", path, {}, bad)


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def properties(contract: Contract, name: str) -> dict[str, Any]:
    found: dict[str, Any] = contract.answers["components"]["schemas"][name]["properties"]
    return found


@pytest.mark.parametrize(
    ("schema", "name"),
    [
        (EmployeeSchema, "ApiV1EmployeeSerializer"),
        (DirectoryRowSchema, "ApiV1CompaniesEmployeeSerializer"),
        (ProfileRuleSchema, "ApiV1EmployeesProfileRuleSerializer"),
        (InsuranceRuleSchema, "ApiV1EmployeesHealthInsuranceRuleSerializer"),
        (InsuranceRuleSchema, "ApiV1EmployeesWelfarePensionInsuranceRuleSerializer"),
        (BankAccountRuleSchema, "ApiV1EmployeesBankAccountRuleSerializer"),
        (CompanySchema, "ApiV1UsersCompanySerializer"),
    ],
)
def test_every_field_we_read_is_one_that_freee_answers(contract: Contract, schema: Any, name: str) -> None:
    assert schema().fields.keys() <= properties(contract, name).keys()


def test_every_field_of_the_mapping_is_read_by_a_schema() -> None:
    nested = {
        "profile_rule": ProfileRuleSchema,
        "health_insurance_rule": InsuranceRuleSchema,
        "welfare_pension_insurance_rule": InsuranceRuleSchema,
        "bank_account_rule": BankAccountRuleSchema,
        "": EmployeeSchema,
    }
    for row in FIELDS:
        for path in (*row.freee.paths, *row.freee.beside):
            rule, _, name = path.rpartition(".")
            assert name in nested[rule]().fields, path


def test_an_update_carries_every_top_level_field_but_the_group(contract: Contract) -> None:
    """The group is documented to stay when it is left out; anything else left out might be lost."""
    known = contract.requests["components"]["schemas"]["ApiV1EmployeeUpdateRequestSerializer"]["properties"]

    assert set(TOP_LEVEL) == known.keys() - {"company_reference_date_rule_name"}


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Step.PROFILE, "ProfileRule"),
        (Step.HEALTH_INSURANCE, "HealthInsuranceRule"),
        (Step.PENSION_INSURANCE, "WelfarePensionInsuranceRule"),
        (Step.BANK_ACCOUNT, "BankAccountRule"),
    ],
)
def test_what_a_rule_answers_is_what_its_put_takes(contract: Contract, step: Step, name: str) -> None:
    """So a rule that was read can be sent back whole, its three ids aside."""
    answered = properties(contract, f"ApiV1Employees{name}Serializer").keys()
    schemas = contract.requests["components"]["schemas"]
    taken = schemas[f"ApiV1Employees{name}UpdateRequestSerializer"]["properties"].keys()

    assert answered - taken == {"id", "company_id", "employee_id"}
    assert taken <= answered
    assert RULES[step].replace("_", "") == name.lower()

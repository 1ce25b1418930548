"""FreeeClient over real sockets: what is asked, what comes out, what a refusal does to the next call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.adapters.freee.client import FreeeClient, freee_client
from app.adapters.freee.oauth import FixedToken
from app.adapters.records import UNREADABLE
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.practice.vendor_kit.limits import Rates
from tests.adapters.canned import CannedServer, OpenLimiter, Reply, answer, raw, reset
from tests.adapters.freee_world import (
    COMPANY_ID,
    DECEMBER,
    NOVEMBER,
    OUTSIDE_PAYROLL,
    SAME_MONTH_PAYER,
    World,
    freee_world,
    settings_for,
)

RULE = {"last_name": "佐藤", "first_name": "花子", "last_name_kana": "サトウ", "first_name_kana": "ハナコ"}


@pytest.fixture
def world() -> Iterator[World]:
    with freee_world() as world:
        yield world


def client_of(vendor: CannedServer, limiter: OpenLimiter | None = None) -> FreeeClient:
    return freee_client(settings_for(vendor.url), COMPANY_ID, FixedToken("t0ken"), limiter or OpenLimiter())


def employee(**changes: Any) -> dict[str, Any]:
    return {
        "id": 5,
        "company_id": COMPANY_ID,
        "num": "0005",
        "display_name": "佐藤 花子",
        "base_pension_num": None,
        "employment_insurance_reference_number": "",
        "birth_date": "1990-04-01",
        "entry_date": "2020-04-01",
        "retire_date": None,
        "user_id": None,
        "profile_rule": {**RULE, "id": 1, "company_id": COMPANY_ID, "employee_id": 5},
        "health_insurance_rule": None,
        "welfare_pension_insurance_rule": None,
        "dependent_rules": [],
        "bank_account_rule": None,
        "basic_pay_rule": None,
        "payroll_calculation": True,
        "company_reference_date_rule_name": "正社員",
    } | changes


# ── what is asked ─────────────────────────────────────────────────────────────────────────────────────────────────


def asked(vendor: CannedServer) -> tuple[str, str, dict[str, str]]:
    seen = vendor.seen[-1]
    parts = urlsplit(seen.target)
    return seen.method, parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_the_list_of_everybody_asks_for_full_pages_with_people_outside_payroll(vendor: CannedServer) -> None:
    vendor.will(answer([]))
    client_of(vendor).list_company_employees(200)

    path = f"/hr/api/v1/companies/{COMPANY_ID}/employees"
    assert asked(vendor) == ("GET", path, {"limit": "100", "offset": "200", "with_no_payroll_calculation": "true"})
    assert vendor.seen[0].headers["authorization"] == "Bearer t0ken"


def test_the_list_of_a_month_names_company_and_month(vendor: CannedServer) -> None:
    vendor.will(answer({"employees": [], "total_count": 0}))
    client_of(vendor).list_employees(DECEMBER, 100)

    assert asked(vendor) == (
        "GET",
        "/hr/api/v1/employees",
        {
            "company_id": str(COMPANY_ID),
            "year": "2026",
            "month": "12",
            "limit": "100",
            "offset": "100",
            "with_no_payroll_calculation": "true",
        },
    )


def test_one_person_is_asked_for_with_company_and_month(vendor: CannedServer) -> None:
    vendor.will(answer({"employee": employee()}))
    client_of(vendor).get_employee(5, NOVEMBER)

    assert asked(vendor) == (
        "GET",
        "/hr/api/v1/employees/5",
        {"company_id": str(COMPANY_ID), "year": "2026", "month": "11"},
    )


PUTS: dict[str, Callable[[FreeeClient], Any]] = {
    "profile_rule": lambda client: client.put_profile_rule(5, RULE, month=NOVEMBER),
    "health_insurance_rule": lambda client: client.put_health_insurance_rule(5, RULE, month=NOVEMBER),
    "welfare_pension_insurance_rule": lambda client: client.put_welfare_pension_insurance_rule(5, RULE, month=NOVEMBER),
    "bank_account_rule": lambda client: client.put_bank_account_rule(5, RULE, month=NOVEMBER),
}


@pytest.mark.parametrize("name", PUTS)
def test_a_rule_is_put_in_its_wrapper_with_numbers_as_numbers(vendor: CannedServer, name: str) -> None:
    vendor.will(answer({f"employee_{name}": {"id": 9, "new_field": 1}}))
    answered = PUTS[name](client_of(vendor))

    assert asked(vendor)[:2] == ("PUT", f"/hr/api/v1/employees/5/{name}")
    content = vendor.seen[0].body.decode()
    assert f'"company_id": {COMPANY_ID}, "year": 2026, "month": 11, "employee_{name}": {{' in content
    assert answered == {"id": 9, "new_field": 1}


def test_outside_payroll_an_update_names_no_month(vendor: CannedServer) -> None:
    vendor.will(answer({"employee": employee()}))
    client_of(vendor).update_employee(5, {"num": "1"}, month=None)

    assert vendor.seen[0].body.decode() == f'{{"company_id": {COMPANY_ID}, "employee": {{"num": "1"}}}}'


# ── what comes out ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_keeps_its_rules_whole_and_drops_what_is_not_exchanged(vendor: CannedServer) -> None:
    rule = RULE | {"title": None, "employment_type": "", "field_of_2027": [1]}
    vendor.will(
        answer({"employee": employee(profile_rule=rule, tomorrow="new", dependent_rules=[{"first_name": "x"}])})
    )
    record = client_of(vendor).get_employee(5, NOVEMBER)

    assert record is not None
    assert record["profile_rule"] == rule
    assert record.keys().isdisjoint({"dependent_rules", "basic_pay_rule", "user_id", "company_id", "tomorrow"})


@pytest.mark.parametrize("name", ["individual_number", "my_number", "mynumber", "マイナンバー", "個人番号"])
def test_an_individual_number_does_not_come_in(vendor: CannedServer, name: str) -> None:
    vendor.will(answer({"employee": employee(profile_rule=RULE | {name: "123456789018"})}))
    record = client_of(vendor).get_employee(5, NOVEMBER)

    assert record is not None
    assert record["profile_rule"] == RULE
    assert "123456789018" not in repr(record)


def test_the_login_address_of_the_list_does_not_come_in(world: World) -> None:
    rows = world.client().list_company_employees(0)

    assert len(rows) == 73
    assert all("email" not in row for row in rows)


def test_ids_larger_than_32_bits_come_through(vendor: CannedServer) -> None:
    vendor.will(answer({"employee": employee(id=2**40)}))
    record = client_of(vendor).get_employee(5, NOVEMBER)

    assert record is not None
    assert record["id"] == 2**40


@pytest.mark.parametrize(
    "body",
    [
        {"employee": None},
        {"person": {}},
        [],
    ],
    ids=["no employee", "another name", "a list"],
)
def test_an_answer_of_another_shape_is_not_taken_for_data(vendor: CannedServer, body: Any) -> None:
    vendor.will(answer(body))
    with pytest.raises(TemporaryError) as caught:
        client_of(vendor).get_employee(5, NOVEMBER)

    assert caught.value.code == "unreadable_answer"
    assert "佐藤" not in str(caught.value)
    assert "1990" not in str(caught.value)


@pytest.mark.parametrize(
    ("odd", "path"),
    [
        ({"id": "5"}, "id"),
        ({"birth_date": "1990/04/01"}, "birth_date"),
        ({"profile_rule": RULE | {"prefecture_code": "12"}}, "profile_rule.prefecture_code"),
    ],
    ids=["id as text", "another date form", "code as text"],
)
def test_an_odd_field_of_an_employee_is_named(vendor: CannedServer, odd: dict[str, Any], path: str) -> None:
    vendor.will(answer({"employee": employee(**odd)}))
    record = client_of(vendor).get_employee(5, NOVEMBER)
    assert record is not None
    assert record[UNREADABLE] == [path]
    assert record.keys().isdisjoint({"bank_account_rule", "base_pension_num"})


def test_a_write_answered_in_another_shape_has_an_unknown_outcome(vendor: CannedServer) -> None:
    vendor.will(answer({"ok": True}, status=201))
    with pytest.raises(TemporaryError) as caught:
        client_of(vendor).create_employee(RULE)

    assert caught.value.outcome_unknown


def test_all_companies_of_the_user_are_seen(world: World) -> None:
    assert [company["id"] for company in world.client().users_me()["companies"]] == [7654321, COMPANY_ID]


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_somebody_who_is_not_there_reads_as_none(world: World) -> None:
    assert world.client().get_employee(999999, NOVEMBER) is None


def test_a_write_to_somebody_who_is_not_there_fails_the_employee(world: World) -> None:
    with pytest.raises(ItemError) as caught:
        world.client().update_employee(999999, {"birth_date": "1990-01-01", "entry_date": "2020-01-01"}, month=NOVEMBER)

    assert caught.value.code == "E20"


def test_another_company_is_refused_as_a_missing_right(world: World) -> None:
    with pytest.raises(RunError) as caught:
        world.client(company_id=7654321).get_employee(SAME_MONTH_PAYER, NOVEMBER)

    assert type(caught.value) is RunError
    assert caught.value.code == "E19"


def test_a_reader_without_rights_is_told_so_after_one_look_at_the_open_door(world: World) -> None:
    world.freee.injector.set_switch("role", "self_only")
    with pytest.raises(RunError) as caught:
        world.client().list_company_employees(0)

    assert (type(caught.value), caught.value.code) == (RunError, "E19")
    assert [each.path.rpartition("/")[2] for each in world.injector.exchanges] == ["employees", "me"]
    assert world.limiter.closed == []


def test_the_throttle_says_the_same_words_and_closes_the_connection_for_ten_minutes() -> None:
    with freee_world(rates=Rates(freee_burst=3)) as world:
        client = world.client()
        for _ in range(3):
            client.users_me()
        with pytest.raises(TemporaryError) as caught:
            client.list_company_employees(0)

        error = caught.value
        assert (error.code, error.retry_after, error.counts) == ("throttled", 600, False)
        assert world.limiter.closed == [(f"freee:{COMPANY_ID}", 600)]


def test_the_quota_closes_the_connection_until_its_reset() -> None:
    with freee_world(rates=Rates(freee_hour=2)) as world:
        client = world.client()
        client.users_me()
        client.users_me()
        with pytest.raises(TemporaryError) as caught:
            client.users_me()

        assert (caught.value.code, caught.value.counts) == ("rate_limited", False)
        assert [key for key, _ in world.limiter.closed] == [f"freee:{COMPANY_ID}"]
        assert world.freee.injector.calls(path="users/me") == 3


@pytest.mark.parametrize("position", [True, "reauthorize"])
def test_a_missing_app_permission_asks_for_consent_and_tells_the_store(world: World, position: Any) -> None:
    world.freee.injector.set_switch("missing_permission", position)
    with pytest.raises(RunError) as caught:
        world.client().list_company_employees(0)

    assert (caught.value.code, caught.value.needs_consent) == ("needs_consent", True)
    assert world.tokens.consent_wanted == [1]
    assert world.freee.injector.calls("POST", "token") == 0


def test_a_closed_address_list_stops_the_run(world: World) -> None:
    world.freee.injector.set_switch("ip_restriction", True)
    with pytest.raises(RunError) as caught:
        world.client().users_me()

    assert caught.value.code == "E3"


def test_maintenance_is_temporary_and_reads_are_tried_three_times(world: World) -> None:
    world.freee.injector.set_switch("maintenance", True)
    with pytest.raises(TemporaryError) as caught:
        world.client().users_me()

    assert caught.value.code == "E22"
    assert world.freee.injector.calls() == 3


CUT: list[Reply] = [reset(), raw(b"", status=500), raw(b"<html>", status=503)]


@pytest.mark.parametrize("reply", CUT, ids=["cut", "500", "503"])
def test_a_write_is_sent_once_and_its_outcome_is_open(vendor: CannedServer, reply: Reply) -> None:
    vendor.will(reply)
    with pytest.raises(TemporaryError) as caught:
        client_of(vendor).create_employee(RULE)

    assert caught.value.outcome_unknown
    assert len(vendor.seen) == 1


def test_every_call_takes_a_permit_of_its_company(world: World) -> None:
    world.client().list_company_employees(0)

    assert world.limiter.reserved == [f"freee:{COMPANY_ID}"]


def test_calls_are_counted_with_the_refused_ones(world: World) -> None:
    client = world.client()
    world.freee.expire_access_tokens()
    client.users_me()

    assert client.calls == 2


def test_no_personal_value_is_in_an_error(world: World) -> None:
    with pytest.raises(AwaseError) as caught:
        world.client().put_profile_rule(OUTSIDE_PAYROLL, RULE | {"phone1": "0901234567"}, month=NOVEMBER)

    assert "0901234567" not in str(caught.value)
    assert "佐藤" not in str(caught.value)

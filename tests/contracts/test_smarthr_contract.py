"""Everything our client sends and everything the practice tenant answers, held against SmartHR's published contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from flask import Flask, Response, request

from app.adapters.smarthr.registry import SmartHRWebhookRegistry
from app.adapters.smarthr.schemas import CrewSchema, WebhookSchema
from app.adapters.smarthr.webhook import EVENTS
from app.domain.employee import EmployeeRecord
from app.domain.errors import AwaseError
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.ports import CreateRequest
from app.domain.reading import attribute_of
from app.domain.snapshot import BLANK
from app.practice.smarthr.practice_smarthr import SWITCHES
from tests.adapters.smarthr_world import NEW_PERSON, OPTIONS, TODAY, Recorder, SmartHRWorld, changes, open_world
from tests.contracts.openapi_checks import Contract, check_request, check_response, load_contract
from tests.domain.records import plain_of

PREFIX = "/awase-renshu/api"


@dataclass
class Traffic:
    """What went over the wire, seen at the vendor's door."""

    exchanges: list[tuple[str, str, dict[str, str], Any, int, Any]] = field(default_factory=list)

    def listen(self, app: Flask) -> None:
        @app.after_request
        def keep(response: Response) -> Response:
            if not request.path.startswith("/_practice"):
                body = json.loads(request.get_data() or b"null")
                answer = json.loads(response.get_data() or b"null")
                path = request.path.removeprefix(PREFIX)
                self.exchanges.append(
                    (request.method, path, request.args.to_dict(), body, response.status_code, answer)
                )
            return response

    def check(self, contract: Contract, *, answers: bool = True) -> None:
        assert self.exchanges
        for method, path, query, body, status, answer in self.exchanges:
            check_request(contract, method, path, query, body)
            if answers:
                check_response(contract, method, path, status, answer, sparse="fields" in query)


@pytest.fixture
def contract() -> Contract:
    return load_contract("smarthr")


@pytest.fixture
def world() -> Iterator[SmartHRWorld]:
    opened = open_world(extra=40)
    yield opened
    opened.server.stop()


@pytest.fixture
def traffic(world: SmartHRWorld) -> Traffic:
    traffic = Traffic()
    traffic.listen(world.app)
    return traffic


def new_person(world: SmartHRWorld, **changed: Any) -> EmployeeRecord:
    request_ = CreateRequest(tuple(changes(**(NEW_PERSON | changed))), TODAY, OPTIONS)
    return world.gateway().create(request_, Recorder())


LATER: dict[str, Any] = {
    "registered_zip_code": "106-0041",
    "registered_prefecture": "東京都",
    "registered_address": "港区麻布台1-2-3",
    "registered_address_kana": "トウキョウトミナトクアザブダイ",
    "widow_type": "single_parent",
    "disability_type": "special",
    "working_student": True,
    "employment_insurance_number": "1234-567890-1",
    "basic_pension_number": "1234-567890",
    "pension_insured_number": "7",
    "health_standard_income": 300_000,
    "pension_standard_income": 300_000,
    "resigned_on": date(2026, 10, 31),
    "bank_account_number": "7654321",
}
_SAID = {attribute_of(path) for key in NEW_PERSON | LATER for path in BY_KEY[key].smarthr.paths}
LATER |= {row.key: plain_of(row) for row in FIELDS if attribute_of(row.smarthr.paths[0]) not in _SAID}
"""What the new person gets by a change: what the creation says nothing of."""


def everything(world: SmartHRWorld) -> None:
    """Every call of the client, with every item filled, cleared and changed."""
    gateway = world.gateway()
    gateway.directory(as_of_date=TODAY)
    gateway.known_positions()
    gateway.ids_by_number("0001")
    gateway.read("1f0c6c0e-0000-4c39-9d7e-0d5a7a5b1c11", month=None)
    created = new_person(world)
    after = gateway.apply(
        changes(**LATER),
        created,
        options=OPTIONS,
        steps=Recorder(),
    )
    clearable = [row.key for row in FIELDS if row.smarthr.erased is not None and not row.key.startswith("home_")]
    gateway.apply(changes(**dict.fromkeys(clearable, BLANK)), after, options=OPTIONS, steps=Recorder())
    webhooks(world)


def webhooks(world: SmartHRWorld) -> None:
    """A registration from its first day to its last, found disabled in between."""
    registry = SmartHRWebhookRegistry(world.client())
    made = registry.register(url="https://awase.example/hook", secret="first", description="Awase")
    world.tenant.state.webhooks[made.id]["disabled_at"] = "2026-11-22"
    registry.registrations()
    registry.repair(made.id, url="https://awase.example/hook", secret="second")
    registry.remove(made.id)


def test_every_request_and_every_answer(world: SmartHRWorld, traffic: Traffic, contract: Contract) -> None:
    everything(world)
    traffic.check(contract)
    operations = {(method, path.split("/")[2], len(path.split("/"))) for method, path, *_ in traffic.exchanges}
    assert operations == {
        ("GET", "crews", 3),
        ("GET", "crews", 4),
        ("POST", "crews", 3),
        ("PATCH", "crews", 4),
        ("GET", "job_titles", 3),
        ("GET", "webhooks", 3),
        ("POST", "webhooks", 3),
        ("PATCH", "webhooks", 4),
        ("DELETE", "webhooks", 4),
    }
    assert {status for *_, status, _ in traffic.exchanges} == {200, 201, 204, 404}


def test_every_item_was_in_a_request(world: SmartHRWorld, traffic: Traffic) -> None:
    everything(world)
    sent = {name for _, path, _, body, *_ in traffic.exchanges if "/crews" in path for name in body or ()}
    wanted = {row.smarthr.paths[0].partition(".")[0].replace("bank_account", "bank_accounts") for row in FIELDS}
    assert sent == wanted | {"emp_status"}


SWITCHED = [(switch.name, value) for switch in SWITCHES for value in switch.allowed or () if value != switch.default]
SWITCHED += [("hidden_attributes", ["birth_at", "bank_accounts", "address"]), ("forbidden", ["crews:write"])]

REFUSED_WITH = {
    "maintenance": "maintenance",
    "inactive_subdomain": "smarthr_subdomain_inactive",
    "ip_not_permitted": "ip_not_permitted",
    "token_revoked": "E18",
    "plan_limit": "plan_limit",
    "forbidden": "E19",
    "hidden_attributes": "bank_incomplete",  # of the hidden account only the number was to be written
    "duplicate_emp_code": "E8",
}
"""Switches that end in a refusal of ours or of the vendor; with every other one all of it goes through."""


@pytest.mark.parametrize(("name", "value"), SWITCHED)
def test_the_other_position_of_each_switch(
    world: SmartHRWorld, traffic: Traffic, contract: Contract, name: str, value: Any
) -> None:
    world.injector.set_switch(name, value)
    code = None
    try:
        everything(world)
        new_person(world)
        new_person(world)  # with the number of the one before
    except AwaseError as error:
        code = error.code
    assert code == REFUSED_WITH.get(name)
    # The answer of a renamed tenant is documented not to be the envelope.
    traffic.check(contract, answers=name != "inactive_subdomain")


def test_our_schema_names_only_what_the_contract_knows(contract: Contract) -> None:
    crew = contract.answers["definitions"]["Crew"]["properties"]
    webhook = contract.answers["definitions"]["Webhook"]["properties"]
    assert not set(CrewSchema().fields) - set(crew)
    assert not set(WebhookSchema().fields) - set(webhook)


def test_our_events_are_all_there_are(contract: Contract) -> None:
    properties = contract.requests["definitions"]["postV1Webhooks"]["properties"]
    switches = {name for name, schema in properties.items() if schema.get("type") == "boolean"}
    assert switches == {*EVENTS, "expose_only_id"}


def test_what_the_contract_requires_of_a_read_is_tolerated_when_null(contract: Contract) -> None:
    required = contract.answers["definitions"]["Crew"]["required"]
    loaded = CrewSchema().load(dict.fromkeys(required) | {"id": "c-1"})
    assert loaded["id"] == "c-1"

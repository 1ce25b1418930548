"""The OpenAPI document is valid, complete, and shown without a request to anybody else."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from app.factory import create_app
from app.use_cases.accounts.api_keys import Scope
from app.web.api import request_schemas
from app.web.api.response_schemas import shows
from app.web.http.problems import FIELD_PROBLEMS, PROBLEMS
from tests.web.test_web_scopes import ROUTES
from tests.web.world import World


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").json
    return found


def operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, described in methods.items():
            if method != "parameters":
                yield method.upper(), path, described


def test_the_document_is_valid_openapi(spec: dict[str, Any]) -> None:
    validate(spec)
    assert spec["openapi"].startswith("3.1")
    assert spec["servers"] == [{"url": "http://localhost"}]


def test_two_applications_describe_themselves_alike(world: World, spec: dict[str, Any]) -> None:
    assert create_app(world.ctx).test_client().get("/api/openapi.json").json == spec


def test_every_route_names_its_scope(spec: dict[str, Any]) -> None:
    described = {(method, path): d["security"] for method, path, d in operations(spec)}
    expected = {(method, re.sub(r"<\w+:(\w+)>", r"{\1}", rule)): scope for (method, rule), scope in ROUTES.items()}
    assert described == {route: [{"apiKey": [str(scope)]}] for route, scope in expected.items()}
    for scope in Scope:
        assert f"`{scope}`" in spec["components"]["securitySchemes"]["apiKey"]["description"]


def test_every_error_is_described_as_a_problem(spec: dict[str, Any]) -> None:
    for method, path, described in operations(spec):
        assert {"401", "403", "429", "500", "503"} <= set(described["responses"]), (method, path)
        for status, answer in described["responses"].items():
            kind = "application/json" if int(status) < 400 else "application/problem+json"
            assert list(answer["content"]) == [kind], (method, path, status)
            if kind.endswith("problem+json"):
                assert answer["content"][kind]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_every_operation_is_told_in_words(spec: dict[str, Any]) -> None:
    for method, path, described in operations(spec):
        assert described["summary"], (method, path)


def test_every_request_field_speaks_in_codes_that_exist() -> None:
    """A message of the library (English, without a code) must not reach a caller."""
    found = [s for s in vars(request_schemas).values() if isinstance(s, type) and issubclass(s, request_schemas.Schema)]
    fields = [field for schema in found for field in schema().fields.values()]
    assert len(fields) > 10
    for field in fields:
        assert set(field.error_messages.values()) <= set(FIELD_PROBLEMS), field.name


@dataclasses.dataclass(frozen=True)
class _Person:
    number: str
    name: str = dataclasses.field(repr=False)


def test_what_a_view_hides_gets_into_no_answer_by_itself() -> None:
    with pytest.raises(TypeError, match="name"):
        shows(_Person, "Person")
    assert list(shows(_Person, "Person", without=("name",))().fields) == ["number"]
    assert list(shows(_Person, "Person", name="")().fields) == ["number", "name"]


def test_the_page_names_every_operation_and_code(client: FlaskClient, spec: dict[str, Any]) -> None:
    text = client.get("/api/docs").text
    assert "{source}" not in text and "{again}" not in text
    for method, path, _ in operations(spec):
        assert f"{method} {path}" in text
    for code in PROBLEMS:
        assert f'id="{code}"' in text
    for name in ("Run", "Item", "Problem", "StartRun"):
        assert f'id="{name}"' in text


def test_the_page_of_the_api_loads_nothing_from_anywhere(client: FlaskClient) -> None:
    path = "/api/docs"
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
    assert nonce and f'<style nonce="{nonce[1]}">' in answer.text
    assert policy.startswith("default-src 'none'")
    assert not re.search(r"<script|<img|<link|@import|url\(|style=|\bon\w+=", answer.text)
    assert client.get(path).headers["Content-Security-Policy"] != policy, "a nonce is used once"


def test_no_link_of_a_page_is_dead(app: Flask) -> None:
    client = app.test_client()
    for page in ("/sign-in", "/api/docs"):
        text = client.get(page).text
        for link in set(re.findall(r'href="([^"]+)"', text)):
            if link.startswith("#"):
                assert f'id="{link[1:]}"' in text, link
            else:
                assert client.get(link, follow_redirects=True).status_code == 200, link

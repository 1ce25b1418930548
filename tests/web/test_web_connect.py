"""The page freee sends the administrator back to: how it ended, and what to do."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from app.domain.errors import AwaseError, RunError, TemporaryError
from app.factory import create_app
from app.use_cases.connections import connections
from app.web.screens.connections.consent import CALLBACK, REMEDIES, callback_url
from tests.web.world import KEY, World

CODE = "an-invented-authorization-code"


def begin(world: World) -> str:
    url = connections.begin_consent(world.ctx, KEY, redirect_uri=callback_url(world.ctx.settings))
    return parse_qs(urlsplit(url).query)["state"][0]


def come_back(client: FlaskClient, state: str, **query: str) -> TestResponse:
    return client.get(CALLBACK, query_string={"state": state, **(query or {"code": CODE})})


def access_token(world: World) -> str:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        tokens = uow.connections.freee_tokens(connection.id) if connection else None
    return tokens.access_token if tokens else ""


def check_page(answer: TestResponse, status: int) -> None:
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert '<html lang="ja">' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"style-src 'nonce-([^']+)'", policy)
    assert policy.startswith("default-src 'none'") and nonce and f'<style nonce="{nonce[1]}">' in answer.text
    assert not re.search(r"<script|<img|<link|@import|url\(|style=|\bon\w+=", answer.text)
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_consent_is_kept_and_the_company_named(client: FlaskClient, world: World) -> None:
    answer = come_back(client, begin(world))
    check_page(answer, 200)
    assert "接続しました" in answer.text and "れんしゅう株式会社" in answer.text
    assert "見本&lt;b&gt;商事" in answer.text and "1234567" in answer.text
    assert f"flask connection check {KEY}" in answer.text
    assert "set-export-settings" not in answer.text and "一時停止" not in answer.text
    assert access_token(world) == "an-invented-new-access"


def test_the_page_says_what_is_still_missing(client: FlaskClient, world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.connections.set_export_settings(connection.id, None)
        uow.connections.set_paused(connection.id, True)
    answer = come_back(client, begin(world))
    assert f"flask connection set-export-settings {KEY}" in answer.text and "一時停止中" in answer.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RunError("needs_consent", "山田"), 409, "consent_refused"),
        (RunError("E19", "山田"), 409, "not_administrator"),
        (RunError("E3", "山田"), 409, "freee_address_refused"),
        (TemporaryError("unreachable", "山田"), 503, "freee_away"),
    ],
)
def test_a_failure_is_told_with_its_remedy(
    client: FlaskClient, world: World, error: AwaseError, status: int, code: str
) -> None:
    world.sign_in.error = error
    answer = come_back(client, begin(world))
    check_page(answer, status)
    assert "接続できませんでした" in answer.text and REMEDIES[code] in answer.text
    assert "flask connection authorise" in answer.text and "山田" not in answer.text
    assert access_token(world) == "an-invented-access-token"


def test_another_company_is_named_and_not_kept(client: FlaskClient, world: World) -> None:
    world.sign_in.grant = replace(world.sign_in.grant, company_id=42)
    answer = come_back(client, begin(world))
    check_page(answer, 409)
    assert "ID 42" in answer.text and "ID 1234567" in answer.text and REMEDIES["wrong_company"] in answer.text
    assert access_token(world) == "an-invented-access-token"


def test_a_denial_is_told_and_ends_the_attempt(client: FlaskClient, world: World) -> None:
    state = begin(world)
    denied = come_back(client, state, error="access_denied", error_description="<script>alert(1)</script>")
    check_page(denied, 409)
    assert REMEDIES["consent_denied"] in denied.text and "alert" not in denied.text
    assert REMEDIES["consent_unknown"] in come_back(client, state).text
    assert world.sign_in.asked == 0


def test_a_code_comes_with_no_error_beside_it(client: FlaskClient, world: World) -> None:
    answer = come_back(client, begin(world), code=CODE, error="server_error")
    check_page(answer, 409)
    assert REMEDIES["consent_refused"] in answer.text
    assert world.sign_in.asked == 0


@pytest.mark.parametrize("query", [{}, {"code": ""}, {"code": "x" * 5000}])
def test_an_answer_without_a_sensible_code(client: FlaskClient, world: World, query: dict[str, str]) -> None:
    answer = client.get(CALLBACK, query_string={"state": begin(world), **query})
    check_page(answer, 409)
    assert REMEDIES["consent_refused"] in answer.text
    assert world.sign_in.asked == 0


@pytest.mark.parametrize("state", ["", "invented", "あ", "x" * 4000, "\x00"])
def test_invented_states_are_refused(client: FlaskClient, world: World, state: str) -> None:
    begin(world)
    answer = come_back(client, state)
    check_page(answer, 409)
    assert REMEDIES["consent_unknown"] in answer.text
    assert world.sign_in.asked == 0


def test_a_state_is_good_once_and_for_half_an_hour(client: FlaskClient, world: World) -> None:
    state, late = begin(world), begin(world)
    assert come_back(client, state).status_code == 200
    assert come_back(client, state).status_code == 409
    world.clock.turn(minutes=30, seconds=1)
    assert come_back(client, late).status_code == 409
    assert world.sign_in.asked == 1


def test_a_look_at_the_link_uses_nothing_up(client: FlaskClient, world: World) -> None:
    state = begin(world)
    assert client.head(CALLBACK, query_string={"state": state, "code": CODE}).status_code == 200
    assert client.post(CALLBACK, query_string={"state": state, "code": CODE}).status_code == 405
    assert world.sign_in.asked == 0
    assert come_back(client, state).status_code == 200


def test_neither_code_nor_state_nor_token_is_logged(app: Flask, world: World) -> None:
    client, states = create_app(world.ctx).test_client(), [begin(world) for _ in range(3)]
    with capture_logs() as logs:
        come_back(client, states[0])
        come_back(client, states[0])
        world.sign_in.error = RunError("E19", "an-invented-detail")
        come_back(client, states[1])
        come_back(client, states[2], error="access_denied")
    text = str(logs)
    assert [entry["status"] for entry in logs if entry["event"] == "request"] == [200, 409, 409, 409]
    assert {"consent_given", "consent_failed", "consent_denied"} <= {entry["event"] for entry in logs}
    for secret in (CODE, "an-invented", *states):
        assert secret not in text

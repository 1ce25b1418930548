"""The page a mail leads to when freee has to be authorised anew: who may begin, and that a look begins nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import func, select
from structlog.testing import capture_logs

from app.storage.tables.access_models import ConsentTable
from app.use_cases.finish.notices import RECONNECT, RECONNECT_DAYS, connection_key_of, reconnect_token
from app.web.screens.connections.consent import CALLBACK
from tests.web.test_web_connect import CODE, access_token, check_page
from tests.web.world import KEY, World


@pytest.fixture
def link(world: World) -> str:
    return f"{RECONNECT}/{reconnect_token(world.ctx.keys.signing, KEY)}"


def consents(world: World) -> int:
    """How many authorisations have been begun."""
    with world.database.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(ConsentTable)) or 0


def test_the_page_says_what_will_happen_and_begins_nothing(client: FlaskClient, world: World, link: str) -> None:
    answers = [client.get(link), client.get(link), client.head(link)]
    assert [answer.status_code for answer in answers] == [200] * 3
    check_page(answers[0], 200)
    assert '<form method="post"><button type="submit">' in answers[0].text
    assert "れんしゅう" not in answers[0].text  # whoever finds the link learns nothing from it
    policy = answers[0].headers["Content-Security-Policy"]
    assert "form-action 'self' https://accounts.secure.freee.co.jp;" in policy
    assert consents(world) == 0


def test_the_button_leads_to_freee_and_the_way_back_connects(client: FlaskClient, world: World, link: str) -> None:
    with world.ctx.unit_of_work() as uow:
        uow.connections.set_needs_consent(1, True)
    answer = client.post(link)
    assert answer.status_code == 303
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"{world.ctx.settings.base_url}{CALLBACK}"]
    back = client.get(CALLBACK, query_string={"state": asked["state"][0], "code": CODE})
    check_page(back, 200)
    assert access_token(world) == "an-invented-new-access"
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
    assert connection is not None and not connection.needs_consent


def test_whoever_closed_freee_s_page_begins_again(client: FlaskClient, world: World, link: str) -> None:
    """In the same browser; each beginning has a state of its own."""
    states = {parse_qs(urlsplit(client.post(link).headers["Location"]).query)["state"][0] for _ in range(3)}
    assert len(states) == 3 == consents(world)


@pytest.mark.parametrize("token", ["x", "a.b.c", "あ", "%00", "x" * 5000, "..%2f..%2fapi", KEY])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_invented_links_begin_nothing(client: FlaskClient, world: World, method: str, token: str) -> None:
    answer = client.open(f"{RECONNECT}/{token}", method=method)
    assert answer.status_code == 404
    assert "Location" not in answer.headers and consents(world) == 0


def test_a_link_that_was_cut_or_changed(client: FlaskClient, world: World, link: str) -> None:
    for wrong in (link[:-1], link[:-5] + "AAAAA", link.replace(".", "", 1), link + "x"):
        for answer in (client.get(wrong), client.post(wrong)):
            check_page(answer, 404)
            assert "このページは使えません" in answer.text and "<form" not in answer.text
    assert consents(world) == 0


def test_a_signature_for_something_else_is_none(client: FlaskClient, world: World) -> None:
    settings = world.ctx.settings
    others = [
        URLSafeTimedSerializer(settings.secret_key, salt="session").dumps(KEY),
        URLSafeTimedSerializer("z" * 32, salt="awase reconnect").dumps(KEY),
        URLSafeTimedSerializer(settings.secret_key, salt="awase reconnect").dumps({"key": KEY}),
        URLSafeTimedSerializer(settings.secret_key, salt="awase reconnect").dumps(None),
    ]
    assert [client.post(f"{RECONNECT}/{token}").status_code for token in others] == [404] * 4
    assert consents(world) == 0


def test_a_link_is_good_for_thirty_days(world: World) -> None:
    signing, begin = world.ctx.keys.signing, datetime(2026, 11, 22, tzinfo=UTC)
    with time_machine.travel(begin, tick=False):
        token = reconnect_token(signing, KEY)
    for days, known in ((0, KEY), (RECONNECT_DAYS, KEY), (RECONNECT_DAYS + 1, None)):
        with time_machine.travel(begin + timedelta(days=days), tick=False):
            assert connection_key_of(signing, token) == known


def test_a_connection_that_is_gone(client: FlaskClient, world: World) -> None:
    answer = client.post(f"{RECONNECT}/{reconnect_token(world.ctx.keys.signing, 'no-more')}")
    check_page(answer, 404)
    assert "Location" not in answer.headers and consents(world) == 0


def test_an_application_that_is_not_set_up_is_told(world: World, app: Flask, link: str) -> None:
    from app.factory import create_app

    assert app.test_client().post(link).status_code == 303
    settings = replace(world.ctx.settings, freee_client_id="")
    answer = create_app(replace(world.ctx, settings=settings)).test_client().post(link)
    assert answer.status_code >= 400 and "Location" not in answer.headers


def test_the_link_is_not_logged(client: FlaskClient, link: str) -> None:
    with capture_logs() as logs:
        client.get(link)
        client.post(link)
    assert [entry["rule"] for entry in logs if entry["event"] == "request"] == [f"{RECONNECT}/<token>"] * 2
    assert link.rpartition("/")[2] not in str(logs)

"""What was sent after the session had ended is kept in the browser, shown after the sign-in, and sent by a button; and
no other site can have a form sent by that way."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.roles import Role
from app.use_cases.connections.connections import list_connections
from app.web.http.kept_forms import LONGEST, SECRETS, kept_in
from tests.web.visitor import PASSWORD, Visitor, forms
from tests.web.world import KEY, World

Visit = Callable[..., Visitor]
TEMPLATES = Path(__file__).resolve().parents[2] / "app" / "web" / "templates"
PAGE = f"/connections/{KEY}"
NAMES = f"{PAGE}/names"
LOGIN = "admin@example.invalid"
NEW = {"name": "あたらしい名前", "mail_to": "a@example.com\nb@example.com"}
OURS = {"Sec-Fetch-Site": "same-origin", "Referer": f"http://localhost{PAGE}"}


def name_of(world: World) -> str:
    return list_connections(world.ctx)[0].name


def sent_too_late(visit: Visit, world: World, **fields: Any) -> Visitor:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    world.clock.turn(minutes=61)
    admin.send(NAMES, **(fields or NEW))
    return admin


def test_what_was_sent_too_late_is_shown_after_the_sign_in_and_then_sent(visit: Visit, world: World) -> None:
    admin = sent_too_late(visit, world)
    assert admin.page is not None and admin.page.status_code == 401
    assert "まだ送信していません" in admin.words and name_of(world) == "れんしゅう株式会社"
    admin.send("/sign-in", login=LOGIN, password=PASSWORD[::-1])
    assert admin.page.status_code == 401 and "まだ送信していません" in admin.words, "also after a wrong password"
    admin.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert "送信する内容を確かめてください" in admin.words and "あたらしい名前" in admin.words
    assert "接続の名前" in admin.words and name_of(world) == "れんしゅう株式会社", "signing in alone sends nothing"
    admin.send(NAMES)
    assert "保存しました" in admin.words and name_of(world) == "あたらしい名前"
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
    assert connection is not None and tuple(connection.mail_to) == ("a@example.com", "b@example.com")


def test_whoever_does_not_want_it_any_more_goes_back_to_the_page(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    token = admin.token
    world.clock.turn(minutes=61)
    data = {**NEW, "csrf_token": token}
    admin.page = admin.client.post(NAMES, data=data, headers={"Referer": f"http://localhost{PAGE}?from=mail"})
    admin.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert f'href="{PAGE}?from=mail"' in admin.text
    assert name_of(world) == "れんしゅう株式会社"


@pytest.mark.parametrize("referrer", ["https://evil.example/", "", "http://localhost//evil.example", NAMES])
def test_the_way_back_is_a_page_of_ours_that_can_be_opened(visit: Visit, world: World, referrer: str) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    data = {**NEW, "csrf_token": admin.token}
    world.clock.turn(minutes=61)
    admin.page = admin.client.post(NAMES, data=data, headers={"Referer": referrer})
    admin.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert re.findall(r'<a class="button" href="([^"]+)">送信しない', admin.text) == ["/"]


def test_passwords_and_tokens_are_not_kept_but_asked_again(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    world.clock.turn(minutes=61)
    admin.send(f"{PAGE}/token", smarthr_token="an-invented-secret-token")
    assert "an-invented-secret-token" not in admin.text
    admin.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert "an-invented-secret-token" not in admin.text and "残していません" in admin.words
    assert "smarthr_token" in dict(admin.form(f"{PAGE}/token").fields)


def test_every_password_field_is_known_as_a_secret() -> None:
    told: set[str] = set()
    for page in TEMPLATES.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        told |= set(re.findall(r'<input(?=[^>]*type="password")[^>]*\bname="([a-z_]+)"', text))
        told |= set(re.findall(r'field\("([a-z_]+)"[^\n]*type="password"', text))
        told |= set(re.findall(r'secret\("([a-z_]+)"', text))
    assert told >= {"smarthr_token", "current", "again", "password"}
    assert told <= SECRETS


def test_the_cookie_is_gone_and_the_browser_says_that_our_page_has_sent_it(
    visit: Visit, world: World, client: FlaskClient
) -> None:
    visit(Role.ADMIN)
    stranger = Visitor(client)
    stranger.page = client.post(NAMES, data={**NEW, "csrf_token": "of-before"}, headers=OURS)
    assert stranger.page.status_code == 401 and "まだ送信していません" in stranger.words
    stranger.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert "あたらしい名前" in stranger.words and name_of(world) == "れんしゅう株式会社"
    stranger.send(NAMES)
    assert name_of(world) == "あたらしい名前"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
    ],
)
@pytest.mark.parametrize("somebody", [True, False])
def test_nothing_is_kept_of_what_another_site_sends(
    headers: dict[str, str], somebody: bool, visit: Visit, world: World, app: Flask
) -> None:
    admin = visit(Role.ADMIN)
    browser = admin.client if somebody else app.test_client()
    answer = browser.post(NAMES, data={**NEW, "csrf_token": "invented"}, headers=headers)
    assert answer.status_code == 400 and "あたらしい名前" not in answer.text
    assert name_of(world) == "れんしゅう株式会社"


def test_an_older_browser_tells_by_the_origin(visit: Visit, client: FlaskClient) -> None:
    answer = client.post(NAMES, data={**NEW, "csrf_token": "x"}, headers={"Origin": "http://localhost"})
    assert answer.status_code == 401 and 'name="kept"' in answer.text


def test_who_has_signed_in_again_in_another_window_is_only_asked(visit: Visit, world: World) -> None:
    """The form's token is of the session before."""
    admin = visit(Role.ADMIN)
    admin.page = admin.client.post(NAMES, data={**NEW, "csrf_token": "of-before"}, headers=OURS)
    assert "送信する内容を確かめてください" in admin.words and name_of(world) == "れんしゅう株式会社"
    admin.send(NAMES)
    assert name_of(world) == "あたらしい名前"


def test_nobody_without_the_right_sends_it_by_this_way(visit: Visit, world: World) -> None:
    visit(Role.VIEWER)
    admin = sent_too_late(visit, world)
    admin.send("/sign-in", login="viewer@example.invalid", password=PASSWORD)
    sent = admin.send(NAMES)
    assert sent.status_code == 403 and name_of(world) == "れんしゅう株式会社"


def test_what_is_too_long_is_not_kept(visit: Visit, world: World) -> None:
    admin = sent_too_late(visit, world, name="x" * (LONGEST + 1))
    assert 'name="kept"' not in admin.text and "パスワード" in admin.words


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '["/x"]', '["//evil.example/", [], [], "/"]', '["https://evil.example", [], [], "/"]'),
        *('["/x", [["a", 1]], [], "/"]', '["/x", 5, [], "/"]', '[7, [], [], "/"]', "[" * 5000),
    ],
)
def test_what_is_no_kept_form_is_none(text: str) -> None:
    assert kept_in(text) is None


def test_a_kept_form_leads_nowhere_else() -> None:
    kept = kept_in('["/x", [["a", "佐藤"]], ["name", "password"], "//evil.example"]')
    assert kept is not None and (kept.back, kept.missing) == ("/", ("password",))
    assert "佐藤" not in repr(kept)


def test_a_page_that_was_only_looked_at_is_opened_again(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(PAGE)
    world.clock.turn(minutes=61)
    admin.open(PAGE)
    assert [form.action for form in forms(admin.text) if "kept" in dict(form.fields)] == []
    admin.send("/sign-in", login=LOGIN, password=PASSWORD)
    assert admin.page is not None and admin.page.request.path == PAGE

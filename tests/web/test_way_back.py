"""freee's way back belongs to the browser in which it began: nobody else can finish it, or be led to finish it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.access.roles import Role
from app.use_cases.accounts.sign_in import ABSOLUTE
from app.use_cases.finish.notices import RECONNECT, reconnect_token
from app.web.callback_address import CALLBACK
from app.web.screens.connections.consent import REMEDIES
from tests.web.test_web_connect import CODE, access_token
from tests.web.visitor import Visitor, arrived
from tests.web.world import KEY, NOW, World

Visit = Callable[..., Visitor]
SETUP = "0123456789abcdef01234567"
OWNER = "owner@example.invalid"
WAYS = ["screen", "setup", "link"]


@dataclass
class Begun:
    """A consent on its way, in the browser of whoever began it."""

    browser: FlaskClient
    state: str


@pytest.fixture
def visit(world: World, app: Flask) -> Visit:
    def visit(role: Role, *, login: str = "somebody@example.invalid") -> Visitor:
        return arrived(world.ctx, app.test_client(), role, login=login)

    return visit


def press(visitor: Visitor, page: str, action: str) -> FlaskClient:
    visitor.open(page)
    form = visitor.form(action)
    sent = visitor.client.post(form.action, data=dict(form.fields))
    assert sent.status_code == 303, sent.text
    visitor.page = sent
    return visitor.client


def state_of(answer: TestResponse) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]


@pytest.fixture
def begin(world: World, app: Flask, visit: Visit) -> Callable[..., Begun]:
    def begin(way: str, *, login: str = OWNER) -> Begun:
        if way == "link":
            browser = app.test_client()
            sent = browser.post(f"{RECONNECT}/{reconnect_token(world.ctx.keys.signing, KEY)}")
            return Begun(browser, state_of(sent))
        admin = visit(Role.ADMIN, login=login)
        if way == "setup":
            add_setup(world)
        page = f"/connections/{KEY}" if way == "screen" else f"/connections/new/{SETUP}/freee"
        browser = press(admin, page, f"{page.removesuffix('/freee')}/freee")
        assert admin.page is not None
        return Begun(browser, state_of(admin.page))

    return begin


def add_setup(world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        if uow.wizards.get(SETUP) is None:
            seen: dict[str, Any] = {"seen": [], "missing": [], "employment_types": [], "people": 0}
            uow.wizards.add(
                key=SETUP,
                name="新しい接続",
                smarthr_subdomain="awase-shinki",
                smarthr_token="t",
                seen=seen,
                mail_to=[],
                started_by="user:1",
                now=NOW,
            )


def come_back(browser: FlaskClient, state: str, **query: str) -> TestResponse:
    return browser.get(CALLBACK, query_string={"state": state, "code": CODE, **query})


def kept(world: World) -> tuple[str, bool]:
    """The connection's access token, and whether freee has brought the setup anything."""
    with world.ctx.unit_of_work().reading() as uow:
        setup = uow.wizards.get(SETUP)
        return access_token(world), bool(setup and uow.wizards.freee_tokens(setup.id))


BEFORE = ("an-invented-access-token", False)


def check_refused(answer: TestResponse, world: World) -> None:
    assert answer.status_code == 403
    assert REMEDIES["consent_foreign"] in answer.text and KEY not in answer.text and "れんしゅう" not in answer.text
    assert world.sign_in.asked == 0, "the code is not spent"
    assert kept(world) == BEFORE


def check_finished(answer: TestResponse, world: World) -> None:
    assert answer.status_code in (200, 303)
    assert kept(world) != BEFORE and world.sign_in.asked == 1


@pytest.mark.parametrize("way", WAYS)
def test_nobody_else_finishes_it_and_whoever_began_still_can(
    way: str, begin: Callable[..., Begun], world: World, app: Flask, visit: Visit
) -> None:
    """With a stolen state: a stranger, another administrator, somebody without the right, and the same administrator at
    another browser. The state is not spent by any of them."""
    begun = begin(way)
    others = [app.test_client(), visit(Role.ADMIN, login="other@example.invalid").client, visit(Role.MEMBER).client]
    elsewhere = visit(Role.ADMIN, login=OWNER)
    forged = app.test_client()
    for name in ("awase-consent", "__Host-awase-consent"):
        forged.set_cookie(name, begun.state)
    for thief in (*others, elsewhere.client, forged):
        check_refused(come_back(thief, begun.state), world)
        check_refused(come_back(thief, begun.state, error="access_denied"), world)
    check_finished(come_back(begun.browser, begun.state), world)
    again = come_back(begun.browser, begun.state)
    assert again.status_code == 409 and world.sign_in.asked == 1, "a replay"


@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_led_to_finish_what_an_attacker_began(way: str, begin: Callable[..., Begun], world: World) -> None:
    """The attacker's state and code, in the browser of an administrator who has a consent of their own on its way."""
    attack = begin(way, login="attacker@example.invalid")
    victim = begin("screen", login="victim@example.invalid").browser
    check_refused(come_back(victim, attack.state), world)


@pytest.mark.parametrize("way", ["screen", "setup"])
@pytest.mark.parametrize("how", ["signed out", "timed out", "no longer an administrator"])
def test_whoever_may_no_longer_set_up_does_not_finish_it(
    way: str, how: str, begin: Callable[..., Begun], world: World
) -> None:
    begun = begin(way)
    if how == "signed out":
        leaving = Visitor(begun.browser)
        leaving.open("/")
        leaving.send("/sign-out")
    elif how == "timed out":
        world.clock.turn(seconds=ABSOLUTE.total_seconds() + 1)
    else:
        with world.ctx.unit_of_work() as uow:
            owner = uow.users.by_login(OWNER)
            assert owner is not None
            uow.users.change(owner.id, role=str(Role.MEMBER))
    check_refused(come_back(begun.browser, begun.state), world)


@pytest.mark.parametrize("way", WAYS)
def test_after_half_an_hour_it_is_over(way: str, begin: Callable[..., Begun], world: World) -> None:
    begun = begin(way)
    world.clock.turn(minutes=30, seconds=1)
    answer = come_back(begun.browser, begun.state)
    assert answer.status_code in (303, 409) and world.sign_in.asked == 0 and kept(world) == BEFORE


# ── the link of a mail ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def link(world: World) -> str:
    return f"{RECONNECT}/{reconnect_token(world.ctx.keys.signing, KEY)}"


def test_a_mailed_link_serves_one_browser_and_works_once(app: Flask, world: World, link: str) -> None:
    first, second = app.test_client(), app.test_client()
    begun = first.post(link)
    for answer in (second.post(link), second.get(link)):
        assert answer.status_code == 409 and "Location" not in answer.headers
        assert "すでに使われています" in answer.text
    assert first.get(link).status_code == 200, "whoever closed freee's page begins again"
    again = first.post(link)
    assert come_back(first, state_of(again)).status_code == 200
    assert (first.post(link).status_code, first.get(link).status_code) == (409, 409)
    older = come_back(first, state_of(begun))
    assert older.status_code == 409 and access_token(world) == "an-invented-new-access"


def test_a_consent_that_failed_leaves_the_link_to_its_browser(app: Flask, link: str) -> None:
    browser = app.test_client()
    denied = come_back(browser, state_of(browser.post(link)), error="access_denied")
    assert denied.status_code == 409
    assert browser.post(link).status_code == 303


def test_the_secret_of_the_browser_is_not_readable_and_goes_nowhere_else(app: Flask, link: str) -> None:
    cookie = app.test_client().post(link).headers["Set-Cookie"]
    assert cookie.startswith("awase-consent=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie
    assert "Domain" not in cookie and "Max-Age=1800" in cookie


def test_a_used_link_is_no_sign_in(app: Flask, link: str) -> None:
    """What a mailed link gives opens nothing but its own way back."""
    browser = app.test_client()
    browser.post(link)
    assert browser.get("/connections").status_code == 303

"""Errors: a page for browsers, a problem document for programs, at the same addresses; without a database as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.domain.access.brakes import NETWORK
from app.domain.access.roles import Role
from app.factory import create_app
from app.use_cases.accounts.brakes import Browser, begin_attempt
from app.use_cases.context import Context
from tests.forms import token_in
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import World, make_settings

Visit = Callable[..., Visitor]
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
PROGRAMS = [{}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "application/json, text/html;q=0.5"}]


def check_page(answer: TestResponse, status: int, told: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    assert told in answer.text and answer.headers["X-Request-ID"] in answer.text
    assert "default-src 'none'; script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def check_problem(answer: TestResponse, status: int, code: str) -> None:
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    assert json.loads(answer.text)["code"] == code


def test_an_unknown_address(client: FlaskClient) -> None:
    check_page(client.get("/nowhere/at/all", headers=BROWSER), 404, "ページが見つかりません")
    for program in PROGRAMS:
        check_problem(client.get("/nowhere/at/all", headers=program), 404, "not_found")


@pytest.mark.parametrize("address", ["/api/nowhere", "/api/v1/runs", "/webhooks/x/y/z", "/metrics/x", "/health/x"])
def test_addresses_of_programs_answer_as_programs_expect_whoever_asks(address: str, client: FlaskClient) -> None:
    answer = client.get(address, headers=BROWSER)
    assert answer.mimetype == "application/problem+json", address


def test_a_method_that_is_none(client: FlaskClient) -> None:
    check_page(client.get("/sign-out", headers=BROWSER), 405, "この操作はできません")
    check_problem(client.get("/sign-out"), 405, "method_not_allowed")
    assert "POST" in client.get("/sign-out", headers=BROWSER).headers["Allow"]


def test_too_much_at_once(client: FlaskClient) -> None:
    much = {"password": "x" * 2_000_000}
    check_page(client.post("/sign-in", data=much, headers=BROWSER), 413, "大きすぎます")
    check_problem(client.post("/sign-in", data=much), 413, "body_too_large")


def test_a_bug_shows_a_page_that_gives_nothing_away(world: World) -> None:
    app = create_app(world.ctx)

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("山田太郎 must not be seen")

    page = app.test_client().get("/broken", headers=BROWSER)
    check_page(page, 500, "処理できませんでした")
    assert "山田" not in page.text and "ValueError" not in page.text
    check_problem(app.test_client().get("/broken"), 500, "internal_error")


def test_whoever_is_signed_in_keeps_the_menu_and_the_language(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    page = member.client.get("/nowhere", headers=BROWSER)
    check_page(page, 404, "member@example.invalid")
    member.open("/account")
    member.send("/account/language", locale="en")
    check_page(member.client.get("/nowhere", headers=BROWSER), 404, "Page not found")


def test_a_page_without_a_database(visit: Visit, without_database: Context) -> None:
    """The session is a member's, in English; nothing can be asked about it now."""
    member = visit(Role.MEMBER)
    member.open("/account")
    member.send("/account/language", locale="en")
    cookie = member.client.get_cookie("awase")
    assert cookie is not None
    alone = create_app(without_database).test_client()
    alone.set_cookie("awase", cookie.value)
    for address in ("/", "/account", "/users", "/audit"):
        check_page(alone.get(address, headers=BROWSER), 503, "The database does not answer")
    check_page(alone.get("/nowhere", headers=BROWSER), 404, "Page not found")
    check_problem(alone.get("/account"), 503, "database_unavailable")
    assert alone.get("/account", headers=BROWSER).headers["Retry-After"] == "5"


def test_nobody_can_sign_in_without_a_database_and_is_told_so(without_database: Context) -> None:
    stranger = Visitor(create_app(without_database).test_client())
    stranger.open("/sign-in")
    fields = dict(stranger.form().fields) | {"login": "tanto@example.invalid", "password": PASSWORD}
    answer = stranger.client.post("/sign-in", data=fields, headers=BROWSER)
    check_page(answer, 503, "データベースが応答しません")
    assert PASSWORD not in answer.text


# ── behind TLS and proxies ────────────────────────────────────────────────────────────────────────────────────────


def behind(world: World, **changes: str) -> FlaskClient:
    settings = make_settings(world.ctx.settings.data_dir, **changes)
    return create_app(replace(world.ctx, settings=settings)).test_client()


def test_the_cookie_of_an_address_with_tls_is_bound_to_it(world: World) -> None:
    answer = behind(world, BASE_URL="https://awase.example").get("/sign-in", base_url="https://awase.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-awase=")
    assert all(flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/")) and "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_without_tls_the_cookie_works_as_well(client: FlaskClient) -> None:
    cookie = client.get("/sign-in").headers["Set-Cookie"]
    assert cookie.startswith("awase=") and "HttpOnly" in cookie and "Secure" not in cookie


def test_behind_tls_a_form_is_taken_from_our_own_pages_only(world: World) -> None:
    client = behind(world, BASE_URL="https://awase.example")
    page = client.get("/sign-in", base_url="https://awase.example")
    assert page.headers["Referrer-Policy"] == "same-origin", "else browsers send none and no form is taken"
    form = {"csrf_token": token_in(page.text), "login": "nobody", "password": PASSWORD}
    for referrer, status in (("https://awase.example/sign-in", 401), ("https://evil.example/", 400), (None, 400)):
        headers = {"Referer": referrer} if referrer else {}
        answer = client.post("/sign-in", data=form, headers=headers, base_url="https://awase.example")
        assert answer.status_code == status, referrer


@pytest.mark.parametrize(("hops", "believed"), [("0", False), ("1", True)])
def test_proxies_are_believed_as_far_as_they_are_stated(hops: str, believed: bool, world: World) -> None:
    client = behind(world, BASE_URL="https://awase.example", TRUSTED_PROXIES=hops)
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.9, 192.0.2.1", "X-Forwarded-Host": "a.example"}
    answer = client.get("/sign-in", headers=said, base_url="http://10.0.0.1")
    assert ("Strict-Transport-Security" in answer.headers) == believed


def test_guesses_are_counted_by_the_address_that_our_proxy_saw(world: World) -> None:
    """What a client claims about itself stands left of it and is not looked at."""
    client = behind(world, TRUSTED_PROXIES="1")
    client.application.config["WTF_CSRF_ENABLED"] = False

    def guess(claimed: int, seen: str) -> int:
        headers = {"X-Forwarded-For": f"198.51.100.{claimed}, {seen}"}
        return client.post("/sign-in", data={"login": f"user-{claimed}"}, headers=headers).status_code

    for n in range(NETWORK.free + 1):
        begin_attempt(world.ctx, f"other-{n}", None, Browser(address=f"192.0.2.{n}"))
    assert guess(1, "192.0.2.200") == 429
    assert guess(2, "198.51.100.1") == 401

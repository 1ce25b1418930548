"""Signing in and out: sessions, the brake on guessing, what the outside can tell, what is written down."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from app.domain.access.roles import Role
from app.logs import configure_logging
from app.use_cases.accounts import users
from app.web.http.throttle import PER_ACCOUNT, PER_ADDRESS, WAIT_SECONDS, Attempts, TooManyAttempts
from tests.storage.databases import everything_stored
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
LOGIN = "tanto@example.invalid"


def session_of(visitor: Visitor) -> str:
    cookie = visitor.client.get_cookie("awase")
    assert cookie is not None
    return cookie.value


def actions(world: World) -> list[tuple[str, str, str]]:
    """(actor, action, subject), oldest first."""
    with world.ctx.unit_of_work() as uow:
        return [(row.actor, row.action, row.subject) for row in reversed(uow.audit.page(limit=100))]


# ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_session_that_somebody_planted_is_not_the_one_that_is_signed_in(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    victim = Visitor(client)
    victim.open("/sign-in")
    planted = session_of(victim)
    victim.send(login=LOGIN, password=PASSWORD)
    assert "ホーム" in victim.open("/")
    assert session_of(victim) != planted
    victim.client.set_cookie("awase", planted)
    assert "パスワード" in victim.open("/")


def test_every_sign_in_begins_a_session_of_its_own(visit: Visit, app: Flask) -> None:
    first = visit(Role.MEMBER, login=LOGIN)
    second = Visitor(app.test_client())
    second.sign_in(LOGIN)
    second.send("/sign-out")
    assert "ホーム" in first.open("/")
    assert "パスワード" in second.open("/")


def test_a_session_ends_with_its_age_however_busy(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    for _ in range(23):
        world.clock.pass_by(minutes=30)
        assert "ホーム" in member.open("/")
    world.clock.pass_by(minutes=31)
    assert "パスワード" in member.open("/")


def test_a_login_may_be_typed_in_large_letters(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    assert Visitor(client).sign_in(LOGIN.upper()).status_code == 200


@pytest.mark.parametrize("login", ["", "\x00", "a" * 10_000, "' OR 1=1 --", "%"])
def test_whatever_is_typed_is_answered(login: str, client: FlaskClient) -> None:
    assert Visitor(client).sign_in(login).status_code == 401


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_sign_in_leads_to_no_other_host(next_: str, client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    stranger = Visitor(client)
    stranger.open("/sign-in")
    stranger.send(login=LOGIN, password=PASSWORD, next=next_)
    assert stranger.page is not None
    assert stranger.page.request.url == "http://localhost/"


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew(client: FlaskClient, world: World) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with world.ctx.unit_of_work() as uow:
        user = uow.users.add(login=LOGIN, password_hash=weak, role="member", now=world.clock.now())
    assert Visitor(client).sign_in(LOGIN).status_code == 200
    with world.ctx.unit_of_work() as uow:
        stored = uow.users.get(user.id)
    assert stored is not None
    assert stored.password_hash != weak and not PasswordHasher().check_needs_rehash(stored.password_hash)
    assert stored.password_changed_at is None, "it is still the same password"
    assert Visitor(client.application.test_client()).sign_in(LOGIN).status_code == 200


# ── the brake ─────────────────────────────────────────────────────────────────────────────────────────────────────


def guess(visitor: Visitor, login: str, *, times: int) -> list[int]:
    visitor.open("/sign-in")
    return [visitor.send(login=login, password="not-the-password").status_code for _ in range(times)]


def test_guessing_at_an_account_is_braked_for_a_while_and_for_that_account_only(
    client: FlaskClient, visit: Visit
) -> None:
    visit(Role.MEMBER, login=LOGIN)
    visit(Role.VIEWER, login="other@example.invalid")
    guesser = Visitor(client)
    with time_machine.travel(datetime(2026, 11, 22, 3, 0, tzinfo=UTC), tick=False) as hours:
        assert guess(guesser, LOGIN, times=PER_ACCOUNT.amount) == [401] * PER_ACCOUNT.amount
        braked = guesser.send(login=LOGIN, password=PASSWORD)
        assert braked.status_code == 429, "not even the right password"
        assert "15分ほど待って" in guesser.words and braked.headers["Retry-After"] == "900"
        assert guesser.sign_in("other@example.invalid").status_code == 200
        owner = Visitor(client.application.test_client())
        hours.shift(901)
        assert owner.sign_in(LOGIN).status_code == 200
    assert "ホーム" in owner.words


def test_the_brake_does_not_tell_whether_somebody_has_this_login(app: Flask, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    told = []
    for login in (LOGIN, "nobody@example.invalid"):
        guesser = Visitor(app.test_client())
        statuses = guess(guesser, login, times=PER_ACCOUNT.amount + 1)
        told.append((statuses, guesser.words.replace(login, "…")))
    assert told[0] == told[1]
    assert told[0][0][-1] == 429


def test_the_right_password_starts_from_nothing(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    visitor = Visitor(client)
    for _ in range(3):
        assert set(guess(visitor, LOGIN, times=PER_ACCOUNT.amount - 1)) == {401}
        assert visitor.send(login=LOGIN, password=PASSWORD).status_code == 200
        visitor.send("/sign-out")


def attempts(world: World, **changes: str) -> Attempts:
    env = {"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "k", "DATA_DIR": str(world.ctx.settings.data_dir), **changes}
    return Attempts(Settings.from_env(env))


@pytest.mark.database("sqlite")
def test_one_address_may_not_go_through_a_list_of_accounts(world: World) -> None:
    counted = attempts(world)
    for n in range(PER_ADDRESS.amount):
        counted.count(f"user-{n}", "192.0.2.1")
    with pytest.raises(TooManyAttempts) as braked:
        counted.count("one-more", "192.0.2.1")
    assert 890 < braked.value.seconds <= 901
    counted.count("one-more", "192.0.2.2")


@pytest.mark.database("sqlite")
def test_a_broker_that_hangs_holds_nobody_up(world: World) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        counted = attempts(world, REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(PER_ACCOUNT.amount):
            counted.count("a", "192.0.2.1")
        with pytest.raises(TooManyAttempts):
            counted.count("a", "192.0.2.1")
        silent.setblocking(False)
        connections = 0
        while True:
            try:
                silent.accept()[0].close()
            except BlockingIOError:
                break
            connections += 1
    assert connections <= 1 + PER_ACCOUNT.amount * WAIT_SECONDS / 10, "asked once, then left alone"


# ── what is written down ──────────────────────────────────────────────────────────────────────────────────────────


def test_signing_in_and_out_and_failing_are_in_the_audit_trail(client: FlaskClient, visit: Visit, world: World) -> None:
    visit(Role.MEMBER, login=LOGIN)
    me = f"user:{users.user_id_of(world.ctx, LOGIN)}"
    visitor = Visitor(client)
    guess(visitor, LOGIN, times=1)
    guess(visitor, "nobody@example.invalid", times=1)
    visitor.sign_in(LOGIN)
    visitor.send("/sign-out")
    assert actions(world)[2:] == [
        ("nobody", "sign_in_failed", me),
        ("nobody", "sign_in_failed", "user:0"),
        (me, "signed_in", me),
        (me, "signed_out", me),
    ]


def test_a_braked_sign_in_is_noted_and_no_entry_is_ever_taken_out_of_the_middle(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    member.send("/sign-out")
    guess(member, "nobody@example.invalid", times=PER_ACCOUNT.amount + 1)
    world.clock.pass_by(days=91)
    member.sign_in(LOGIN)
    refused = ["sign_in_failed"] * PER_ACCOUNT.amount + ["sign_in_braked"]
    assert [action for _, action, _ in actions(world)] == [
        *("user_added", "signed_in", "signed_out", *refused, "signed_in")
    ]


def test_nobody_is_named_in_the_log(client: FlaskClient, visit: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    visit(Role.MEMBER, login=LOGIN)
    configure_logging("DEBUG")
    visitor = Visitor(client)
    guess(visitor, LOGIN, times=PER_ACCOUNT.amount + 1)
    guess(visitor, "nobody@example.invalid", times=1)
    with_session = Visitor(client.application.test_client())
    with_session.sign_in("other@example.invalid")
    output = capsys.readouterr().err
    assert sum(json.loads(line)["event"] == "sign_in_failed" for line in output.splitlines()) >= PER_ACCOUNT.amount
    for secret in ("tanto", "nobody@", "other@", "example.invalid", PASSWORD, "not-the-password"):
        assert secret not in output, secret


def test_no_token_and_no_password_is_in_the_database(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    with member.client.session_transaction() as session:
        token = session["_user_id"]
    stored = everything_stored(world.ctx.settings)
    assert token.encode() not in stored
    assert PASSWORD.encode() not in stored
    assert b"$argon2id$" in stored


# ── headers ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_headers_of_a_page(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/account")
    assert member.page is not None
    headers = member.page.headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert re.search(r"camera=\(\).*microphone=\(\)", headers["Permissions-Policy"])
    assert "Strict-Transport-Security" not in headers, "this one came without TLS"

"""Signing in and out: sessions, the brake on guessing, what the outside can tell, what is written down."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from app.domain.access.brakes import DEVICE, PAIR
from app.domain.access.roles import Role
from app.logs import configure_logging
from app.use_cases.accounts import users
from app.use_cases.accounts.devices import KNOWN_FOR
from tests.statements import statements
from tests.storage.databases import everything_stored
from tests.web.application import application_on
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
LOGIN = "tanto@example.invalid"
NEW = "quite-another-password"


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
        world.clock.turn(minutes=30)
        assert "ホーム" in member.open("/")
    world.clock.turn(minutes=31)
    assert "パスワード" in member.open("/")


def test_a_login_may_be_typed_in_large_letters(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    assert Visitor(client).sign_in(LOGIN.upper()).status_code == 200


@pytest.mark.parametrize("login", ["", "\x00", "a" * 10_000, "' OR 1=1 --", "%"])
def test_whatever_is_typed_is_answered(login: str, client: FlaskClient) -> None:
    assert Visitor(client).sign_in(login).status_code == 401


def test_a_password_hashed_with_weaker_parameters_is_hashed_anew(world: World) -> None:
    strong = PasswordHasher(time_cost=2, memory_cost=128, parallelism=1)
    client = application_on(replace(world.ctx, hasher=strong)).test_client()
    weak = world.ctx.hasher.hash(PASSWORD)
    with world.ctx.unit_of_work() as uow:
        user = uow.users.add(login=LOGIN, password_hash=weak, role="member", now=world.clock.now())
    assert Visitor(client).sign_in(LOGIN).status_code == 200
    with world.ctx.unit_of_work() as uow:
        stored = uow.users.get(user.id)
    assert stored is not None
    assert stored.password_hash != weak and not strong.check_needs_rehash(stored.password_hash)
    assert stored.password_changed_at is None, "it is still the same password"
    assert Visitor(client.application.test_client()).sign_in(LOGIN).status_code == 200


# ── the brake ─────────────────────────────────────────────────────────────────────────────────────────────────────


def guess(visitor: Visitor, login: str, *, times: int, password: str = "not-the-password") -> list[int]:
    visitor.open("/sign-in")
    return [visitor.send(login=login, password=password).status_code for _ in range(times)]


def from_(app: Flask, address: str) -> Visitor:
    """Somebody with a browser of their own at that address."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return Visitor(client)


STRANGER, OFFICE, ELSEWHERE = "198.51.100.7", "192.0.2.10", "203.0.113.5"


def test_guessing_has_to_wait_longer_each_time_and_then_is_looked_at_again(
    app: Flask, visit: Visit, world: World
) -> None:
    visit(Role.MEMBER, login=LOGIN)
    guesser = from_(app, STRANGER)
    assert guess(guesser, LOGIN, times=PAIR.free) == [401] * PAIR.free
    waits = []
    for _ in range(12):
        assert guess(guesser, LOGIN, times=1) == [401]
        braked = guesser.send(login=LOGIN, password=PASSWORD)
        assert braked.status_code == 429, "not even the right password"
        waits.append(int(braked.headers["Retry-After"]))
        again = guesser.send(login=LOGIN, password=PASSWORD)
        assert again.headers["Retry-After"] == str(waits[-1]), "no longer by asking"
        world.clock.turn(seconds=waits[-1])
    assert waits == sorted(waits) and waits[0] == PAIR.first and waits[-1] == PAIR.longest
    assert guess(guesser, LOGIN, times=1, password=PASSWORD) == [200]


def test_the_page_says_when_the_next_attempt_is_looked_at(app: Flask, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    guesser = from_(app, STRANGER)
    guess(guesser, LOGIN, times=PAIR.free + 2)
    assert "2秒後（12:00:02 以降）" in guesser.words
    guesser.send("/language", locale="en")
    guess(guesser, LOGIN, times=1)
    assert "Please try again in 2 seconds (after 12:00:02, Japan time)" in guesser.words


@pytest.mark.parametrize("times", [10, 40])
def test_a_stranger_keeps_the_owner_out_neither_at_home_nor_on_a_known_device(
    times: int, app: Flask, visit: Visit, world: World
) -> None:
    visit(Role.MEMBER, login=LOGIN)
    laptop = from_(app, OFFICE)
    assert guess(laptop, LOGIN, times=1, password=PASSWORD) == [200]
    laptop.send("/sign-out")
    strangers = [from_(app, f"198.51.{n}.7") for n in range(max(1, times // PAIR.free))]
    assert 401 in [guess(each, LOGIN, times=10)[0] for each in strangers]
    phone = from_(app, OFFICE)
    assert guess(phone, LOGIN, times=1, password=PASSWORD) == [200], "the owner's network, another browser"
    laptop.client.environ_base["REMOTE_ADDR"] = "198.51.0.7"
    assert guess(laptop, LOGIN, times=1, password=PASSWORD) == [200], "even from the stranger's own network"


def test_a_known_device_has_a_brake_of_its_own(app: Flask, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    device = from_(app, OFFICE)
    guess(device, LOGIN, times=1, password=PASSWORD)
    device.send("/sign-out")
    told = guess(device, LOGIN, times=DEVICE.free + 3)
    assert told == [401] * (DEVICE.free + 1) + [429] * 2


@pytest.mark.parametrize("way", ["password", "everywhere", "others", "reset", "forged", "other account", "old"])
def test_a_device_is_not_known_for_ever(way: str, app: Flask, visit: Visit, world: World) -> None:
    owner = visit(Role.MEMBER, login=LOGIN)
    visit(Role.VIEWER)
    device, login = from_(app, STRANGER), LOGIN
    guess(device, "viewer@example.invalid" if way == "other account" else LOGIN, times=1, password=PASSWORD)
    device.send("/sign-out")
    user = users.user_id_of(world.ctx, LOGIN)
    if way == "password":
        owner.open("/account")
        owner.send("/account/password", current=PASSWORD, password=NEW, again=NEW)
    elif way == "everywhere":
        owner.open("/account")
        owner.send("/account/sign-out-everywhere", confirmed="yes")
    elif way == "others":
        owner.open("/account/sessions")
        owner.send("/account/sessions/end-others", confirmed="yes")
    elif way == "reset":
        users.reset_password(world.ctx, user, by="test")
    elif way == "forged":
        cookie = device.client.get_cookie("awase-device")
        assert cookie is not None
        forged = "B" if cookie.value[0] == "A" else "A"  # of the last letter not every bit counts
        device.client.set_cookie("awase-device", forged + cookie.value[1:])
    elif way == "old":
        world.clock.turn(seconds=KNOWN_FOR.total_seconds() + 1)
    guess(from_(app, STRANGER), login, times=PAIR.free + 1)
    assert guess(device, login, times=1) == [429]


def test_neither_answer_nor_work_tell_whether_somebody_has_this_login(app: Flask, visit: Visit, world: World) -> None:
    visit(Role.MEMBER, login=LOGIN)
    told = []
    for login in (LOGIN, "nobody@example.invalid"):
        guesser = from_(app, STRANGER)
        guesser.open("/sign-in")
        seen = []
        for _ in range(PAIR.free + 3):
            with statements(world.database.engine) as queries:
                answer = guesser.send(login=login, password="not-it")
            headers = {
                k: v for k, v in answer.headers.items() if k not in ("X-Request-ID", "Set-Cookie", "Content-Length")
            }
            seen.append((answer.status_code, headers, sorted(queries)))
        told.append((seen, guesser.words.replace(login, "…")))
    assert told[0] == told[1]
    assert told[0][0][-1][0] == 429


def test_the_right_password_starts_from_nothing(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login=LOGIN)
    visitor = Visitor(client)
    for _ in range(3):
        assert set(guess(visitor, LOGIN, times=PAIR.free - 1)) == {401}
        assert visitor.send(login=LOGIN, password=PASSWORD).status_code == 200
        visitor.send("/sign-out")
        visitor.client.delete_cookie("awase-device")


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
    guess(member, "nobody@example.invalid", times=PAIR.free + 2)
    world.clock.turn(days=91)
    member.sign_in(LOGIN)
    refused = ["sign_in_failed"] * (PAIR.free + 1) + ["sign_in_braked"]
    assert [action for _, action, _ in actions(world)] == [
        *("user_added", "signed_in", "signed_out", *refused, "signed_in")
    ]


def test_nobody_is_named_in_the_log(client: FlaskClient, visit: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    visit(Role.MEMBER, login=LOGIN)
    configure_logging("DEBUG")
    visitor = Visitor(client)
    guess(visitor, LOGIN, times=PAIR.free + 2)
    guess(visitor, "nobody@example.invalid", times=1)
    with_session = Visitor(client.application.test_client())
    with_session.sign_in("other@example.invalid")
    output = capsys.readouterr().err
    assert sum(json.loads(line)["event"] == "sign_in_failed" for line in output.splitlines()) >= PAIR.free
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

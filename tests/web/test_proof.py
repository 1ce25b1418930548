"""A fresh proof before rights change, and passwords of somebody else's making: once, within a day, to be changed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask

from app.domain.access.brakes import PROOF
from app.domain.access.roles import Role
from app.use_cases.accounts import invitations, users
from app.use_cases.accounts.api_keys import list_keys
from app.use_cases.accounts.proof import FRESH
from app.use_cases.accounts.users import CLI, RESET_GOOD_FOR
from tests.web.addresses import Stock, addresses
from tests.web.application import application_on
from tests.web.visitor import PASSWORD, Visitor, visitor
from tests.web.world import KEY, World, make_settings, make_world

Visit = Callable[..., Visitor]
LOGIN = "tanto@example.invalid"
NEW = "quite-another-password"
CHOOSE = "/account/new-password"


def change_role(admin: Visitor, world: World) -> None:
    admin.open("/users")
    admin.send(f"/users/{users.user_id_of(world.ctx, LOGIN)}/role", role="viewer")


def role_of(world: World) -> str:
    with world.ctx.unit_of_work() as uow:
        user = uow.users.by_login(LOGIN)
    assert user is not None
    return user.role


# ── the proof ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_role_changes_only_after_a_proof_of_the_last_minutes(visit: Visit, world: World) -> None:
    visit(Role.MEMBER, login=LOGIN)
    admin = visit(Role.ADMIN)
    world.clock.turn(seconds=FRESH.total_seconds() + 1)
    change_role(admin, world)
    assert admin.page is not None and admin.page.status_code == 401
    assert "ご本人の確認" in admin.words and role_of(world) == "member"
    admin.send(proof_password="not-the-password")
    assert "いまのパスワードが違います" in admin.words and role_of(world) == "member"
    assert "not-the-password" not in admin.text
    admin.send(proof_password=PASSWORD)
    assert "役割を変えました" in admin.words and role_of(world) == "viewer"
    world.clock.turn(seconds=FRESH.total_seconds())
    change_role(admin, world)
    assert "役割を変えました" in admin.words, "the proof counts for a few minutes"


def test_everything_that_gives_rights_asks_for_it(visit: Visit, world: World) -> None:
    visit(Role.MEMBER, login=LOGIN)
    visit(Role.ADMIN, login="second@example.invalid")
    admin, user = visit(Role.ADMIN), users.user_id_of(world.ctx, LOGIN)
    users.disable(world.ctx, user, by="test")
    world.clock.turn(minutes=6)
    admin.open("/account")
    token = admin.token
    scopes = ["runs:write", "personal:read"]
    forms: dict[str, dict[str, list[str]]] = {
        f"/users/{user}/role": {"role": ["admin"]},
        f"/users/{user}/enable": {},
        f"/users/{user}/password": {},
        "/users/invitations": {"mail": ["x@example.invalid"], "role": ["admin"]},
        "/keys": {"name": ["連携"], "scope": scopes},
        f"/connections/{KEY}/two_persons": {"two_persons": ["accounts"], "hours": ["24"]},
    }
    for address, fields in forms.items():
        answer = admin.client.post(address, data={"csrf_token": token, **fields})
        assert answer.status_code == 401 and "proof_password" in answer.text, address
        for name, value in ((name, value) for name, values in fields.items() for value in values):
            assert f'name="{name}" value="{value}"' in answer.text, "the form goes through with the password"
    assert role_of(world) == "member" and invitations.list_invitations(world.ctx) == []
    assert list_keys(world.ctx) == []
    settings = {"csrf_token": token, "two_persons": "accounts", "hours": "24", "proof_password": PASSWORD}
    assert admin.client.post(f"/connections/{KEY}/two_persons", data=settings).status_code == 303
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
    assert connection is not None and connection.two_persons == "accounts"
    admin.client.post("/keys", data={"csrf_token": token, **forms["/keys"]})
    (key,) = list_keys(world.ctx)
    assert {str(scope) for scope in key.scopes} == set(scopes), "now that the proof is fresh"


def test_the_proof_cannot_be_guessed_and_strangers_do_not_brake_it(visit: Visit, world: World, app: Flask) -> None:
    visit(Role.MEMBER, login=LOGIN)
    admin = visit(Role.ADMIN)
    stranger = Visitor(app.test_client())
    for _ in range(12):
        stranger.sign_in("admin@example.invalid", "not-the-password")
    world.clock.turn(minutes=6)
    change_role(admin, world)
    told = [admin.send(proof_password="not-the-password").status_code for _ in range(PROOF.free + 2)]
    assert told == [422] * (PROOF.free + 1) + [429]
    with world.ctx.unit_of_work() as uow:
        failed = [(row.actor, row.address) for row in uow.audit.page() if row.action == "proof_failed"]
    assert failed == [(f"user:{users.user_id_of(world.ctx, 'admin@example.invalid')}", "127.0.0.1")] * (PROOF.free + 1)
    assert admin.page is not None and admin.page.headers["Retry-After"] == str(int(PROOF.first))
    assert admin.send(proof_password=PASSWORD).status_code == 429
    world.clock.turn(seconds=PROOF.first)
    admin.send(proof_password=PASSWORD)
    assert role_of(world) == "viewer"


# ── a password of somebody else's making ──────────────────────────────────────────────────────────────────────────────


def reset(visit: Visit, world: World) -> str:
    """The password that an administrator has made for somebody, as the page shows it."""
    visit(Role.MEMBER, login=LOGIN)
    admin = visit(Role.ADMIN)
    admin.open("/users")
    admin.send(f"/users/{users.user_id_of(world.ctx, LOGIN)}/password", confirmed="yes")
    (password,) = re.findall(r"<code>([^<]+)</code>", admin.text)
    return password


def signed_in(app: Flask, login: str, password: str) -> Visitor:
    who = Visitor(app.test_client())
    who.sign_in(login, password)
    return who


def test_it_opens_nothing_but_the_page_where_it_is_changed(visit: Visit, world: World, app: Flask) -> None:
    password = reset(visit, world)
    hana = signed_in(app, LOGIN, password)
    assert "新しいパスワードを決めてください" in hana.words
    token = hana.token
    stock = Stock("x", "x", "x", KEY, more={"user_id": 1, "session_id": 1, "delivery_id": 1, "token": "x"})
    for endpoint, address in addresses(app, stock):
        if endpoint in ("screens.static_file", "screens.new_password", "screens.invitation"):
            continue
        answer = hana.client.get(address)
        assert answer.status_code == 303, address
        assert answer.headers["Location"] == ("/" if endpoint == "screens.sign_in" else CHOOSE), address
    for address in ("/account/password", "/users/1/role", "/account/sessions/end-others", f"/connections/{KEY}/pause"):
        assert hana.client.post(address, data={"csrf_token": token}).headers["Location"] == CHOOSE, address
    for refused in (password, "password2026"):
        hana.open(CHOOSE)
        assert hana.send(password=refused, again=refused).status_code == 422, refused
    hana.send(password=NEW, again=NEW)
    assert "ホーム" in hana.words
    with world.ctx.unit_of_work() as uow:
        assert uow.audit.page(limit=1)[0].action == "password_changed"
    assert CHOOSE not in hana.open(CHOOSE), "it is only open while it is needed"
    assert "ホーム" in signed_in(app, LOGIN, NEW).words


def test_it_works_once(visit: Visit, world: World, app: Flask) -> None:
    password = reset(visit, world)
    signed_in(app, LOGIN, password)
    assert "使用済みか、期限切れです" in signed_in(app, LOGIN, password).words
    assert "使用済みか、期限切れです" not in signed_in(app, LOGIN, "not-the-password").words


def test_it_works_for_a_day(visit: Visit, world: World, app: Flask) -> None:
    password = reset(visit, world)
    world.clock.turn(seconds=RESET_GOOD_FOR.total_seconds())
    assert "使用済みか、期限切れです" in signed_in(app, LOGIN, password).words


def test_scripts_sign_in_with_what_the_command_line_has_printed_for_the_first_administrator(
    visit: Visit, world: World, app: Flask
) -> None:
    visit(Role.ADMIN, login="admin")
    visit(Role.ADMIN, login=LOGIN)
    first, second = (users.reset_password(world.ctx, user, by=CLI) for user in (1, 2))
    assert "新しいパスワードを決めてください" in signed_in(app, LOGIN, second).words
    for _ in range(3):
        assert "ホーム" in signed_in(app, "admin", first).words
        world.clock.turn(days=2)


@pytest.mark.database("sqlite")
def test_in_the_practice_house_every_password_stays(world: World) -> None:
    made = make_world(make_settings(world.ctx.settings.data_dir, PRACTICE_PATH="/_practice"))
    app = application_on(made.ctx)
    visitor(made.ctx, app.test_client(), Role.ADMIN)
    visitor(made.ctx, app.test_client(), Role.MEMBER, login=LOGIN)
    password = users.reset_password(made.ctx, 2, by="user:1")
    for _ in range(2):
        assert "ホーム" in signed_in(app, LOGIN, password).words
    made.database.dispose()

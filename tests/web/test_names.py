"""Every door that takes a name refuses one with signs that end a line or cannot be seen; old ones are shown cleaned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from app.config import Settings, SettingsError
from app.domain.access.roles import Role
from app.domain.errors import Refused
from app.domain.settings.names import is_clean
from app.storage.tables.access_models import ApiKeyTable, InvitationTable, UserTable, WizardTable
from app.storage.tables.models import ConnectionTable
from app.use_cases.accounts import api_keys, first_administrator
from app.use_cases.connections import connections
from tests.domain.test_names import UNSEEN
from tests.web.test_cli_access import ADD, runner
from tests.web.visitor import Visitor, arrived
from tests.web.world import KEY, World, make_settings

Door = Callable[[World, Flask, Visitor, str], bool]
"""Brings the text in where a name is taken; False when it was refused in words."""
EXPORT = ("--working-hours-system-name", "--pay-schedule-name")
NAMED = (ConnectionTable, WizardTable, UserTable, InvitationTable, ApiKeyTable)


def by_page(page: str, action: str | None, **fields: Any) -> Door:
    def door(_world: World, _app: Flask, admin: Visitor, text: str) -> bool:
        admin.open(page)
        given = {name: text if value is TEXT else value for name, value in fields.items()}
        answer = admin.send(action, **given)
        assert answer.status_code < 500, answer.text
        return answer.status_code < 400

    return door


def by_command(*arguments: Any) -> Door:
    def door(_world: World, app: Flask, _admin: Visitor, text: str) -> bool:
        given = [text if each is TEXT else each for each in arguments]
        done = runner(app)(*given, input="an-invented-password\n")
        assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
        return done.exit_code == 0

    return door


def by_use_case(call: Callable[[World, str], object]) -> Door:
    def door(world: World, _app: Flask, _admin: Visitor, text: str) -> bool:
        try:
            call(world, text)
        except Refused:
            return False
        return True

    return door


TEXT = object()
WIZARD = {"smarthr_subdomain": "awase-shinki", "smarthr_token": "t"}
ADDING = {"smarthr_subdomain": "awase-shinki", "smarthr_token": "t", "freee_company_id": 9}
DOORS: dict[str, Door] = {
    "wizard: name": by_page("/connections/new", None, name=TEXT, mail_to="a@example.com", **WIZARD),
    "wizard: mail": by_page("/connections/new", None, name="会社", mail_to=TEXT, **WIZARD),
    "page: export": by_page(
        f"/connections/{KEY}",
        f"/connections/{KEY}/export",
        working_hours_system_name=TEXT,
        pay_schedule_name="月末締め",
        pay_type="monthly",
        base_pay="1",
    ),
    "page: invitation": by_page("/users", "/users/invitations", mail=TEXT, role="viewer"),
    "command: key": by_command("key", "add", "--name", TEXT, "--scope", "ops:read"),
    "command: user": by_command("user", "add", TEXT),
    "command: first user": by_command("user", "first", TEXT),
    "command: connection": by_command("connection", "add", "--name", TEXT, *ADD[4:]),
    "command: connection key": by_command(*ADD, "--key", TEXT),
    "command: external cid": by_command(*ADD, "--freee-external-cid", TEXT),
    "command: mail": by_command(*ADD, "--mail-to", TEXT),
    "command: mail in English": by_command(*ADD, "--mail-to-english", TEXT),
    "command: export": by_command("connection", "set-export-settings", KEY, "--pay-schedule-name", TEXT),
    "use case: key": by_use_case(lambda world, text: api_keys.add_key(world.ctx, text, ["ops:read"])),
    "use case: user": by_use_case(lambda world, text: api_keys.add_user(world.ctx, text, "an-invented-password")),
    "use case: first": by_use_case(lambda w, text: first_administrator.first_administrator(w.ctx, login=text)),
    "use case: connection": by_use_case(lambda w, text: connections.add_connection(w.ctx, name=text, **ADDING)),
}
SOME = ["\n", "\r\nBcc: x@example.com", "\x1b", "\x85", "\u2028", "\u202e", "\u200b", "\u3164"]
"""Of each kind one: for the doors behind which the same check stands, far away from the domain."""
ADDRESSES = {"wizard: mail", "command: mail", "page: invitation"}


def rows(world: World) -> list[int]:
    with world.database.engine.connect() as connection:
        return [len(connection.execute(table.__table__.select()).all()) for table in NAMED]


@pytest.mark.parametrize("name", DOORS)
def test_a_door_lets_no_unseen_sign_in(name: str, world: World, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWASE_PASSWORD", "an-invented-password")
    monkeypatch.setenv("AWASE_SMARTHR_TOKEN", "an-invented-token")
    admin, door = arrived(world.ctx, app.test_client(), Role.ADMIN), DOORS[name]
    before = rows(world)
    for sign in UNSEEN if name.startswith("use case") else SOME:
        if name in ADDRESSES and sign.isspace() and name != "page: invitation":
            continue  # such signs stand between two addresses
        text = f"jinji{sign}x@example.com" if name in ADDRESSES else f"会社{sign}名"
        assert not door(world, app, admin, text), (name, ascii(sign))
    assert rows(world) == before


def test_every_setting_is_a_door(world: World) -> None:
    names = {field.upper() for field in Settings.__dataclass_fields__} - {"DATA_DIR"}
    good = {"SMARTHR_URL": "https://{subdomain}.x", "MAIL_FROM": "a@x", "REDIS_URL": "redis://x"}
    for name in names:
        for sign in ("\n", "\r\nBcc: x@example.com", "\u2028", "\u202e", "\u200b", "\x00", "\ud800"):
            with pytest.raises(SettingsError, match=name):
                make_settings(world.ctx.settings.data_dir, **{name: good.get(name, "1" * 40) + sign})


def test_names_of_before_are_shown_cleaned(world: World, app: Flask) -> None:
    odd = "会社\r\nBcc: x@example.com\u2028\u202e名"
    admin = arrived(world.ctx, app.test_client(), Role.ADMIN)
    arrived(world.ctx, app.test_client(), Role.MEMBER, login="another@example.invalid")
    key = {"Authorization": f"Bearer {api_keys.add_key(world.ctx, 'テスト', ['ops:read'])}"}
    with world.database.engine.begin() as connection:
        connection.execute(update(ConnectionTable).values(name=odd, freee_company_name=odd))
        connection.execute(update(ApiKeyTable).values(name=odd))
        connection.execute(update(UserTable).where(UserTable.role == "member").values(login=odd))
    for page in ("/", "/connections", f"/connections/{KEY}", "/runs", "/users", "/audit", "/engine", f"/sync/{KEY}"):
        shown = admin.client.get(page, follow_redirects=True)
        assert shown.status_code in (200, 404), (page, shown.status_code)
        assert "\u202e" not in shown.text and "\u2028" not in shown.text, page
    for path in ("/api/v1/connections", "/api/v1/queue"):
        told = admin.client.get(path, headers=key)
        assert told.status_code == 200 and "\u202e" not in told.text and "\u2028" not in told.text
    for arguments in (("connection", "list"), ("key", "list"), ("user", "list"), ("queue", "status")):
        done = runner(app)(*arguments)
        assert done.exit_code == 0 and all(map(is_clean, done.stdout.split("\n"))), arguments

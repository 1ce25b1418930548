"""Users and invitations: who may manage them, what each change ends, what a mail opens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from app.domain.access.roles import Permission, Role
from app.domain.errors import Refused
from app.logs import configure_logging
from app.use_cases.accounts import invitations, users
from app.use_cases.accounts.invitations import GOOD_FOR
from app.use_cases.accounts.sign_in import INVITATIONS_KEPT, SignedIn
from app.use_cases.context import Context
from app.use_cases.finish import notify
from app.use_cases.upkeep import relay
from tests.storage.databases import everything_stored
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import Postbox, World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
MANAGED = ("/users", "/audit")
HANA = "hana@example.invalid"
NEW = "quite-another-password"


def id_of(world: World, login: str) -> int:
    return users.user_id_of(world.ctx, login)


def invite(admin: Visitor, mail: str = HANA, role: Role = Role.VIEWER) -> str:
    admin.open("/users")
    return admin.send("/users/invitations", mail=mail, role=role.value).get_data(as_text=True)


def mailed(world: World) -> list[str]:
    """The links of the mails that are sent now, as the outbox, the queue and the sender have them."""
    postbox = Postbox()
    ctx = replace(world.ctx, mailer=postbox)
    relay.relay_once(ctx)
    for job in world.broker.jobs:
        notify.send_mail(ctx, *job.args)
    world.broker.jobs.clear()
    return [
        found[0] for mail in postbox.mails for found in [re.findall(r"http://localhost(/invitation/\S+)", mail.body)]
    ]


def accept(visitor: Visitor, link: str, password: str = NEW) -> int:
    visitor.open(link)
    return visitor.send(password=password, again=password).status_code


# ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("address", MANAGED)
@pytest.mark.parametrize("role", list(Role))
def test_only_who_manages_people_sees_them(role: Role, address: str, visit: Visit) -> None:
    allowed = Permission.MANAGE_PEOPLE in role.permissions
    visitor = visit(role)
    visitor.open(address, status=200 if allowed else 403)
    assert (f"{role.value}@example.invalid" in visitor.text.partition("<main")[2]) == allowed


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_nobody_else_can_send_its_forms(role: Role, visit: Visit, world: World) -> None:
    admin, other = visit(Role.ADMIN), visit(role)
    invite(admin)
    target = id_of(world, "admin@example.invalid")
    other.open("/account")
    token = other.token
    forms = {f"/users/{target}/role": {"role": "ops"}, f"/users/{target}/disable": {}, f"/users/{target}/enable": {}}
    forms |= {"/users/invitations": {"mail": "x@example.invalid", "role": "admin"}, "/users/invitations/1/revoke": {}}
    for address, fields in forms.items():
        assert other.client.post(address, data={"csrf_token": token, **fields}).status_code == 403, address
    assert "ホーム" in admin.open("/")
    assert [view.mail for view in invitations.list_invitations(world.ctx)] == [HANA]


# ── changes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_role_ends_every_session_and_is_noted(visit: Visit, world: World) -> None:
    admin, member = visit(Role.ADMIN), visit(Role.MEMBER)
    user = id_of(world, "member@example.invalid")
    admin.open("/users")
    admin.send(f"/users/{user}/role", role="ops")
    assert "役割を変えました" in admin.words
    assert "パスワード" in member.open("/")
    member.sign_in("member@example.invalid")
    assert "運用" in member.open("/")
    shown = admin.open(f"/audit?subject=user:{user}")
    assert "役割を変えた" in shown and "役割: 担当者 → 運用" in shown
    assert "admin@example.invalid" in shown


def test_the_same_role_again_signs_nobody_out(visit: Visit, world: World) -> None:
    admin, member = visit(Role.ADMIN), visit(Role.MEMBER)
    admin.open("/users")
    admin.send(f"/users/{id_of(world, 'member@example.invalid')}/role", role="member")
    assert "ホーム" in member.open("/")


def test_somebody_disabled_is_out_until_enabled(visit: Visit, world: World) -> None:
    admin, member = visit(Role.ADMIN), visit(Role.MEMBER)
    user = id_of(world, "member@example.invalid")
    admin.open("/users")
    admin.send(f"/users/{user}/disable", confirmed="yes")
    assert "無効にしました" in admin.words
    assert "パスワード" in member.open("/")
    assert member.sign_in("member@example.invalid").status_code == 401
    admin.open("/users")
    admin.send(f"/users/{user}/enable")
    assert member.sign_in("member@example.invalid").status_code == 200


@pytest.mark.parametrize("form", ["role", "disable"])
def test_the_last_administrator_stays(form: str, visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN, login="first@example.invalid")
    second = visit(Role.ADMIN, login="second@example.invalid")
    users.disable(world.ctx, id_of(world, "second@example.invalid"), by="test")
    assert "パスワード" in second.open("/")
    admin.open("/users")
    answer = admin.send(f"/users/{id_of(world, 'first@example.invalid')}/{form}", role="member", confirmed="yes")
    assert answer.status_code == 409 and "最後の管理者です" in admin.words
    assert "利用者" in admin.open("/users")


def test_a_reset_password_ends_sessions_and_works_once_known(visit: Visit, world: World, app: Flask) -> None:
    member = visit(Role.MEMBER)
    password = users.reset_password(world.ctx, id_of(world, "member@example.invalid"), by="cli")
    assert "パスワード" in member.open("/")
    visitor = Visitor(app.test_client())
    assert visitor.sign_in("member@example.invalid").status_code == 401
    assert visitor.sign_in("member@example.invalid", password).status_code == 200


@pytest.mark.parametrize("user_id", [0, 999, 2_147_483_647])
def test_a_user_that_is_none(user_id: int, visit: Visit, world: World) -> None:
    for change in (users.disable, users.enable):
        with pytest.raises(Refused, match="unknown_user"):
            change(world.ctx, user_id, by="test")


# ── invitations ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_is_invited_chooses_a_password_and_is_a_user(visit: Visit, world: World, app: Flask) -> None:
    admin = visit(Role.ADMIN)
    invite(admin, HANA.upper())
    assert HANA in admin.words and "送信待ち" in admin.words
    (link,) = mailed(world)
    assert "送信済み" in admin.open("/users")
    hana = Visitor(app.test_client())
    assert HANA in hana.open(link) and "閲覧者" in hana.words
    assert accept(hana, link) == 200
    assert "ようこそ" in hana.words
    hana.open("/users", status=403)
    assert Visitor(app.test_client()).sign_in(HANA, NEW).status_code == 200
    assert "返事を待っている招待はありません" in admin.open("/users")
    admin.open("/audit")
    for told in ("利用者を招待した", "招待を受けた"):
        assert told in admin.words


def test_an_invitation_is_good_once(visit: Visit, world: World, app: Flask) -> None:
    invite(visit(Role.ADMIN))
    (link,) = mailed(world)
    accept(Visitor(app.test_client()), link)
    Visitor(app.test_client()).open(link, status=404)


def test_an_invitation_is_good_for_72_hours(visit: Visit, world: World, app: Flask) -> None:
    invite(visit(Role.ADMIN))
    (link,) = mailed(world)
    world.clock.turn(seconds=GOOD_FOR.total_seconds() - 1)
    hana = Visitor(app.test_client())
    hana.open(link)
    world.clock.turn(seconds=1)
    hana.send(password=NEW, again=NEW)
    assert hana.page is not None and hana.page.status_code == 404 and "この招待は使えません" in hana.words


def test_a_revoked_invitation_opens_nothing(visit: Visit, world: World, app: Flask) -> None:
    admin = visit(Role.ADMIN)
    invite(admin)
    (link,) = mailed(world)
    (open_one,) = invitations.list_invitations(world.ctx)
    admin.open("/users")
    admin.send(f"/users/invitations/{open_one.id}/revoke", confirmed="yes")
    assert "招待を無効にしました" in admin.words
    Visitor(app.test_client()).open(link, status=404)
    with pytest.raises(Refused, match="invitation_over"):
        invitations.revoke(world.ctx, open_one.id, by=SignedIn(1, "x", Role.ADMIN, "ja"))


def test_a_second_invitation_replaces_the_first(visit: Visit, world: World, app: Flask) -> None:
    admin = visit(Role.ADMIN)
    invite(admin)
    invite(admin, role=Role.OPS)
    first, second = mailed(world)
    Visitor(app.test_client()).open(first, status=404)
    assert "運用" in Visitor(app.test_client()).open(second)


def test_whoever_may_no_longer_invite_leaves_no_open_invitation(visit: Visit, world: World, app: Flask) -> None:
    visit(Role.ADMIN)
    invite(visit(Role.ADMIN, login="leaving@example.invalid"))
    (link,) = mailed(world)
    users.set_role(world.ctx, id_of(world, "leaving@example.invalid"), "member", by="test")
    Visitor(app.test_client()).open(link, status=404)


@pytest.mark.parametrize(
    ("mail", "told"),
    [
        ("Member@example.invalid", "すでにいます"),
        ("nobody", "形が正しくありません"),
        ("a@b", "形が正しくありません"),
        ("a@example.invalid, b@example.invalid", "形が正しくありません"),
        ("a\r\nBcc: b@example.invalid", "形が正しくありません"),
        ("a" * 250 + "@example.invalid", "形が正しくありません"),
        ("", "形が正しくありません"),
    ],
)
def test_an_address_that_is_refused(mail: str, told: str, visit: Visit, world: World) -> None:
    visit(Role.MEMBER)
    admin = visit(Role.ADMIN)
    invite(admin, mail)
    assert told in admin.words and 'aria-invalid="true"' in admin.text
    assert invitations.list_invitations(world.ctx) == []
    assert mailed(world) == []


def test_a_weak_password_leaves_the_invitation_open(visit: Visit, world: World, app: Flask) -> None:
    invite(visit(Role.ADMIN))
    (link,) = mailed(world)
    hana = Visitor(app.test_client())
    assert accept(hana, link, "short") == 422
    assert "12〜256文字" in hana.words
    assert accept(hana, link, HANA) == 422
    assert accept(hana, link) == 200


def test_somebody_who_is_signed_in_does_not_use_up_an_invitation(visit: Visit, world: World, app: Flask) -> None:
    admin = visit(Role.ADMIN)
    invite(admin)
    (link,) = mailed(world)
    assert "別の利用者でサインインしています" in admin.open(link, status=409)
    assert accept(Visitor(app.test_client()), link) == 200


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "'"])
def test_a_made_up_invitation(token: str, app: Flask) -> None:
    Visitor(app.test_client()).open(f"/invitation/{token}", status=404)


def test_neither_log_nor_database_show_the_address_or_the_token(
    visit: Visit, world: World, app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    admin = visit(Role.ADMIN)
    configure_logging("DEBUG")
    invite(admin)
    stored = everything_stored(world.ctx.settings)
    (link,) = mailed(world)
    assert accept(Visitor(app.test_client()), link) == 200
    token = link.rpartition("/")[2]
    after, output = everything_stored(world.ctx.settings), capsys.readouterr().err
    assert token.encode() not in stored + after and NEW.encode() not in after
    assert HANA.encode() not in stored, "before it is a login"
    assert "invitation_accepted" in output
    for secret in (token, "hana", NEW, PASSWORD, "admin@"):
        assert secret not in output, secret
    rules = {entry["rule"] for entry in map(json.loads, output.splitlines()) if entry["event"] == "request"}
    assert "/invitation/<token>" in rules


def test_addresses_of_old_invitations_are_forgotten(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    invite(admin)
    world.clock.turn(seconds=(GOOD_FOR + INVITATIONS_KEPT).total_seconds() + 1)
    with world.ctx.unit_of_work() as uow:
        assert uow.invitations.open(world.clock.now().replace(year=2026, month=11, day=22)) != []
    admin.sign_in("admin@example.invalid")
    with world.ctx.unit_of_work() as uow:
        assert uow.invitations.open(world.clock.now().replace(year=2026, month=11, day=22)) == []


def test_the_mail_of_an_invitation(visit: Visit, world: World) -> None:
    invite(visit(Role.ADMIN))
    ctx: Context = world.ctx
    with ctx.unit_of_work() as uow:
        mail = uow.mails.get(1)
    assert mail is not None and mail.body is not None
    assert mail.to == (HANA,)
    assert "役割: 閲覧者" in mail.body and "2026-11-25 12:00" in mail.body
    assert mail.subject == "【Awase】利用者としての招待"


def test_an_invitation_in_english(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open("/users")
    admin.send("/users/invitations", mail=HANA, role=Role.VIEWER.value, language="en")
    with world.ctx.unit_of_work() as uow:
        mail = uow.mails.get(1)
    assert mail is not None and mail.body is not None
    assert mail.subject == "[Awase] You have been invited" and "Role: Viewer" in mail.body
    (letter,) = mail.letters
    assert '<html lang="en">' in letter.html and "/invitation/" in letter.html


def test_a_forgotten_password_is_made_anew_and_shown_once(visit: Visit, world: World, app: Flask) -> None:
    member = visit(Role.MEMBER, login=HANA)
    admin = visit(Role.ADMIN)
    admin.open("/users")
    shown = admin.send(f"/users/{id_of(world, HANA)}/password", confirmed="yes").get_data(as_text=True)
    (password,) = re.findall(r"<code>([^<]+)</code>", shown)
    assert password not in admin.open("/users")
    assert "サインイン" in member.open("/")  # signed out everywhere
    returned = Visitor(app.test_client())
    assert returned.sign_in(HANA).status_code == 401
    assert returned.sign_in(HANA, password).status_code == 200

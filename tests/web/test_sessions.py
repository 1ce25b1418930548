"""Sessions one by one: what the list tells, whose are ended by whom, and that an ended one is over at once."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask

from app.domain.access.roles import Role
from app.use_cases.accounts import users
from tests.web.visitor import Visitor
from tests.web.world import World

Visit = Callable[..., Visitor]
LOGIN = "tanto@example.invalid"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"


def elsewhere(app: Flask, agent: str = FIREFOX, address: str = "192.0.2.7", login: str = LOGIN) -> Visitor:
    """Another browser in which the user is signed in."""
    client = app.test_client()
    client.environ_base.update(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
    visitor = Visitor(client)
    assert visitor.sign_in(login).status_code == 200
    return visitor


def ends(visitor: Visitor) -> list[str]:
    """Where the buttons lead that end one session, in the order of the list."""
    return re.findall(r'action="(/[^"]*/sessions/\d+/end)"', visitor.text)


def row_of(visitor: Visitor, browser: str) -> str:
    """Where the button of that browser's row leads."""
    (row,) = [row for row in visitor.text.split("<tr>") if browser in row]
    return re.findall(r'action="([^"]+)"', row)[0]


def is_in(visitor: Visitor) -> bool:
    return visitor.client.get("/").status_code == 200


def test_each_session_tells_browser_and_address_and_which_one_asks(visit: Visit, world: World, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    timed_out = elsewhere(app)
    world.clock.turn(minutes=45)
    member.open("/")
    elsewhere(app, SAFARI, "2001:db8::7")
    elsewhere(app, "<script>alert(1)</script>", "198.51.100.1")
    world.clock.turn(minutes=30)
    member.open("/account/sessions")
    assert member.words.count("この端末") == 1
    for told in ("Safari · iPhone", "2001:db8::7", "不明なブラウザー", "198.51.100.1", "127.0.0.1"):
        assert told in member.words
    assert "Firefox" not in member.words and not is_in(timed_out), "what has timed out is not in the list"
    assert "<script>alert" not in member.text and len(ends(member)) == 2


def test_one_session_is_ended_and_the_others_go_on(visit: Visit, app: Flask, world: World) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    lost, kept = elsewhere(app), elsewhere(app, SAFARI)
    member.open("/account/sessions")
    member.send(row_of(member, "Firefox"), confirmed="yes")
    assert "その端末をサインアウトしました" in member.words
    assert (is_in(lost), is_in(kept), is_in(member)) == (False, True, True)
    with world.ctx.unit_of_work() as uow:
        newest = uow.audit.page(limit=1)[0]
    assert (newest.action, newest.subject, newest.detail) == ("session_ended", newest.actor, {"sessions": 1})


def newest_action(world: World) -> str:
    with world.ctx.unit_of_work() as uow:
        return uow.audit.page(limit=1)[0].action


def test_all_others_are_ended_and_this_one_goes_on(visit: Visit, app: Flask, world: World) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    others = [elsewhere(app), elsewhere(app)]
    member.open("/account/sessions")
    member.send("/account/sessions/end-others", confirmed="yes")
    assert "2台の端末をサインアウトしました" in member.words and "この端末" in member.words
    assert [is_in(each) for each in others] == [False, False]
    assert newest_action(world) == "other_sessions_ended"


def test_nobody_ends_the_session_of_somebody_else(visit: Visit, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    elsewhere(app)
    stranger = visit(Role.VIEWER)
    member.open("/account/sessions")
    (action,) = ends(member)
    stranger.open("/account")
    token = stranger.token
    assert stranger.client.post(action, data={"csrf_token": token, "confirmed": "yes"}).status_code == 303
    member.open("/account/sessions")
    assert ends(member) == [action], "still there"
    assert stranger.client.get("/users/1/sessions").status_code == 403
    assert stranger.client.post("/users/1/sessions/1/end", data={"csrf_token": token}).status_code == 403


def test_an_administrator_sees_and_ends_the_sessions_of_others(visit: Visit, app: Flask, world: World) -> None:
    admin, member = visit(Role.ADMIN), visit(Role.MEMBER, login=LOGIN)
    other = elsewhere(app)
    user = users.user_id_of(world.ctx, LOGIN)
    admin.open(f"/users/{user}/sessions")
    assert LOGIN in admin.words and "この端末" not in admin.words
    admin.send(row_of(admin, "Firefox"), confirmed="yes")
    assert (is_in(other), is_in(member)) == (False, True)
    admin.send(f"/users/{user}/sessions/end", confirmed="yes")
    assert not is_in(member) and is_in(admin) and "サインイン中の端末はありません" in admin.words
    assert newest_action(world) == "sessions_ended"
    admin.open("/users/999/sessions", status=404)
    shown = admin.open(f"/audit?subject=user:{user}")
    assert "端末をサインアウトさせた" in shown and "すべての端末でサインアウトさせた" in shown

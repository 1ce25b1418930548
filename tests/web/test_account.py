"""One's own account: password, language, sessions, signing out everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.domain.access.brakes import PROOF
from app.domain.access.passwords import LONGEST, SHORTEST
from app.domain.access.roles import Role
from app.use_cases.accounts import account
from app.web.i18n import LOCALES
from tests.web.visitor import PASSWORD, Visitor, forms
from tests.web.world import World

pytestmark = pytest.mark.reach("test")  # long journeys

Visit = Callable[..., Visitor]
LOGIN = "tanto@example.invalid"
NEW = "quite-another-password"
CHANGE = "/account/password"


def change(visitor: Visitor, *, current: str = PASSWORD, new: str = NEW, again: str | None = None) -> int:
    visitor.open("/account")
    again = new if again is None else again
    return visitor.send(CHANGE, current=current, password=new, again=again).status_code


@pytest.mark.parametrize("role", list(Role))
def test_everybody_has_an_account(role: Role, visit: Visit) -> None:
    shown = visit(role).open("/account")
    assert f"{role.value}@example.invalid" in shown and role.label in shown


def test_a_stranger_has_none(app: Flask) -> None:
    assert "パスワード" in Visitor(app.test_client()).open("/account")


def test_a_new_password_works_and_the_old_one_no_longer(visit: Visit, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    assert change(member) == 200
    assert "パスワードを変えました" in member.words
    assert Visitor(app.test_client()).sign_in(LOGIN).status_code == 401
    assert Visitor(app.test_client()).sign_in(LOGIN, NEW).status_code == 200


def test_with_the_password_every_other_session_ends(visit: Visit, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    elsewhere = Visitor(app.test_client())
    elsewhere.sign_in(LOGIN)
    cookie = member.client.get_cookie("awase")
    assert cookie is not None
    change(member)
    assert "ホーム" in member.open("/")
    assert "パスワード" in elsewhere.open("/")
    member.client.set_cookie("awase", cookie.value)
    assert "パスワード" in member.open("/"), "also the one that changed it goes on under a new token"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"current": "not-the-password"}, "いまのパスワードが違います"),
        ({"new": "x" * (SHORTEST - 2) + "y"}, "12〜256文字"),
        ({"new": "xy" * (LONGEST // 2) + "z"}, "12〜256文字"),
        ({"new": LOGIN.upper()}, "ログイン名と同じ"),
        ({"new": "Password1234"}, "推測されやすい"),
        ({"new": "ababababababab"}, "推測されやすい"),
        ({"new": PASSWORD}, "いまのパスワードと同じ"),
        ({"again": "something-else-again"}, "一致しません"),
    ],
)
def test_a_password_that_is_refused_changes_nothing(given: dict[str, str], told: str, visit: Visit, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    assert change(member, **given) == 422
    assert told in member.words and 'aria-invalid="true"' in member.text
    assert all(value not in member.text for value in given.values() if value != LOGIN), "never sent back"
    assert Visitor(app.test_client()).sign_in(LOGIN).status_code == 200


def test_the_current_password_cannot_be_guessed_at_an_open_browser(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    statuses = [change(member, current="not-the-password") for _ in range(PROOF.free + 2)]
    assert statuses == [422] * (PROOF.free + 1) + [429]
    assert "2秒後" in member.words


def test_the_language_stays_with_the_account(visit: Visit, app: Flask) -> None:
    member = visit(Role.MEMBER, login=LOGIN)
    member.open("/account")
    member.send("/account/language", locale="en")
    assert 'lang="en"' in member.text and "The display language has been changed" in member.words
    elsewhere = Visitor(app.test_client())
    elsewhere.sign_in(LOGIN)
    assert 'lang="en"' in elsewhere.open("/account")
    elsewhere.send("/account/language", locale="xx")
    assert elsewhere.page is not None and elsewhere.page.status_code == 422


def test_the_languages_are_those_of_the_catalogues() -> None:
    assert account.LOCALES == LOCALES


def test_signing_out_everywhere(visit: Visit, app: Flask, world: World) -> None:
    member, other = visit(Role.MEMBER, login=LOGIN), visit(Role.VIEWER)
    elsewhere = Visitor(app.test_client())
    elsewhere.sign_in(LOGIN)
    member.open("/account")
    member.send("/account/sign-out-everywhere", confirmed="yes")
    assert "すべての端末でサインアウトしました" in member.words
    assert "パスワード" in elsewhere.open("/")
    assert "ホーム" in other.open("/")
    with world.ctx.unit_of_work() as uow:
        newest = uow.audit.page(limit=1)[0]
    assert (newest.action, newest.detail) == ("signed_out_everywhere", {"sessions": 2})


def test_no_form_is_taken_without_its_token(visit: Visit, app: Flask) -> None:
    member = visit(Role.ADMIN)
    Visitor(app.test_client()).sign_in("admin@example.invalid")
    for page, least in (("/account", 4), ("/users", 4), ("/account/sessions", 4), ("/users/1/sessions", 3)):
        member.open(page)
        posts = [form for form in forms(member.text) if form.method == "post"]
        assert len(posts) >= least
        for form in posts:
            sent = {name: value for name, value in form.fields if name != "csrf_token"}
            assert member.client.post(form.action, data=sent).status_code == 400, form.action
    stranger = app.test_client()
    for address in ("/sign-in", "/language", "/invitation/anything"):
        assert stranger.post(address, data={}).status_code == 400, address
    assert "ホーム" in member.open("/")

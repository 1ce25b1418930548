"""What every screen stands on: the sign-in, its end, CSRF, headers, roles, languages."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient

from app import __version__
from app.domain.access.roles import Role
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import World

Visit = Callable[..., Visitor]


def test_who_is_not_signed_in_is_sent_to_the_sign_in_and_back(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login="tanto@example.invalid")
    stranger = Visitor(client)
    assert "パスワード" in stranger.open("/?from=mail")
    stranger.send(login="tanto@example.invalid", password=PASSWORD)
    assert stranger.page is not None and stranger.page.request.full_path == "/?from=mail"


def test_a_wrong_password_and_an_unknown_login_are_told_alike(client: FlaskClient, visit: Visit) -> None:
    visit(Role.MEMBER, login="tanto@example.invalid")
    stranger = Visitor(client)
    wrong = stranger.sign_in("tanto@example.invalid", "another-password")
    told = stranger.words
    assert wrong.status_code == 401
    assert stranger.sign_in("nobody@example.invalid").status_code == 401
    assert stranger.words.replace("nobody", "tanto") == told


def test_an_idle_session_ends(visit: Visit, world: World) -> None:
    member = visit(Role.MEMBER)
    world.clock.turn(minutes=59)
    assert "ホーム" in member.open("/")
    world.clock.turn(minutes=59)
    assert "ホーム" in member.open("/")
    world.clock.turn(minutes=61)
    assert "パスワード" in member.open("/")


def test_after_signing_out_the_cookie_of_before_is_worth_nothing(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    cookie = member.client.get_cookie("awase")
    assert cookie is not None
    member.send("/sign-out")
    member.client.set_cookie("awase", cookie.value)
    assert "パスワード" in member.open("/")


def test_a_form_without_its_token_is_refused(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/")
    assert member.client.post("/sign-out").status_code == 400
    assert "ホーム" in member.open("/")


def test_a_page_loads_nothing_but_our_own(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    member.open("/")
    assert member.page is not None
    policy = member.page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


def test_english_before_the_sign_in(client: FlaskClient) -> None:
    stranger = Visitor(client)
    stranger.open("/sign-in")
    stranger.send("/language", press=("locale", "en"))
    assert 'lang="en"' in stranger.text and "Password" in stranger.words


def test_static_files_may_be_kept_by_their_content(client: FlaskClient) -> None:
    page = client.get("/sign-in").get_data(as_text=True)
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in client.get(address).headers["Cache-Control"]
    assert client.get("/static/awase.css").headers["Cache-Control"] == "no-cache"


def test_the_foot_tells_the_version_to_whom_has_signed_in(client: FlaskClient, visit: Visit) -> None:
    assert f"Awase {__version__}" in visit(Role.MEMBER).open("/")
    assert __version__ not in Visitor(client).open("/sign-in")


# ── the language before anybody has signed in ─────────────────────────────────────────────────────────────────────────


def lang(page: str) -> str:
    return page.partition('<html lang="')[2][:2]


def test_the_sign_in_page_follows_the_browser_until_somebody_chooses(client: FlaskClient) -> None:
    for asked, shown in (
        ("en-US,en;q=0.9", "en"),
        ("ja,en;q=0.9", "ja"),
        ("en;q=0.1, ja-JP;q=0.9", "ja"),
        ("fr-FR, en;q=0.5", "en"),
        ("fr", "ja"),
        ("", "ja"),
        ("*;;q=x", "ja"),
    ):
        answer = client.get("/sign-in", headers={"Accept-Language": asked})
        assert lang(answer.text) == shown, asked
    stranger = Visitor(client)
    stranger.open("/sign-in")
    stranger.send("/language", locale="ja")
    assert lang(client.get("/sign-in", headers={"Accept-Language": "en"}).text) == "ja", "the choice counts"


def test_who_has_signed_in_sees_their_own_language(visit: Visit) -> None:
    member = visit(Role.MEMBER)
    assert lang(member.client.get("/", headers={"Accept-Language": "en"}).text) == "ja"

"""What takes something away asks once: the first press shows what will be gone, the second does it. Every button that
looks dangerous is on such a way."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.access.roles import Role
from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.accounts import invitations, users
from app.use_cases.accounts.sign_in import SignedIn
from app.use_cases.connections.connections import list_connections
from app.web.i18n import catalogue
from tests.web.made import add_run
from tests.web.visitor import PASSWORD, Visitor
from tests.web.world import KEY, World

Visit = Callable[..., Visitor]
TEMPLATES = Path(__file__).resolve().parents[2] / "app" / "web" / "templates" / "screens"
ASKING = frozenset(
    {
        *("users_disable", "users_password", "users_revoke", "end_own_session", "end_other_sessions"),
        *("end_user_session", "end_user_sessions", "sign_out_everywhere", "end_setup", "discard"),
        *("to('pause')", "to('webhook')"),
    }
)
"""Where a form leads that asks on a page of its own (`ask_first`)."""
QUESTIONS = frozenset({"asking/ask.html", "keys/ask.html", "run/ask.html", "connections/delete.html"})
"""Pages that are the question themselves."""
BY_THEMSELVES = {
    "links/compare.html": "shows both people, and beside the button what it does",
    "preview/second.html": "asks for a reason",
}
_FORM = re.compile(r"(?s)<form\b.*?</form>")


def dangerous(form: str) -> bool:
    return bool(re.search(r'<button[^>]*class="[^"]*\bdanger\b', form)) and 'method="post"' in form


def test_every_dangerous_button_asks_once() -> None:
    """In a dialog, on a page that is the question, or by `ask_first`."""
    without = []
    for file in sorted(TEMPLATES.rglob("*.html")):
        name, text = str(file.relative_to(TEMPLATES)), file.read_text(encoding="utf-8")
        dialogs = [match.span() for match in re.finditer(r"(?s)<dialog\b.*?</dialog>", text)]
        for found in _FORM.finditer(text):
            in_dialog = any(start < found.start() < end for start, end in dialogs)
            asks = any(each in found[0].replace('"', "'") for each in ASKING)
            if dangerous(found[0]) and not (in_dialog or asks or name in QUESTIONS or name in BY_THEMSELVES):
                without.append((name, found[0][:200]))
    assert without == []
    assert dangerous('<form method="post"><button class="quiet danger">') and not dangerous('<form method="get">')


def test_every_question_says_what_will_be_gone_and_is_asked_somewhere() -> None:
    screens = Path(__file__).resolve().parents[2] / "app" / "web" / "screens"
    code = "\n".join(file.read_text(encoding="utf-8") for file in screens.rglob("*.py"))
    asked = set(re.findall(r'(?:ask_first|_ask)\(\s*"([a-z_]+)"', code))
    for locale in ("ja", "en"):
        texts = {key.split(".")[1] for key in catalogue(locale) if key.startswith("asks.") and key.count(".") == 2}
        assert texts == asked
        assert all(catalogue(locale)[f"asks.{each}.{part}"] for each in asked for part in ("title", "text", "yes"))


def asked_and_done(who: Visitor, page: str, action: str, *, press: tuple[str, str] | None = None) -> str:
    """Press the button: the words of the question. Then the question's own button."""
    who.open(page)
    who.send(action, press=press)
    question = who.words
    assert who.text.count('name="confirmed"') == 1
    who.send()
    assert 'name="confirmed"' not in who.text, "asked once only"
    return question


def login_id(world: World, login: str) -> int:
    return users.user_id_of(world.ctx, login)


def test_a_user_is_disabled_after_the_question(visit: Visit, world: World) -> None:
    visit(Role.MEMBER)
    admin, user = visit(Role.ADMIN), login_id(world, "member@example.invalid")
    admin.open("/users")
    admin.send(f"/users/{user}/disable")
    assert users.list_users(world.ctx)[0].disabled_at is None
    question = asked_and_done(admin, "/users", f"/users/{user}/disable")
    assert "member@example.invalid を無効にしますか" in question and "操作記録は残り" in question
    assert users.list_users(world.ctx)[0].disabled_at is not None


def test_a_password_is_reset_after_one_question_that_also_asks_for_the_own_one(visit: Visit, world: World) -> None:
    visit(Role.MEMBER)
    admin, user = visit(Role.ADMIN), login_id(world, "member@example.invalid")
    world.clock.turn(minutes=6)
    admin.open("/users")
    admin.send(f"/users/{user}/password")
    assert "パスワードを作り直しますか" in admin.words
    admin.send(proof_password=PASSWORD)
    assert re.findall(r"<code>([^<]+)</code>", admin.text), "neither a second question nor a proof of its own"


def test_an_invitation_is_withdrawn_after_the_question(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    by = SignedIn(login_id(world, "admin@example.invalid"), "admin@example.invalid", Role.ADMIN, "ja")
    invitations.invite(world.ctx, "hana@example.invalid", "viewer", by=by)
    (invited,) = invitations.list_invitations(world.ctx)
    question = asked_and_done(admin, "/users", f"/users/invitations/{invited.id}/revoke")
    assert "hana@example.invalid への招待" in question and invitations.list_invitations(world.ctx) == []


def test_a_connection_is_paused_after_the_question(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(f"/connections/{KEY}")
    admin.send(f"/connections/{KEY}/pause", press=("answer", "pause"))
    assert list_connections(world.ctx)[0].state == "active"
    asked_and_done(admin, f"/connections/{KEY}", f"/connections/{KEY}/pause", press=("answer", "pause"))
    assert list_connections(world.ctx)[0].state == "paused"
    admin.send(f"/connections/{KEY}/pause", press=("answer", "resume"))
    assert list_connections(world.ctx)[0].state == "active", "nothing is gone by resuming, so nothing is asked"


def test_a_preview_is_discarded_after_the_question(visit: Visit, world: World) -> None:
    run = add_run(world, ItemState.WAITING, state=RunState.PREVIEWED)
    member = visit(Role.MEMBER)
    question = asked_and_done(member, f"/runs/{run}/people", f"/runs/{run}/discard")
    assert "消えます" in question
    with world.ctx.unit_of_work() as uow:
        found = uow.runs.get_by_public_id(run)
    assert found is not None and found.ends_as is RunState.CANCELLED


@pytest.mark.parametrize(
    ("page", "action"), [("/account", "/account/sign-out-everywhere"), ("/account/sessions", "/end-others")]
)
def test_sessions_end_after_the_question(page: str, action: str, visit: Visit) -> None:
    member = visit(Role.MEMBER)
    assert "保存済みの内容はそのまま残ります" in asked_and_done(member, page, action)


def test_who_says_no_changes_nothing(visit: Visit, world: World) -> None:
    admin = visit(Role.ADMIN)
    admin.open(f"/connections/{KEY}")
    admin.send(f"/connections/{KEY}/pause", press=("answer", "pause"))
    (back,) = re.findall(r'<a class="button" href="([^"]+)" autofocus>', admin.text)
    assert back == f"/connections/{KEY}#pause"
    assert list_connections(world.ctx)[0].state == "active"

"""Where somebody is signed in: each session with its browser and address, and buttons that end one or all others. A
page for one's own, and one for an administrator about anybody."""

from __future__ import annotations

from flask import flash, redirect
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.use_cases.accounts import sessions
from app.use_cases.accounts.devices import remember_device
from app.use_cases.accounts.users import login_of
from app.web.current import current_context
from app.web.http.browser import browser_here, set_device
from app.web.screens.base import ask_first, me, my_token, needs, render, screens, wording_here

_ID = "<int(max=2147483647):"


@screens.get("/account/sessions")
@needs(None)
def own_sessions() -> Response:
    mine = sessions.my_sessions(current_context(), me(), token=my_token())
    return render("account/sessions.html", sessions=mine, login=me().login, of=None)


@screens.post(f"/account/sessions/{_ID}session_id>/end")
@needs(None)
def end_own_session(session_id: int) -> Response:
    if (asked := ask_first("session", back=url("screens.own_sessions"))) is not None:
        return asked
    sessions.end_session(current_context(), session_id, user_id=me().user_id, by=me())
    flash(wording_here()("account.session_ended"), "good")
    return redirect(url("screens.own_sessions"), code=303)


@screens.post("/account/sessions/end-others")
@needs(None)
def end_other_sessions() -> Response:
    if (asked := ask_first("other_sessions", back=url("screens.own_sessions"))) is not None:
        return asked
    ctx = current_context()
    ended = sessions.end_other_sessions(ctx, me(), token=my_token())
    flash(wording_here()("account.sessions_ended", n=ended), "good")
    answer = redirect(url("screens.own_sessions"), code=303)
    set_device(answer, remember_device(ctx, browser_here().device, me().user_id))  # this browser stays known
    return answer


@screens.get(f"/users/{_ID}user_id>/sessions")
@needs(Permission.MANAGE_PEOPLE)
def user_sessions(user_id: int) -> Response:
    login, found = sessions.sessions_of(current_context(), user_id, token=my_token())
    return render("account/sessions.html", sessions=found, login=login, of=user_id)


@screens.post(f"/users/{_ID}user_id>/sessions/{_ID}session_id>/end")
@needs(Permission.MANAGE_PEOPLE)
def end_user_session(user_id: int, session_id: int) -> Response:
    if (asked := _ask("session_of", user_id)) is not None:
        return asked
    sessions.end_session(current_context(), session_id, user_id=user_id, by=me())
    flash(wording_here()("account.session_ended"), "good")
    return redirect(url("screens.user_sessions", user_id=user_id), code=303)


@screens.post(f"/users/{_ID}user_id>/sessions/end")
@needs(Permission.MANAGE_PEOPLE)
def end_user_sessions(user_id: int) -> Response:
    if (asked := _ask("sessions_of", user_id)) is not None:
        return asked
    ended = sessions.end_sessions_of(current_context(), user_id, by=me())
    flash(wording_here()("account.sessions_ended", n=ended), "good")
    return redirect(url("screens.user_sessions", user_id=user_id), code=303)


def _ask(what: str, user_id: int) -> Response | None:
    back = url("screens.user_sessions", user_id=user_id)
    return ask_first(what, back=back, login=login_of(current_context(), user_id))

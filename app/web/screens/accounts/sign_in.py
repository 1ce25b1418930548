"""Signing in and out, and the language of a visitor who is not signed in yet."""

from __future__ import annotations

from collections.abc import Callable

from flask import redirect, request, session
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.errors import Refused, TemporaryError
from app.use_cases.accounts import sign_in as sign_ins
from app.use_cases.accounts.devices import remember_device
from app.web.current import current_context
from app.web.http.browser import browser_here, set_device
from app.web.http.destinations import own_path
from app.web.http.kept_forms import FIELD, KeptForm, kept_in
from app.web.i18n import LOCALES
from app.web.screens.base import (
    begin_session,
    end_session,
    resend_page,
    retry_later,
    screens,
    sign_in_page,
    signed_in,
    told,
    wording_here,
)


@screens.get("/sign-in")
def sign_in() -> Response:
    if signed_in() is not None:
        return redirect(_wanted(), code=303)
    return sign_in_page()


@screens.post("/sign-in")
def begin() -> Response:
    """Sign in, and go on where the visitor wanted to go; or to what a form has sent before, for a confirmation."""
    ctx, kept = current_context(), kept_in(request.form.get(FIELD, ""))
    login = request.form.get("login", "").strip()
    try:
        token = sign_ins.sign_in(ctx, login, request.form.get("password", ""), browser_here())
    except Refused as refused:
        page = sign_in_page(login=login, fault=told(refused), kept=kept, status=refused.status)
        return retry_later(page, refused)
    except TemporaryError as error:
        words = wording_here()
        fault = f"{words.message(error.code)} {words.remedy(error.code)}"
        return retry_later(sign_in_page(login=login, fault=fault, kept=kept, status=503), error)
    return enter(token, to=_wanted()) if kept is None else _entered(token, lambda: _resend(kept))


def _resend(kept: KeptForm) -> Response:
    """Whoever has to choose a password first does that."""
    who = signed_in()
    return redirect(url("screens.new_password"), code=303) if who and who.must_change else resend_page(kept)


def enter(token: str, *, to: str) -> Response:
    """Give this browser the session of that token from now on, and send it to the page `to`."""
    return _entered(token, lambda: redirect(to, code=303))


def _entered(token: str, answer_with: Callable[[], Response]) -> Response:
    ctx = current_context()
    who = sign_ins.signed_in_by(ctx, token)
    assert who is not None  # the session began a moment ago
    begin_session(token, who)
    answer = answer_with()
    set_device(answer, remember_device(ctx, browser_here().device, who.user_id))
    return answer


@screens.post("/sign-out")
def sign_out() -> Response:
    token = end_session()
    if token:
        sign_ins.sign_out(current_context(), token)
    return redirect(url("screens.sign_in"), code=303)


@screens.post("/language")
def choose_language() -> Response:
    """Set this browser's language until the sign-in; a signed-in person's language is kept with their account."""
    locale = request.form.get("locale", "")
    if locale in LOCALES and signed_in() is None:
        session["locale"] = locale
        wording_here()
    return redirect(_wanted(), code=303)


def _wanted() -> str:
    """The page of ours that the visitor was on the way to, else the first page; never a page of another host."""
    return own_path(request.values.get("next", "")) or url("screens.home")

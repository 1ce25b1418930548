"""A person's own account: password, language, sessions; and the page of an invitation, where an account begins."""

from __future__ import annotations

from flask import flash, redirect, request, session
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.passwords import LONGEST, SHORTEST
from app.domain.errors import Refused
from app.use_cases.accounts import account as accounts
from app.use_cases.accounts import invitations
from app.use_cases.accounts.brakes import TooManyAttempts
from app.web.current import current_context
from app.web.http.browser import browser_here
from app.web.i18n import wording
from app.web.screens.accounts.sign_in import enter
from app.web.screens.base import (
    ask_first,
    end_session,
    me,
    my_token,
    needs,
    render,
    retry_later,
    screens,
    signed_in,
    told,
    wording_here,
)


@screens.get("/account")
@needs(None)
def account() -> Response:
    return _page()


@screens.post("/account/password")
@needs(None)
def change_password() -> Response:
    who, form = me(), request.form
    try:
        _same_twice(form.get("password", ""), form.get("again", ""))
        current, new = form.get("current", ""), form.get("password", "")
        token = accounts.change_password(current_context(), who, current=current, new=new, browser=browser_here())
    except Refused as refused:
        return retry_later(_page(faults=_faults(refused), status=refused.status), refused)
    answer = enter(token, to=url("screens.account"))
    flash(wording_here()("account.password_changed"), "good")
    return answer


@screens.get("/account/new-password")
@needs(None, new_password=True)
def new_password() -> Response:
    """The only page that is open to whoever has signed in with a password of somebody else's making."""
    return _new_password() if me().must_change else redirect(url("screens.account"), code=303)


@screens.post("/account/new-password")
@needs(None, new_password=True)
def choose_password() -> Response:
    password = request.form.get("password", "")
    try:
        _same_twice(password, request.form.get("again", ""))
        token = accounts.choose_password(current_context(), me(), password, browser=browser_here())
    except Refused as refused:
        return _new_password(faults=_faults(refused), status=refused.status)
    answer = enter(token, to=url("screens.home"))
    flash(wording_here()("account.password_changed"), "good")
    return answer


def _new_password(*, faults: dict[str, str] | None = None, status: int = 200) -> Response:
    return render("account/new_password.html", status=status, faults=faults or {}, limits=(SHORTEST, LONGEST))


@screens.post("/account/language")
@needs(None)
def change_language() -> Response:
    locale = request.form.get("locale", "")
    accounts.choose_locale(current_context(), me(), locale)
    session["locale"] = locale
    flash(wording(locale)("account.language_changed"), "good")
    return redirect(url("screens.account"), code=303)


@screens.post("/account/sign-out-everywhere")
@needs(None)
def sign_out_everywhere() -> Response:
    if (asked := ask_first("everywhere", back=url("screens.account"))) is not None:
        return asked
    accounts.sign_out_everywhere(current_context(), me())
    told = wording_here()("account.signed_out_everywhere")
    locale = me().locale
    end_session()
    session["locale"] = locale
    flash(told, "good")
    return redirect(url("screens.sign_in"), code=303)


# ── invitations ───────────────────────────────────────────────────────────────────────────────────────────────────


@screens.get("/invitation/<token>")
def invitation(token: str) -> Response:
    if signed_in() is not None:
        return _somebody_else()
    return _invitation(_invited(token))


@screens.post("/invitation/<token>")
def accept_invitation(token: str) -> Response:
    if signed_in() is not None:
        return _somebody_else()
    invited = _invited(token)
    password, locale = request.form.get("password", ""), wording_here().locale
    try:
        _same_twice(password, request.form.get("again", ""))
        begun = invitations.accept(current_context(), token, password, locale=locale, browser=browser_here())
    except Refused as refused:
        if refused.code == "invitation_unknown":
            raise
        return _invitation(invited, faults=_faults(refused), status=refused.status)
    answer = enter(begun, to=url("screens.home"))
    flash(wording_here()("account.welcome"), "good")
    return answer


def _invited(token: str) -> invitations.InvitationView:
    return invitations.invited_by_token(current_context(), token)


def _invitation(
    invited: invitations.InvitationView, *, faults: dict[str, str] | None = None, status: int = 200
) -> Response:
    limits = (SHORTEST, LONGEST)
    return render("account/invitation.html", status=status, invitation=invited, faults=faults or {}, limits=limits)


def _somebody_else() -> Response:
    """The person who is signed in here has an account already: nothing of the invitation is shown or used."""
    return render("account/occupied.html", status=409)


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _page(*, faults: dict[str, str] | None = None, status: int = 200) -> Response:
    mine = accounts.account_of(current_context(), me(), token=my_token())
    return render("account/page.html", status=status, account=mine, faults=faults or {}, limits=(SHORTEST, LONGEST))


def _same_twice(password: str, again: str) -> None:
    if password != again:
        raise Refused("not_the_same", fields=("again",))


def _faults(refused: Refused) -> dict[str, str]:
    """Field → what is wrong with it, in the language of the page."""
    field = "current" if isinstance(refused, TooManyAttempts) else "password"
    return dict.fromkeys(refused.fields or {field: ""}, told(refused))

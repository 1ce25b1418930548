"""The people who may sign in, and those who are invited to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission, Role
from app.domain.errors import Refused
from app.use_cases.accounts import invitations
from app.use_cases.accounts import users as user_accounts
from app.use_cases.connections.two_persons import connections_with_too_few
from app.web.current import current_context
from app.web.screens.base import ask_first, me, needs, render, screens, wording_here

_ID = "<int(max=2147483647):"


@screens.get("/users")
@needs(Permission.MANAGE_PEOPLE)
def users() -> Response:
    return _page()


@screens.post("/users/invitations")
@needs(Permission.MANAGE_PEOPLE, proof=True)
def users_invite() -> Response:
    typed = {name: request.form.get(name, "") for name in ("mail", "role", "language")}
    try:
        invitations.invite(current_context(), typed["mail"], typed["role"], by=me(), locale=typed["language"])
    except Refused as refused:
        return _page(faults=_faults(refused), typed=typed, status=refused.status)
    flash(wording_here()("users.invited"), "good")
    return _back()


@screens.post(f"/users/invitations/{_ID}invitation_id>/revoke")
@needs(Permission.MANAGE_PEOPLE)
def users_revoke(invitation_id: int) -> Response:
    mails = [each.mail for each in invitations.list_invitations(current_context()) if each.id == invitation_id]
    if mails and (asked := ask_first("invitation", back=url("screens.users"), mail=mails[0])) is not None:
        return asked
    invitations.revoke(current_context(), invitation_id, by=me())
    flash(wording_here()("users.revoked"), "good")
    return _back()


@screens.post(f"/users/{_ID}user_id>/role")
@needs(Permission.MANAGE_PEOPLE, proof=True)
def users_role(user_id: int) -> Response:
    user_accounts.set_role(current_context(), user_id, request.form.get("role", ""), by=me().actor)
    flash(wording_here()("users.role_changed"), "good")
    return _back()


@screens.post(f"/users/{_ID}user_id>/disable")
@needs(Permission.MANAGE_PEOPLE)
def users_disable(user_id: int) -> Response:
    if (asked := _ask("disable", user_id)) is not None:
        return asked
    user_accounts.disable(current_context(), user_id, by=me().actor)
    flash(wording_here()("users.disabled"), "good")
    return _back()


@screens.post(f"/users/{_ID}user_id>/enable")
@needs(Permission.MANAGE_PEOPLE, proof=True)
def users_enable(user_id: int) -> Response:
    user_accounts.enable(current_context(), user_id, by=me().actor)
    flash(wording_here()("users.enabled"), "good")
    return _back()


@screens.post(f"/users/{_ID}user_id>/password")
@needs(Permission.MANAGE_PEOPLE)
def users_password(user_id: int) -> Response:
    """Reset a password, without a redirect: this answer is the only place where the new password stands."""
    if (asked := _ask("reset_password", user_id, proof=True)) is not None:
        return asked
    return _page(password=user_accounts.reset_password(current_context(), user_id, by=me().actor))


def _ask(what: str, user_id: int, *, proof: bool = False) -> Response | None:
    login = user_accounts.login_of(current_context(), user_id)
    return ask_first(what, back=url("screens.users"), proof=proof, login=login)


def _page(
    *,
    faults: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
    password: str | None = None,
) -> Response:
    shown: dict[str, Any] = {
        "users": user_accounts.list_users(current_context()),
        "invitations": invitations.list_invitations(current_context()),
        "faults": faults or {},
        "too_few": connections_with_too_few(current_context()),
        "password": password,
        "typed": typed or {"mail": "", "role": Role.MEMBER},
    }
    return render("users/page.html", status=status, **shown)


def _faults(refused: Refused) -> dict[str, str]:
    """Field → what is wrong with it, in the language of the page."""
    return wording_here().faults(refused)


def _back() -> Response:
    return redirect(url("screens.users"), code=303)

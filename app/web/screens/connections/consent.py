"""/connect/freee: the page a mail leads to when freee has to be authorised anew, and the page freee sends back to.

The way back belongs to the browser in which it began: to the session of the administrator who pressed the button on a
screen, or to the browser that opened the mailed link, which works once. What `flask connection authorise` prints is
such a link itself. A state that comes with another browser is refused and stays as it is. Only an administrator of
exactly this connection's company can bring tokens that are kept. For a connection that is still being set up, what
freee brings is only put aside: a signed-in person has to confirm the company. A person who began on a screen of ours is
sent back to that screen.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request
from flask import url_for as url

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.use_cases.connections import connection_wizard, connections, consent_links
from app.use_cases.finish.notices import RECONNECT
from app.use_cases.shared.at_home import check_at_home
from app.web.callback_address import CALLBACK as CALLBACK
from app.web.callback_address import callback_url
from app.web.current import current_context
from app.web.http.browser import keep_cookie, kept_cookie
from app.web.http.vendor_turns import ask_vendor
from app.web.i18n import DEFAULT, wording
from app.web.plain_pages import origin_of, page
from app.web.screens.base import session_secret, signed_in, wording_here

LONGEST = 2000
"""The most characters of a code that we hand on; freee's codes have far fewer."""

_CONSENT = "consent"
"""The cookie of whoever began by a mailed link."""

LINK_SECRET = "link:"  # noqa: S105 - no secret
"""What the secret of a mailed link begins with, so that no cookie of one kind can stand for another."""

REMEDIES: Mapping[str, str] = {
    "consent_unknown": "すでに接続できている場合は、そのままで構いません。できていない場合は、もう一度始めてください。",
    "consent_foreign": "何も変わっていません。始めたときのブラウザーで、サインインしたまま、もう一度始めてください。",
    "consent_link_used": "接続できているかを確かめてください。できていなければ、接続の画面からもう一度始めてください。",
    "consent_denied": "接続するには、もう一度始めて、freee の画面で「許可する」を選んでください。",
    "consent_refused": "もう一度始めてください。続くときは、freee に登録したアプリの設定(クライアント ID、"
    "クライアントシークレット、コールバック URL、権限)を確認してください。",
    "freee_away": "トークンは保存していません。少し待ってから、もう一度始めてください。",
    "not_administrator": "この事業所の管理者権限を持つ人が freee にログインして、もう一度始めてください。",
    "wrong_company": "選ばれた事業所のトークンは保存していません。もう一度始めて、正しい事業所を選んでください。",
    "freee_address_refused": "直した後で、もう一度始めてください。",
}
"""What to do about each way a consent can fail."""

connect = Blueprint("connect", __name__)


@connect.before_request
def _only_at_home() -> Response | None:
    """A copy keeps no tokens and brings nobody to freee: the original's tokens stay as good as they are."""
    try:
        check_at_home(current_context())
    except Refused as refused:
        return _link_refused(refused)
    return None


@connect.get(f"{RECONNECT}/<token>")
def reconnect(token: str) -> Response:
    """The page a mail leads to: it says what will happen and has a button. Looking at the page begins nothing."""
    ctx = current_context()
    try:
        consent_links.check_link(ctx, token, browser=_link_secret() or "")
    except Refused as refused:
        return _link_refused(refused)
    return page("reconnect.html", known=True, forms_to=f"'self' {origin_of(ctx.settings.freee_accounts_url)}")


@connect.post(f"{RECONNECT}/<token>")
def begin(token: str) -> Any:
    """Send the browser on to freee, and give it the secret with which it can finish. No form token is needed: without a
    session there is nothing to forge.

    The link itself is what a person needs to begin.
    """
    ctx, secret = current_context(), _link_secret() or LINK_SECRET + secrets.token_urlsafe(32)
    try:
        address = consent_links.begin_by_link(ctx, token, browser=secret, redirect_uri=callback_url(ctx.settings))
    except Refused as refused:
        return _link_refused(refused)
    answer = redirect(address, code=303)
    minutes = timedelta(minutes=connections.CONSENT_MINUTES)
    keep_cookie(answer, _CONSENT, secret.removeprefix(LINK_SECRET), max_age=minutes)
    return answer


@connect.get(CALLBACK)
def freee_callback() -> Any:
    if request.method == "HEAD":  # a link scanner that only looks must not use up the state
        return make_response("")
    ctx, sent = current_context(), request.args
    state, error = sent.get("state", ""), sent.get("error")
    code = sent.get("code", "")
    proof = code if len(code) <= LONGEST else None
    browsers = _secrets()
    signed_in()  # the audit trail then names who it is
    try:
        if connection_wizard.belongs_to_setup(ctx, state):
            receive = connection_wizard.receive_consent
            key = ask_vendor(partial(receive, ctx, state=state, code=proof, error=error, browsers=browsers))
            return redirect(url("screens.setup", key=key), code=303)
        finish = connections.finish_consent
        given = ask_vendor(partial(finish, ctx, state=state, code=proof, error=error, browsers=browsers))
    except Refused as refused:
        return _refused(refused)
    if _sets_up():
        flash(wording_here()("connections.reconnected", company=given.company_name), "good")
        return redirect(url("screens.connection", key=given.connection.key), code=303)
    return page("consent.html", given=given)


def _secrets() -> tuple[str, ...]:
    """What this browser holds: the session of somebody who may set up connections, and the secret of a mailed link."""
    link = _link_secret()
    return (*((session_secret(),) if _sets_up() else ()), *((link,) if link else ()))


def _link_secret() -> str | None:
    kept = kept_cookie(_CONSENT)
    return LINK_SECRET + kept if kept else None


def _link_refused(refused: Refused) -> Response:
    if refused.code == "unknown_link":
        answer = page("reconnect.html", known=False)
    else:
        told, remedy = wording(DEFAULT).refusal(refused), REMEDIES.get(refused.code, "")
        answer = page("consent.html", given=None, told=told, remedy=remedy)
    answer.status_code = refused.status
    return answer


def _refused(refused: Refused) -> Any:
    """Send the browser back to the page where the consent began, or give the reason on a page here."""
    known = {"setup": "screens.setup", "connection": "screens.connection"}
    fields = refused.fields
    back = next((url(view, key=str(fields[name])) for name, view in known.items() if name in fields), None)
    if back and _sets_up():
        flash(wording_here().refusal(refused), "bad")
        return redirect(back, code=303)
    return _link_refused(refused)


def _sets_up() -> bool:
    who = signed_in()
    return who is not None and who.may(Permission.SET_UP)

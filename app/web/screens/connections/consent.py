"""/connect/freee: the page a mail leads to when freee has to be authorised anew, and the page freee sends back to.

Neither page needs a sign-in of ours: the state (and the signed link of the mail) proves that a person who may do so
began the consent, and only an administrator of exactly this connection's company can bring tokens that are kept. For a
connection that is still being set up, what freee brings is only put aside: a signed-in person has to confirm the
company. A person who began on a screen of ours is sent back to that screen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, request
from flask import url_for as url

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.use_cases.connections import connection_wizard, connections
from app.use_cases.finish.notices import RECONNECT, connection_key_of
from app.web.callback_address import CALLBACK as CALLBACK
from app.web.callback_address import callback_url
from app.web.current import current_context
from app.web.plain_pages import origin_of, page
from app.web.screens.base import signed_in, wording_here

LONGEST = 2000
"""The most characters of a code that we hand on; freee's codes have far fewer."""

REMEDIES: Mapping[str, str] = {
    "consent_unknown": "すでに接続できている場合は、そのままで構いません。できていない場合は、もう一度始めてください。",
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


@connect.get(f"{RECONNECT}/<token>")
def reconnect(token: str) -> Response:
    """The page a mail leads to: it says what will happen and has a button. Looking at the page begins nothing."""
    settings = current_context().settings
    known = connection_key_of(settings, token) is not None
    answer = page("reconnect.html", known=known, forms_to=f"'self' {origin_of(settings.freee_accounts_url)}")
    answer.status_code = 200 if known else 404
    return answer


@connect.post(f"{RECONNECT}/<token>")
def begin(token: str) -> Any:
    """Send the browser on to freee. No form token is needed: without a session there is nothing to forge.

    The link itself is what a person needs to begin.
    """
    ctx = current_context()
    key = connection_key_of(ctx.settings, token)
    if key is None:
        return reconnect(token)
    try:
        address = connections.begin_consent(ctx, key, redirect_uri=callback_url(ctx.settings))
    except Refused as refused:
        answer = page("consent.html", given=None, refused=refused, remedy=REMEDIES.get(refused.code, ""))
        answer.status_code = refused.status
        return answer
    return redirect(address, code=303)


@connect.get(CALLBACK)
def freee_callback() -> Any:
    if request.method == "HEAD":  # a link scanner that only looks must not use up the state
        return make_response("")
    ctx, sent = current_context(), request.args
    state, error = sent.get("state", ""), sent.get("error")
    code = sent.get("code", "")
    proof = code if len(code) <= LONGEST else None
    try:
        if connection_wizard.belongs_to_setup(ctx, state):
            key = connection_wizard.receive_consent(ctx, state=state, code=proof, error=error)
            return redirect(url("screens.setup", key=key), code=303)
        given = connections.finish_consent(ctx, state=state, code=proof, error=error)
    except Refused as refused:
        return _refused(refused)
    if _sets_up():
        flash(wording_here()("connections.reconnected", company=given.company_name), "good")
        return redirect(url("screens.connection", key=given.connection.key), code=303)
    return page("consent.html", given=given)


def _refused(refused: Refused) -> Any:
    """Send the browser back to the page where the consent began, or give the reason on a page here."""
    known = {"setup": "screens.setup", "connection": "screens.connection"}
    back = next((url(view, key=refused.fields[name]) for name, view in known.items() if name in refused.fields), None)
    if back and _sets_up():
        flash(wording_here().refusal(refused), "bad")
        return redirect(back, code=303)
    answer = page("consent.html", given=None, refused=refused, remedy=REMEDIES.get(refused.code, ""))
    answer.status_code = refused.status
    return answer


def _sets_up() -> bool:
    who = signed_in()
    return who is not None and who.may(Permission.SET_UP)

"""/connect/freee: the page a mail leads to when freee has to be authorised anew, and the one freee sends back to.

Needs no sign-in of ours: the state (and the signed link of the mail) is the proof that somebody who may began, and only
an administrator of exactly this connection's company can bring tokens that are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, make_response, redirect, request

from app.config import Settings
from app.domain.errors import Refused
from app.use_cases import connections
from app.use_cases.notices import RECONNECT, connection_key_of
from app.web.current import current_context
from app.web.pages import origin_of, page

CALLBACK = "/connect/freee/callback"
LONGEST = 2000
"""Characters of a code we hand on; freee's have far fewer."""

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


def callback_url(settings: Settings) -> str:
    """The address that has to be registered as コールバックURL of the application at freee."""
    return settings.base_url + CALLBACK


@connect.get(f"{RECONNECT}/<token>")
def reconnect(token: str) -> Response:
    """The page a mail leads to: what will happen, and a button. Looking at it begins nothing."""
    settings = current_context().settings
    known = connection_key_of(settings, token) is not None
    answer = page("reconnect.html", known=known, forms_to=f"'self' {origin_of(settings.freee_accounts_url)}")
    answer.status_code = 200 if known else 404
    return answer


@connect.post(f"{RECONNECT}/<token>")
def begin(token: str) -> Any:
    """On to freee. Without a session there is nothing to forge: the link itself is what is needed to begin."""
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
def freee_callback() -> Response:
    if request.method == "HEAD":  # a link scanner's look must not use up the state
        return make_response("")
    sent = request.args
    code = sent.get("code", "")
    try:
        given = connections.finish_consent(
            current_context(),
            state=sent.get("state", ""),
            code=code if len(code) <= LONGEST else None,
            error=sent.get("error"),
        )
    except Refused as refused:
        answer = page("consent.html", given=None, refused=refused, remedy=REMEDIES.get(refused.code, ""))
        answer.status_code = refused.status
        return answer
    return page("consent.html", given=given)

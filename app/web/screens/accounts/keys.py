"""API keys: what each may do and when it was used last; making one, which is shown once; revoking one."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.use_cases.accounts import api_keys
from app.use_cases.accounts.api_keys import MAX_KEY_NAME, KeyView, Scope
from app.use_cases.queries.key_list import ListedKey, key_list
from app.web.current import current_context
from app.web.screens.accounts.audit_lines import party
from app.web.screens.base import me, needs, render, screens, wording_here

_PREFIX = "<string(length=12):"


@screens.get("/keys")
@needs(Permission.MANAGE_PEOPLE)
def keys() -> Response:
    return _page()


@screens.post("/keys")
@needs(Permission.MANAGE_PEOPLE, proof=True)
def keys_add() -> Response:
    """Make a key, without a redirect: this answer is the only place where the key stands."""
    name, scopes = request.form.get("name", ""), request.form.getlist("scope")
    try:
        made = api_keys.add_key(current_context(), name, scopes, by=me().actor)
    except Refused as refused:
        return _page(faults=_faults(refused), typed={"name": name, "scopes": scopes}, status=refused.status)
    return _page(made=made)


@screens.get(f"/keys/{_PREFIX}prefix>/revoke")
@needs(Permission.MANAGE_PEOPLE)
def keys_ask(prefix: str) -> Response:
    """The question before a key stops working."""
    return render("keys/ask.html", key=_known(prefix))


@screens.post(f"/keys/{_PREFIX}prefix>/revoke")
@needs(Permission.MANAGE_PEOPLE)
def keys_revoke(prefix: str) -> Response:
    api_keys.revoke_key(current_context(), prefix, by=me().actor)
    flash(wording_here()("keys.revoked"), "good")
    return redirect(url("screens.keys"), code=303)


def _page(
    *,
    faults: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
    status: int = 200,
    made: str | None = None,
) -> Response:
    listed = key_list(current_context())
    shown: dict[str, Any] = {
        "working": [each for each in listed if each.key.revoked_at is None],
        "revoked": [each for each in listed if each.key.revoked_at is not None],
        "made_by": _made_by,
        "scopes": list(Scope),
        "longest": MAX_KEY_NAME,
        "faults": faults or {},
        "typed": typed or {"name": "", "scopes": []},
        "made": made,
    }
    return render("keys/page.html", status=status, **shown)


def _made_by(listed: ListedKey) -> str:
    words = wording_here()
    return party(listed.made_by, "actors", words) if listed.made_by else words("layout.nothing")


def _known(prefix: str) -> KeyView:
    """Raises Refused for a prefix that no key has."""
    found = api_keys.find_key(current_context(), prefix)
    if found is None:
        raise Refused("unknown_key.plain", status=404)
    return found


def _faults(refused: Refused) -> dict[str, str]:
    """Field → what is wrong with it, in the language of the page."""
    field = {"invalid_key_name": "name"}.get(refused.code, "scopes")
    return {field: wording_here().refusal(refused)}

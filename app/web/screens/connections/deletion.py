"""Deleting a connection: the question, which says what will be gone and wants the name typed, and the deletion."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response as AnyResponse

from app.domain.access.roles import Permission
from app.domain.errors import Refused, TemporaryError
from app.use_cases.accounts.proof import is_fresh
from app.use_cases.connections import deletion
from app.web.current import current_context
from app.web.http.kept_forms import PROOF
from app.web.http.vendor_turns import ask_vendor
from app.web.screens.base import ask_for_proof, me, needs, render, screens, wording_here


@screens.get("/connections/<key>/delete")
@needs(Permission.SET_UP)
def ask_deletion(key: str) -> Response:
    return _question(key)


@screens.post("/connections/<key>/delete")
@needs(Permission.SET_UP)
def delete_connection(key: str) -> AnyResponse:
    ctx, words, typed = current_context(), wording_here(), request.form.get("typed", "")
    if deletion.deleted(ctx, key):
        flash(words("connections.delete.already"), "good")
        return redirect(url("screens.connections"), code=303)
    try:
        deletion.check_typed_name(ctx, key, typed)
    except Refused as refused:
        if refused.code != "name_differs":
            raise
        return _question(key, fault=words("connections.delete.differs"), typed=typed, status=refused.status)
    if (asked := ask_for_proof()) is not None:
        return asked
    name = deletion.before_deletion(ctx, key).connection.name
    ended = _end_webhook(key)
    deletion.delete_connection(ctx, key, typed=typed, by=me().actor)
    flash(words("connections.delete.begun", connection=name), "good")
    if not ended:
        flash(words("connections.delete.webhook_stays"), "warn")
    return redirect(url("screens.connections"), code=303)


def _end_webhook(key: str) -> bool:
    """False: SmartHR does not answer in time, and the deletion goes on without."""
    ctx = current_context()
    try:
        return ask_vendor(lambda: deletion.end_webhook(ctx, key))
    except TemporaryError:
        return False


def _question(key: str, *, fault: str = "", typed: str = "", status: int = 200) -> Response:
    ctx = current_context()
    proof = "" if is_fresh(ctx, me()) else PROOF
    found = deletion.before_deletion(ctx, key)
    shown: dict[str, Any] = {
        "connection": found.connection,
        "amounts": found.amounts,
        "fault": fault,
        "typed": typed,
        "proof": proof,
    }
    return render("connections/delete.html", status=status, **shown)

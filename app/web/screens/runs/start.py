"""Beginning a sync: 情報取得基準日, and the employees unless all take part; the answer is a preview."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from flask import redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.settings.export_settings import complete
from app.use_cases.context import Context
from app.use_cases.intake import start_run
from app.use_cases.queries.preview import previews_waiting
from app.use_cases.shared.connection_lookup import find_connection
from app.use_cases.shared.views import RunView
from app.web.current import current_context
from app.web.http.vendor_turns import ask_vendor
from app.web.screens.base import me, needs, refused_page, render, screens, wording_here

_BETWEEN = re.compile(r"[\s,、，;；]+")


@screens.get("/sync/<public_id:connection_key>/<direction>")
@needs(Permission.RUN_SYNC)
def start(connection_key: str, direction: str) -> Response:
    if direction not in list(Direction):
        return _no_such_page()
    return _form(connection_key, Direction(direction), typed={})


@screens.post("/sync/<public_id:connection_key>/<direction>")
@needs(Permission.RUN_SYNC)
def begin_sync(connection_key: str, direction: str) -> Response:
    if direction not in list(Direction):
        return _no_such_page()
    ctx = current_context()
    try:
        command = _command(connection_key, Direction(direction))
        run = _started(ctx, command)
    except Refused as refused:
        return _form(connection_key, Direction(direction), typed=request.form, refused=refused)
    return redirect(url("screens.preview", run_id=run.id), code=303)


def _started(ctx: Context, command: StartRun) -> RunView:
    if command.employees is None:
        return start_run.start_run(ctx, command)
    return ask_vendor(lambda: start_run.start_run(ctx, command))  # a number may have to be looked up


def _command(connection_key: str, direction: Direction) -> StartRun:
    """The command that the form asks for. Raises Refused for a text that is no date."""
    numbers = tuple(dict.fromkeys(filter(None, _BETWEEN.split(request.form.get("employees", "")))))
    return StartRun(
        connection_key=connection_key,
        direction=direction,
        as_of_date=_date(request.form.get("as_of_date", "")),
        employees=numbers or None,
        dry_run=True,
        trigger=Trigger.MANUAL,
        started_by=me().actor,
        idempotency_key=request.form.get("key") or None,
    )


def _date(typed: str) -> date:
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        raise Refused("no_date", fields=("as_of_date",)) from None


def _form(connection_key: str, direction: Direction, *, typed: Any, refused: Refused | None = None) -> Response:
    ctx = current_context()
    connection = find_connection(ctx, connection_key)
    today = today_in_japan(ctx.clock.now())
    return render(
        "start/start.html",
        status=refused.status if refused else 200,
        connection=connection,
        direction=direction,
        ready=not (connection.paused or connection.needs_consent),
        needs_settings=direction.target is System.FREEE and not complete(connection.export_settings),
        waiting=previews_waiting(ctx, connection, direction),
        as_of_date=typed.get("as_of_date") or today.isoformat(),
        employees=typed.get("employees", ""),
        key=secrets.token_urlsafe(16),
        refused=refused,
    )


def _no_such_page() -> Response:
    return refused_page(404, "layout.not_found_title", wording_here()("layout.not_found_text"))

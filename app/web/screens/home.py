"""The dashboard: both directions, what ran last, and what waits for a person."""

from __future__ import annotations

from flask import Response, request

from app.domain.access.roles import Permission
from app.use_cases.queries.dashboard import see_dashboard, see_home
from app.web.current import current_context
from app.web.screens.base import needs, render, screens


@screens.get("/")
@needs(None)
def home() -> Response:
    seen = see_home(current_context(), request.args.get("connection", ""))
    return render("home.html", connections=seen.names, board=seen.board, attention=seen.attention)


@screens.get("/panels/<public_id:connection_key>")
@needs(Permission.SEE_RUNS)
def home_panels(connection_key: str) -> Response:
    """The two panels alone, for a page that stays open while something runs."""
    return render("home/panels.html", board=see_dashboard(current_context(), connection_key))

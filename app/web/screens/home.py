"""The dashboard: both directions, what ran last, and what waits for a person."""

from __future__ import annotations

from flask import Response, request

from app.domain.access.roles import Permission
from app.use_cases.queries.attention import see_attention
from app.use_cases.queries.dashboard import connection_names, see_dashboard
from app.web.current import current_context
from app.web.screens.base import needs, render, screens


@screens.get("/")
@needs(None)
def home() -> Response:
    ctx = current_context()
    names = connection_names(ctx)
    if not names:
        return render("home.html", connections=names, board=None, attention=None)
    wanted = request.args.get("connection", "")
    key = wanted if wanted in dict(names) else names[0][0]
    attention = see_attention(ctx, of_each=0, summary=True)
    return render("home.html", connections=names, board=see_dashboard(ctx, key), attention=attention)


@screens.get("/panels/<public_id:connection_key>")
@needs(Permission.SEE_RUNS)
def home_panels(connection_key: str) -> Response:
    """The two panels alone, for a page that stays open while something runs."""
    return render("home/panels.html", board=see_dashboard(current_context(), connection_key))

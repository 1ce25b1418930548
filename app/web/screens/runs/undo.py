"""Taking a run back: what would be taken back, what would not, and the button that makes its preview."""

from __future__ import annotations

from flask import redirect
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.use_cases.intake import undo as undoing
from app.web.current import current_context
from app.web.screens.base import me, needs, render, screens


@screens.get("/runs/<public_id:run_id>/undo")
@needs(Permission.RUN_SYNC)
def undo(run_id: str) -> Response:
    return render("undo/ask.html", seen=undoing.outlook(current_context(), run_id), refused=None)


@screens.post("/runs/<public_id:run_id>/undo")
@needs(Permission.RUN_SYNC)
def begin_undo(run_id: str) -> Response:
    ctx = current_context()
    try:
        started = undoing.undo(ctx, run_id, by=me().actor)
    except Refused as refused:
        if refused.code == "run_not_found":
            raise
        seen = undoing.outlook(ctx, run_id)
        return render("undo/ask.html", status=refused.status, seen=seen, refused=refused)
    return redirect(url("screens.preview", run_id=started.id), code=303)

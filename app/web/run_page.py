"""GET /runs/<id>: the page a summary mail links to. The unguessable id is the key; nothing personal is on it."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response

from app.domain.dates import JAPAN
from app.domain.errors import Refused
from app.domain.run_state import ItemState
from app.use_cases.run_story import run_story
from app.web.current import current_context
from app.web.pages import page

run_page = Blueprint("run_page", __name__)

REFRESH_SECONDS = 5


@run_page.get("/runs/<run_id>")
def show(run_id: str) -> Response:
    try:
        story = run_story(current_context(), run_id if run_id.isprintable() else "")
    except Refused as refused:
        missing = page("run_missing.html", message=refused.message)
        missing.status_code = refused.status
        return missing
    answer = page("run.html", story=story, states=list(ItemState), in_japan=in_japan)
    if story.run.finished_at is None:
        answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


def in_japan(instant: datetime) -> str:
    local = instant.astimezone(JAPAN)
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M:%S}"

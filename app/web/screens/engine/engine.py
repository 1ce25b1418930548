"""稼働状況: the engine at a glance for 運用, and the few actions ops can take. Its pages show nothing personal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.domain.runs.dates import JAPAN
from app.use_cases.connections import pause_resume
from app.use_cases.monitoring import queue_admin, sightings, troubles
from app.use_cases.monitoring.engine_view import EngineView, engine_view
from app.web.current import current_context
from app.web.screens.base import me, needs, render, screens, wording_here
from app.web.screens.engine.charts import bars


@screens.get("/engine")
@needs(Permission.SEE_ENGINE)
def engine() -> Response:
    return _shown("engine/engine.html", weak=current_context().settings.weaknesses)


@screens.get("/engine/now")
@needs(Permission.SEE_ENGINE)
def engine_now() -> Response:
    """The part of the page that follows the engine without a reload of the whole page."""
    return _shown("engine/now.html")


def _shown(template: str, **more: Any) -> Response:
    view = engine_view(current_context())
    proxied = sightings.proxy_headers_seen(current_context())
    throughput, deliveries = _throughput(view), _deliveries(view)
    told: dict[str, Any] = {"throughput": throughput, "deliveries": deliveries, "proxied": proxied}
    return render(template, view=view, japan=JAPAN, **told, **more)


def _throughput(view: EngineView) -> object:
    return bars([(f"{span.at.astimezone(JAPAN):%H:%M}", span.parts) for span in view.ended], every=15)


def _deliveries(view: EngineView) -> object:
    return bars([(f"{span.at.astimezone(JAPAN):%-H}", span.parts) for span in view.received], every=6)


# ── what ops do ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Asked:
    """An action, and the connection or error code it is about, as the form sends them."""

    action: str
    connection: str
    code: str


@screens.get("/engine/ask")
@needs(Permission.OPERATE)
def engine_ask() -> Response:
    """The question before an action, on a page of its own for browsers in which no script opens a dialog."""
    return render("engine/ask.html", asked=_asked(request.args), names=_names())


@screens.post("/engine/act")
@needs(Permission.OPERATE)
def engine_act() -> Response:
    asked = _asked(request.form)
    words = wording_here()
    try:
        done = _ACTIONS[asked.action](asked)
    except Refused as refused:
        flash(words.refusal(refused), "bad")
    else:
        flash(words(f"engine.done.{asked.action}", n=done), "good")
    return redirect(url("screens.engine"), code=303)


def _pause(asked: Asked) -> int:
    pause_resume.pause(current_context(), asked.connection)
    return 1


def _resume(asked: Asked) -> int:
    pause_resume.resume(current_context(), asked.connection)
    return 1


def _requeue(_asked: Asked) -> int:
    queue_admin.requeue(current_context(), by=me().actor)
    return 1


def _release(asked: Asked) -> int:
    return troubles.release_cause(current_context(), asked.connection, code=asked.code, by=me().actor)


_ACTIONS: Mapping[str, Callable[[Asked], int]] = {
    "pause": _pause,
    "resume": _resume,
    "requeue": _requeue,
    "release": _release,
}


def _asked(given: Mapping[str, str]) -> Asked:
    action = given.get("action", "")
    if action not in _ACTIONS:
        raise Refused("unknown_action")
    return Asked(action, given.get("connection", ""), given.get("code", ""))


def _names() -> Mapping[str, str]:
    return {each.key: each.name for each in queue_admin.queue_status(current_context()).connections}

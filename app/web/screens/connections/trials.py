"""Trying settings before they are saved: what has come of a trial, and the people whom the settings would change."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response as AnyResponse

from app.domain.access.roles import Permission
from app.domain.enums import Direction
from app.domain.errors import Refused
from app.use_cases.connections import trials
from app.use_cases.connections.trials import Trial
from app.web.current import current_context
from app.web.screens.base import me, needs, render, screens
from app.web.screens.table_args import table_look

_RUN = "<public_id:run_id>"


def begin(key: str, start: Callable[[Direction], str]) -> AnyResponse:
    """Begin a trial by `start`, and show the settings page with what was typed and what comes of it. Raises Refused."""
    sent = request.form.get("try_direction", "")
    if sent not in list(Direction):
        raise Refused("unknown_direction")
    return redirect(url("screens.connection", key=key, trial=start(Direction(sent)), _anchor="trial"), code=303)


def shown_trial(key: str) -> Trial | None:
    """The trial that the settings page is asked to show; None: it shows the saved settings."""
    run_id = request.args.get("trial")
    return None if run_id is None else trials.see_trial(current_context(), key, run_id)


@screens.get(f"/connections/<key>/trials/{_RUN}")
@needs(Permission.SET_UP)
def trial(key: str, run_id: str) -> Response:
    """The part of the settings page that is kept fresh."""
    return render("connections/trial_part.html", trial=trials.see_trial(current_context(), key, run_id))


@screens.get(f"/connections/<key>/trials/{_RUN}/people")
@needs(Permission.SET_UP)
def trial_people(key: str, run_id: str) -> Response:
    reveal = me().may(Permission.SEE_MASKED)
    wanted = table_look(()).page
    found, page = trials.see_trial_people(current_context(), key, run_id, page=wanted, reveal=reveal)
    return render("connections/trial_people.html", trial=found, page=page)

"""One person across all runs: found by number, name or kana; everything that was done with them, newest first."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response as AnyResponse

from app.domain.access.roles import Permission
from app.domain.enums import System
from app.use_cases.queries.dashboard import connection_names
from app.use_cases.queries.person_history import find_known
from app.use_cases.queries.person_history import person_history as history_of
from app.web.current import current_context
from app.web.screens.base import needs, render, screens
from app.web.screens.query_args import LONGEST_SEARCH, whole_number

LONGEST_ID = 64


@screens.get("/people", defaults={"key": None})
@screens.get("/people/<key>")
@needs(Permission.SEE_PEOPLE)
def people_found(key: str | None) -> AnyResponse:
    """Who is meant. A single person found is shown at once."""
    ctx, search = current_context(), _text("q", LONGEST_SEARCH)
    connections = dict(connection_names(ctx))
    key = key or _text("connection", LONGEST_ID) or next(iter(connections), None)
    if key is None:
        return redirect(url("screens.history"), code=303)
    found = find_known(ctx, key, search)
    if len(found.people) == 1 and not found.more:
        return redirect(_address(key, found.people[0].ids), code=303)
    return render("people/found.html", key=key, connections=connections, found=found, search=search, address=_address)


@screens.get("/people/<key>/history")
@needs(Permission.SEE_PEOPLE)
def person_history(key: str) -> Response:
    ids = {system: _text(system.value, LONGEST_ID) for system in System}
    history = history_of(current_context(), key, ids, after=whole_number("after"))
    return render("people/history.html", key=key, history=history)


def _address(key: str, ids: Mapping[System, str]) -> str:
    known = {system.value: each for system, each in ids.items() if each}
    return url("screens.person_history", key=key, **known)  # type: ignore[arg-type]


def _text(name: str, longest: int) -> str:
    given = request.args.get(name, "").strip()[:longest]
    return given if given.isprintable() else ""

"""紐付け: what waits for a decision, all pairs, joining by hand. Nothing here writes to either vendor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.enums import System
from app.domain.errors import AwaseError, Refused
from app.use_cases.connections.connections import list_connections
from app.use_cases.links import decide
from app.use_cases.links.compare_pair import compare_pair
from app.use_cases.links.pairs import Found, FoundPerson, find_people, link_table
from app.use_cases.links.questions import link_questions
from app.use_cases.shared.views import ConnectionView
from app.web.current import current_context
from app.web.http.vendor_turns import ask_vendor
from app.web.screens.base import me, needs, render, screens, wording_here
from app.web.screens.query_args import LONGEST_SEARCH, whole_number

SHOWN_AT_ONCE = 6
"""A page with up to so many pairs reads them from both systems by itself; with more, it reads those a person opens."""


@screens.get("/links", defaults={"key": None})
@screens.get("/links/<key>")
@needs(Permission.SEE_PEOPLE)
def links(key: str | None) -> Response:
    ctx = current_context()
    connections = list_connections(ctx)
    if key is None:
        if len(connections) == 1:
            return redirect(url("screens.links", key=connections[0].key), code=303)
        return render("links/connections.html", connections=connections)
    after = whole_number("after")
    broken = decide.broken_links(ctx, key) if after is None else []
    page = link_questions(ctx, key, after=after)
    pairs = len(broken) + sum(len(each.candidates) for each in page.items)
    return render(
        "links/questions.html",
        connection=_named(connections, key),
        connections=connections,
        broken=broken,
        page=page,
        at_once=pairs <= SHOWN_AT_ONCE,
    )


@screens.get("/links/<key>/all")
@needs(Permission.SEE_PEOPLE)
def links_all(key: str) -> Response:
    ctx = current_context()
    search = _asked_for("q") or _asked_for("number")  # as the box was called before it also took names
    table = link_table(ctx, key, search=search, after=whole_number("after"))
    connections = list_connections(ctx)
    return render(
        "links/all.html",
        connection=_named(connections, key),
        connections=connections,
        table=table,
        search=search,
    )


@screens.get("/links/<key>/join")
@needs(Permission.MEND_LINKS)
def links_join(key: str) -> Response:
    """Two boxes, one per system; once one person is found or chosen on each side, the page shows both side by side."""
    connections = list_connections(current_context())
    found, faults, by_name = {}, {}, {}
    for system in System:
        try:
            asked = _found(key, system)
            found[system], by_name[system] = asked.people, asked.by_name
        except AwaseError as error:
            if isinstance(error, Refused):
                raise
            found[system], faults[system] = (), error.code
    chosen = {system: _chosen(system, people) for system, people in found.items()}
    return render(
        "links/join.html",
        connection=_named(connections, key),
        connections=connections,
        found=found,
        faults=faults,
        by_name=by_name,
        chosen=chosen,
        asked={system: _asked_in(system) for system in System},
        both=all(chosen.values()),
    )


@screens.get("/links/<key>/pair")
@needs(Permission.SEE_PEOPLE)
def links_pair(key: str) -> Response:
    """One pair on a page of its own: without scripts it shows what the fragments of the list show."""
    connections = list_connections(current_context())
    connection = _named(connections, key)
    return render("links/pair.html", connection=connection, pair=_pair(key))


@screens.get("/links/<key>/compare")
@needs(Permission.SEE_PEOPLE)
def links_compare(key: str) -> Response:
    """Two people, read anew and shown side by side: a fragment of the pages above."""
    connection = _named(list_connections(current_context()), key)
    return render("links/compare.html", connection=connection, pair=_pair(key))


_DECISIONS: Mapping[str, Callable[..., None]] = {
    "join": decide.join,
    "apart": decide.keep_apart,
    "release": decide.release,
    "cut": lambda ctx, key, *, smarthr_id, freee_id, by: decide.cut(ctx, key, smarthr_id=smarthr_id, by=by),
}


@screens.post("/links/<key>/decide")
@needs(Permission.MEND_LINKS)
def links_decide(key: str) -> Response:
    decision = request.form.get("decision", "")
    if decision not in _DECISIONS:
        raise Refused("unknown_decision")
    ids = {f"{system.value}_id": request.form.get(system.value, "") for system in System}
    ctx, words, who = current_context(), wording_here(), me()
    try:
        ask_vendor(lambda: _DECISIONS[decision](ctx, key, **ids, by=who.actor))
    except Refused as refused:
        if refused.code == "unknown_connection":
            raise
        flash(words.refusal(refused), "bad")
    except AwaseError as error:
        flash(f"{words.message(error.code)} {words.remedy(error.code)}".strip(), "bad")
    else:
        flash(words(f"links.done.{decision}"), "good")
    back = "screens.links_all" if decision == "cut" else "screens.links"
    return redirect(url(back, key=key), code=303)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(connections: list[ConnectionView], key: str) -> ConnectionView:
    for connection in connections:
        if connection.key == key:
            return connection
    raise Refused("unknown_connection", status=404)


def _pair(key: str) -> Any:
    wanted = {f"{system.value}_id": request.args.get(system.value, "") for system in System}
    ctx = current_context()
    return ask_vendor(lambda: compare_pair(ctx, key, **wanted))


def _asked_for(name: str) -> str:
    return request.args.get(name, "").strip()[:LONGEST_SEARCH]


def _asked_in(system: System) -> str:
    return _asked_for(f"{system.value}_q") or _asked_for(f"{system.value}_number")


def _found(key: str, system: System) -> Found:
    ctx, search = current_context(), _asked_in(system)
    return ask_vendor(lambda: find_people(ctx, key, system, search)) if search else Found()


def _chosen(system: System, people: Sequence[FoundPerson]) -> str | None:
    """The id that was picked, also one from elsewhere (a broken pair); without a pick, the only person found."""
    asked = request.args.get(system.value, "")
    if asked:
        return asked
    return people[0].id if len(people) == 1 else None

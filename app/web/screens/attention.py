"""要対応: everything that waits for a person, grouped by cause, with what can be done about it right there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.enums import Direction, System
from app.domain.errors import AwaseError, Refused
from app.domain.runs.dates import today_in_japan
from app.use_cases.connections import pause_resume
from app.use_cases.intake import attention_acts
from app.use_cases.queries.attention import Which, list_attention, see_attention
from app.use_cases.queries.attention_views import Act, Attention, Kind
from app.use_cases.queries.dashboard import connection_names
from app.use_cases.shared.views import RunView
from app.web.current import current_context
from app.web.http.vendor_turns import ask_vendor
from app.web.screens.base import me, needs, render, screens, told, wording_here
from app.web.screens.query_args import whole_number

WEEK = timedelta(days=7)
"""Until when an entry is left for now, unless another day is chosen."""


@screens.get("/attention")
@needs(Permission.SEE_RUNS)
def attention() -> Response:
    ctx, asked = current_context(), request.args.get("connection") or None
    names = connection_names(ctx)
    wanted = asked if asked in dict(names) else None
    seen = see_attention(ctx, wanted)
    if not me().may(Permission.SEE_PEOPLE):
        seen = _nameless(seen)
    return render("attention/list.html", seen=seen, connections=names, wanted=wanted, **_words())


@screens.get("/attention/people")
@needs(Permission.SEE_PEOPLE)
def attention_people() -> Response:
    """Everybody of one cause, or everybody who was left for now, page by page."""
    ctx, asked = current_context(), request.args.get("connection") or None
    names = connection_names(ctx)
    which = Which(
        connection=asked if asked in dict(names) else None,
        code=request.args.get("cause") or None,
        direction=_direction(request.args.get("direction")),
        waived="waived" in request.args,
    )
    page = list_attention(ctx, which, after=whole_number("after"))
    return render("attention/people.html", page=page, which=which, connections=names, **_words())


@screens.post("/attention")
@needs(Permission.RUN_SYNC)
def attention_act() -> Response:
    """One button of one entry, or of one cause."""
    act = _ACTS.get(request.form.get("act", ""))
    if act is None:
        raise Refused("unknown_decision")
    words = wording_here()
    try:
        run = ask_vendor(act)
    except Refused as refused:
        flash(" ".join(dict.fromkeys((told(refused), *words.faults(refused).values()))), "bad")
    except AwaseError as error:
        flash(f"{words.message(error.code)} {words.remedy(error.code)}".strip(), "bad")
    else:
        already = run is not None and run.already
        flash(words("attention.already" if already else f"attention.done.{request.form['act']}"), "good")
        if run is not None:
            return redirect(url("screens.run", run_id=run.id), code=303)
    return redirect(url("screens.attention"), code=303)


@screens.post("/attention/resume/<public_id:key>")
@needs(Permission.OPERATE)
def attention_resume(key: str) -> Response:
    try:
        pause_resume.resume(current_context(), key)
    except Refused as refused:
        flash(told(refused), "bad")
    else:
        flash(wording_here()("attention.done.resume"), "good")
    return redirect(url("screens.attention"), code=303)


def _nameless(seen: Attention) -> Attention:
    """The list without a name or number of anybody."""
    groups = (
        replace(group, entries=tuple(replace(each, name="", number="", pages={}) for each in group.entries))
        for group in seen.groups
    )
    return replace(seen, groups=tuple(groups))


def _words() -> dict[str, Any]:
    week = today_in_japan(current_context().clock.now()) + WEEK
    return {"Act": Act, "Kind": Kind, "week": week}


def _direction(given: str | None) -> Direction | None:
    return next((each for each in Direction if each.value == given), None)


# ── acts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _entry() -> str:
    return request.form.get("entry", "")[:40]


def _again() -> RunView | None:
    return attention_acts.try_again(current_context(), _entry(), by=me().actor)


def _check() -> None:
    attention_acts.check_now(current_context(), by=me().actor)


def _all_again() -> RunView | None:
    direction = _direction(request.form.get("direction"))
    code = request.form.get("cause", "")[:60]
    if direction is None:
        raise Refused("unknown_decision")
    key = request.form.get("connection", "")[:64] or None
    runs = attention_acts.try_all_again(
        current_context(), code=code, direction=direction, connection_key=key, by=me().actor
    )
    return runs[0] if len(runs) == 1 else None


def _right(system: System) -> Callable[[], RunView | None]:
    return lambda: attention_acts.side_is_right(current_context(), _entry(), system, by=me().actor)


def _waive() -> None:
    try:
        until = date.fromisoformat(request.form.get("until", ""))
    except ValueError:
        until = date.min  # refused as every other day that does not lie ahead
    reason = request.form.get("reason", "")
    attention_acts.waive(current_context(), _entry(), reason=reason, until=until, by=me().actor)


def _take_up() -> None:
    attention_acts.take_up(current_context(), _entry(), by=me().actor)


_ACTS: Mapping[str, Callable[[], RunView | None]] = {
    Act.AGAIN.value: _again,
    "again_all": _all_again,
    "check": _check,
    Act.SMARTHR_IS_RIGHT.value: _right(System.SMARTHR),
    Act.FREEE_IS_RIGHT.value: _right(System.FREEE),
    Act.WAIVE.value: _waive,
    Act.TAKE_UP.value: _take_up,
}

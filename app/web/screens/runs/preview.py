"""Before anything is written: who takes part, what would change, and the question 従業員を同期しますか？"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, cast

from flask import flash, jsonify, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.display import MASK
from app.domain.errors import Refused
from app.domain.runs.run_state import RunState
from app.use_cases.intake import approve_retry_cancel, choose_people, tick_held
from app.use_cases.queries.decisions import decision_of
from app.use_cases.queries.preview import see_people, see_plan, see_preview, see_reading
from app.use_cases.queries.preview_views import GROUPS, WRITABLE, Group
from app.web.current import current_context
from app.web.screens.base import ask_first, has_view, me, needs, refused_page, render, screens, wording_here
from app.web.screens.query_args import LONGEST_SEARCH
from app.web.screens.table_args import PLANS, page_number, table_look

_WRITABLE = "writable"
_FILTERS: Mapping[str, frozenset[Group]] = {
    _WRITABLE: WRITABLE,
    **{group.value: frozenset({group}) for group in Group},
    "all": GROUPS,
}


@screens.get("/runs/<public_id:run_id>/people")
@needs(Permission.SEE_PEOPLE)
def preview(run_id: str) -> Response:
    shown = see_preview(current_context(), run_id)
    if shown.approved:
        return _to_run(run_id)
    if not shown.is_read:
        return _reading_page(run_id)
    if shown.state in (RunState.FAILED, RunState.CANCELLED) and shown.surveyed_at is None:
        return render("preview/stopped.html", preview=shown, key=_key())
    return _people_page(run_id)


@screens.get("/runs/<public_id:run_id>/reading")
@needs(Permission.SEE_PEOPLE)
def reading(run_id: str) -> Response:
    """How far the survey has come, for a page that stays open; the answer lacks `data-live` once the survey is done."""
    shown, readings = see_reading(current_context(), run_id)
    return render("preview/reading_part.html", preview=shown, readings=readings)


@screens.post("/runs/<public_id:run_id>/choose")
@needs(Permission.RUN_SYNC)
def choose(run_id: str) -> Response:
    """Store the ticks of one page, or set the tick of all employees the filter finds.

    A JSON request stores a single tick and is answered with the new number of chosen employees.
    """
    if request.is_json:
        return _choose_one(run_id)
    ctx, (show, groups), search = current_context(), _filter(), _search()
    _keep_ticks(run_id)
    for_all = request.form.get("all")
    if for_all in ("on", "off"):
        choose_people.choose_all(ctx, run_id, chosen=for_all == "on", groups=groups, search=search)
    if request.form.get("go"):
        return redirect(url("screens.confirm", run_id=run_id), code=303)
    flash(wording_here()("preview.saved"), "good")
    place = {"show": show, "q": search or None}
    place |= {"page": request.form.get("page") or None}
    return redirect(url("screens.preview", run_id=run_id, **cast("dict[str, Any]", place)), code=303)


@screens.post("/runs/<public_id:run_id>/again")
@needs(Permission.RUN_SYNC)
def read_again(run_id: str) -> Response:
    started = choose_people.read_again(
        current_context(), run_id, by=me().actor, key=f"{run_id}:{request.form.get('key', '')}"
    )
    return redirect(url("screens.preview", run_id=started), code=303)


@screens.post("/runs/<public_id:run_id>/discard")
@needs(Permission.RUN_SYNC)
def discard(run_id: str) -> Response:
    if (asked := ask_first("discard", back=url("screens.preview", run_id=run_id))) is not None:
        return asked
    ctx = current_context()
    choose_people.discard(ctx, run_id, by=me().actor)
    flash(wording_here().of_kind("dropped", see_preview(ctx, run_id).kind), "good")
    return redirect(url("screens.home"), code=303)


@screens.get("/runs/<public_id:run_id>/confirm")
@needs(Permission.SEE_PEOPLE)
def confirm(run_id: str) -> Response:
    return _plan_page(run_id, "preview/confirm.html")


@screens.get("/runs/<public_id:run_id>/confirm/ask")
@needs(Permission.RUN_SYNC)
def ask_approval(run_id: str) -> Response:
    """The question of the dialog, for browsers without scripts."""
    return _plan_page(run_id, "preview/ask.html")


@screens.post("/runs/<public_id:run_id>/approve")
@needs(Permission.RUN_SYNC)
def approve(run_id: str) -> Response:
    ctx, who = current_context(), me()
    try:
        acknowledged, shown = bool(request.form.get("acknowledged")), request.form.get("shown") or None
        approve_retry_cancel.approve(ctx, run_id, by=who.actor, acknowledged=acknowledged, shown=shown)
    except Refused as refused:
        if refused.code == "shown_otherwise":
            flash(wording_here().refusal(refused), "warn")
            return redirect(url("screens.confirm", run_id=run_id), code=303)
        if refused.code != "mass_change":
            return _not_approved(run_id, refused)
        flash(wording_here()("preview.not_acknowledged"), "bad")
        return redirect(url("screens.ask_approval", run_id=run_id), code=303)
    flash(wording_here().of_kind("begun", see_preview(ctx, run_id).kind), "good")
    return _to_run(run_id)


@screens.post("/runs/<public_id:run_id>/overwrite")
@needs(Permission.RUN_SYNC)
def overwrite(run_id: str) -> Response:
    """Store the ticks of one employee's values that could not be carried."""
    sent = request.form.get("position", "")
    position = int(sent) if sent.isdecimal() and len(sent) < 10 else -1
    try:
        tick_held.tick(current_context(), run_id, position, request.form.getlist("key"), by=me().actor)
    except Refused as refused:
        return _not_approved(run_id, refused)
    flash(wording_here()("preview.saved"), "good")
    page = {name: request.form.get(name) or None for name in ("page", "sort", "q")}
    place = url("screens.confirm", run_id=run_id, _anchor=f"p{position}", **cast("dict[str, Any]", page))
    return redirect(place, code=303)


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reading_page(run_id: str) -> Response:
    shown, readings = see_reading(current_context(), run_id)
    return render("preview/reading.html", preview=shown, readings=readings, key=_key())


def _people_page(run_id: str) -> Response:
    (show, groups), search = _filter(), _search()
    page = see_people(current_context(), run_id, groups=groups, search=search, page=page_number())
    return render("preview/people.html", page=page, show=show, filters=_FILTERS, search=search, key=_key())


def _plan_page(run_id: str, template: str) -> Response:
    look = table_look(PLANS)
    page = see_plan(
        current_context(),
        run_id,
        look=look,
        reveal=me().may(Permission.SEE_MASKED),
    )
    if page.preview.state is not RunState.PREVIEWED:
        return redirect(url("screens.preview", run_id=run_id), code=303)
    if not page.chosen and not page.preview.begins:
        flash(wording_here().of_kind("nobody_chosen", page.preview.kind), "warn")
        return redirect(url("screens.preview", run_id=run_id), code=303)
    decision = decision_of(current_context(), run_id, by=me().actor) if page.preview.seconded else None
    return render(template, page=page, look=look, orders=PLANS, MASK=MASK, decision=decision)


def _not_approved(run_id: str, refused: Refused) -> Response:
    """The answer when an approval was refused: another person decided meanwhile, or the connection takes no work."""
    words = wording_here()
    shown = see_preview(current_context(), run_id)
    if refused.code == "not_previewed" and shown.approved:
        flash(words.of_kind("begun_already", shown.kind), "warn")
        return _to_run(run_id)
    return refused_page(refused.status, f"kinds.not_begun.{shown.kind.value}", words.refusal(refused))


def _to_run(run_id: str) -> Response:
    if has_view("screens.run"):
        return redirect(url("screens.run", run_id=run_id), code=303)
    return redirect(url("screens.home"), code=303)


def _choose_one(run_id: str) -> Response:
    sent = request.get_json(silent=True)
    position, chosen = (sent.get("position"), sent.get("chosen")) if isinstance(sent, dict) else (None, None)
    if type(position) is not int or type(chosen) is not bool or not 0 <= position < 2**31:
        return jsonify(error="invalid"), 422  # type: ignore[return-value]
    try:
        number = choose_people.choose(current_context(), run_id, {position: chosen})
    except Refused as refused:
        return jsonify(error=wording_here().refusal(refused)), refused.status  # type: ignore[return-value]
    return jsonify(chosen=number, text=wording_here()("preview.chosen", n=number))


def _keep_ticks(run_id: str) -> None:
    """Store the ticks of the employees on the page: those whose box the form sent are ticked, the others are not."""
    shown = {int(text) for text in request.form.getlist("shown") if text.isdecimal() and len(text) < 10}
    ticked = {int(text) for text in request.form.getlist("chosen") if text.isdecimal() and len(text) < 10}
    if shown:
        choose_people.choose(current_context(), run_id, {position: position in ticked for position in shown})


def _filter() -> tuple[str, frozenset[Group]]:
    """The filter; by default the employees who would be written: in a large company nearly all others are equal."""
    asked = request.values.get("show", "")
    show = asked if asked in _FILTERS else _WRITABLE
    return show, _FILTERS[show]


def _search() -> str:
    return request.values.get("q", "").strip()[:LONGEST_SEARCH]


def _key() -> str:
    """A key for a form that starts a run, so that the form starts only one run when it is sent twice."""
    return secrets.token_urlsafe(16)

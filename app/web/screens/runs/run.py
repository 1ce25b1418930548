"""One run: its progress while it is open, afterwards each employee's result; its mail, its file, and what to do."""

from __future__ import annotations

import base64
import hashlib
import re

from flask import Response, flash, redirect, request
from flask import url_for as url
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from app.domain.access.roles import Permission
from app.domain.error_catalogue.catalogue import Place
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.queries.history import get_run
from app.use_cases.queries.person_results import Visibility, begin_download, results
from app.use_cases.queries.run_detail import Look, RunDetail, run_detail
from app.use_cases.queries.run_mail import run_mail as mail_of
from app.use_cases.queries.value_traces import person_values as values_of
from app.web.current import current_context
from app.web.screens.base import has_view, me, needs, render, screens, wording_here
from app.web.screens.runs.history import chosen
from app.web.screens.runs.results_file import lines
from app.web.screens.table_args import RESULTS, table_look

_STYLES = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_MAIL_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
LONGEST_NUMBER = 64
LAST_PLACE = 2**31 - 1


@screens.get("/runs/<run_id>")
@needs(Permission.SEE_RUNS)
def run(run_id: str) -> Response:
    look = Look(
        state=chosen(ItemState, request.args.get("state")),
        code=_printable(request.args.get("cause")) or None,
        beside=request.args.get("beside") == "1",
        table=table_look(RESULTS),
    )
    detail, people = run_detail(current_context(), _printable(run_id), visibility=_visibility(), look=look)
    next_place = _place_of(detail)
    return render("run/page.html", detail=detail, people=people, look=look, orders=RESULTS, next_place=next_place)


@screens.get("/runs/<run_id>/people/<int:place>")
@needs(Permission.SEE_PEOPLE)
def person_values(run_id: str, place: int) -> Response:
    """One employee of a run, value by value, with what turned one system's value into the other's."""
    shown = values_of(current_context(), _printable(run_id), min(place, LAST_PLACE), visibility=_visibility())
    return render("run/values.html", shown=shown, run=shown.run, person=shown.person)


@screens.get("/runs/<run_id>/progress")
@needs(Permission.SEE_RUNS)
def run_progress(run_id: str) -> Response:
    """Only the part of the page that changes while the run is open."""
    detail, _ = run_detail(current_context(), _printable(run_id), visibility=_visibility())
    return render("run/progress.html", detail=detail, next_place=_place_of(detail))


@screens.get("/runs/<run_id>/mail")
@needs(Permission.SEE_PEOPLE)
def run_mail(run_id: str) -> Response:
    return render("run/mail.html", frames=True, run_id=run_id, mail=mail_of(current_context(), _printable(run_id)))


@screens.get("/runs/<run_id>/mail/<int:nth>")
@needs(Permission.SEE_PEOPLE)
def run_mail_html(run_id: str, nth: int) -> Response:
    """The HTML part of one letter, for the frame on the mail's page. Of what stands in it nothing runs, asks for
    anything or reaches Awase; only its own style sheets count."""
    letters = mail_of(current_context(), _printable(run_id)).letters
    html = letters[nth - 1].html if 0 < nth <= len(letters) else ""
    if not html:
        raise NotFound
    answer = Response(html.replace("<head>", '<head>\n<base target="_blank">', 1), mimetype="text/html")
    answer.headers["Content-Security-Policy"] = _of_a_mail(html)
    return answer


def _of_a_mail(html: str) -> str:
    styles = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in _STYLES.findall(html))
    allowed = " ".join(f"'sha256-{digest}'" for digest in styles) or "'none'"
    return f"{_MAIL_POLICY}; style-src {allowed}"


@screens.get("/runs/<run_id>.csv")
@needs(Permission.SEE_RUNS)
def run_csv(run_id: str) -> Response:
    ctx, visibility, words = current_context(), _visibility(), wording_here()
    beside = request.args.get("beside") == "1"
    direction, trigger, as_of = begin_download(ctx, _printable(run_id), by=me().actor)
    people = results(ctx, run_id, visibility, beside=beside)
    answer = Response(lines(people, words, visibility, Place(direction, trigger)), mimetype="text/csv")
    name = f"awase-{direction.value}-{as_of:%Y%m%d}.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@screens.get("/runs/<run_id>/<any(cancel, retry):what>")
@needs(Permission.RUN_SYNC)
def ask(run_id: str, what: str) -> Response:
    """The question of the dialog as a page, for browsers without scripts."""
    detail, _ = run_detail(current_context(), _printable(run_id), visibility=_visibility())
    return render("run/ask.html", detail=detail, what=what)


@screens.post("/runs/<run_id>/cancel")
@needs(Permission.RUN_SYNC)
def cancel_run(run_id: str) -> AnyResponse:
    ctx, words = current_context(), wording_here()
    before = get_run(ctx, _printable(run_id))
    try:
        approve_retry_cancel.cancel(ctx, before.id, by=me().actor)
    except Refused as refused:
        return _told(run_id, refused)
    waited = before.state is RunState.PREVIEWED
    flash(words.of_kind("dropped", before.kind) if waited else words("run.told.cancel"), "good")
    return redirect(url("screens.run", run_id=run_id), code=303)


@screens.post("/runs/<run_id>/retry")
@needs(Permission.RUN_SYNC)
def retry_run(run_id: str) -> AnyResponse:
    try:
        again = approve_retry_cancel.retry(current_context(), _printable(run_id), by=me().actor)
    except Refused as refused:
        return _told(run_id, refused)
    words = wording_here()
    flash(words("run.told.already") if again.already else words.of_kind("again_begun", again.kind), "good")
    return redirect(url("screens.run", run_id=again.id), code=303)


def _told(run_id: str, refused: Refused) -> AnyResponse:
    """Send the browser back to the run with the reason; a run that does not exist has no page to go back to."""
    if refused.status == 404:
        raise refused
    flash(wording_here().refusal(refused), "bad")
    return redirect(url("screens.run", run_id=run_id), code=303)


def _visibility() -> Visibility:
    who = me()
    return Visibility(people=who.may(Permission.SEE_PEOPLE), masked=who.may(Permission.SEE_MASKED))


def _place_of(detail: RunDetail) -> str | None:
    """Where a person who watches this run goes on when it no longer moves by itself; None while it does."""
    if detail.moves_by_itself:
        return None
    waits_for_choice = detail.run.state is RunState.PREVIEWED and me().may(Permission.SEE_PEOPLE)
    if waits_for_choice and has_view("screens.preview"):
        return url("screens.preview", run_id=detail.run.id)
    return url("screens.run", run_id=detail.run.id)


def _printable(given: str | None) -> str:
    """What a person typed or an address holds; "" for a text that can be no number, id or code."""
    text = (given or "")[:LONGEST_NUMBER]
    return text if text.isprintable() else ""

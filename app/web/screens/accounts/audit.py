"""The audit trail: who did what, newest first; and as a file for those who check it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from flask import Response as FlaskResponse
from flask import request
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.errors import Refused
from app.domain.runs.dates import today_in_japan
from app.use_cases.queries.audit_export import Format, begin_export, lines_of
from app.use_cases.queries.audit_trail import LONGEST_SUBJECT, audit_head, audit_page
from app.web.current import current_context
from app.web.screens.accounts.audit_lines import line_of, word
from app.web.screens.base import needs, render, screens, wording_here

_LAST = 2**62
_USUAL = timedelta(days=30)
_TYPES = {Format.JSONL: "application/jsonl", Format.CSV: "text/csv"}


@screens.get("/audit")
@needs(Permission.MANAGE_PEOPLE)
def audit() -> Response:
    subject, words = _subject(), wording_here()
    found = audit_page(current_context(), before=_before(), subject=subject)
    lines = [line_of(entry, words) for entry in found.entries]
    about = lines[0].subject if lines and subject else subject or ""
    return render("audit/page.html", lines=lines, next_before=found.next_before, subject=subject, about=about)


@screens.get("/audit/export")
@needs(Permission.MANAGE_PEOPLE)
def audit_export() -> Response:
    today = today_in_japan(current_context().clock.now())
    typed = {"since": (today - _USUAL).isoformat(), "until": today.isoformat(), "format": Format.CSV.value}
    return _export_page(typed=typed)


@screens.post("/audit/export")
@needs(Permission.MANAGE_PEOPLE)
def audit_file() -> Response:
    """The file itself, a portion of entries at a time."""
    ctx, words = current_context(), wording_here()
    typed = {name: request.form.get(name, "") for name in ("since", "until", "format")}
    try:
        since, until = _day(typed["since"]), _day(typed["until"])
        form = Format(typed["format"]) if typed["format"] in list(Format) else Format.CSV
        export = begin_export(ctx, since, until, form)
    except Refused as refused:
        return _export_page(typed=typed, fault=words.refusal(refused), status=refused.status)
    pieces = lines_of(ctx, export, form, lambda action: word("actions", action, words))
    answer = FlaskResponse(pieces, mimetype=_TYPES[form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{export.name}.{form.value}"'
    return answer


def _export_page(*, typed: dict[str, str], fault: str = "", status: int = 200) -> Response:
    shown: dict[str, Any] = {"typed": typed, "fault": fault, "formats": list(Format)}
    return render("audit/export.html", status=status, head=audit_head(current_context()), **shown)


def _day(typed: str) -> date:
    """Raises Refused for a text that is no date."""
    try:
        return date.fromisoformat(typed.strip())
    except ValueError:
        raise Refused("invalid_period.no_date") from None


def _before() -> int | None:
    given = request.args.get("before", type=int)
    return given if given is not None and 0 < given < _LAST else None


def _subject() -> str | None:
    given = request.args.get("subject", "")
    return given if given.isprintable() and 0 < len(given) <= LONGEST_SUBJECT else None

"""The audit trail: who did what, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission, Role
from app.use_cases.queries.audit_trail import LONGEST_SUBJECT, AuditEntry, Party, audit_page
from app.web.current import current_context
from app.web.i18n import DEFAULT, Wording, catalogue
from app.web.screens.base import has_view, needs, render, screens, wording_here

_LAST = 2**62


@dataclass(frozen=True)
class Line:
    """An entry in words."""

    at: datetime
    actor: str
    action: str
    subject: str
    subject_ref: str
    address: str
    """The address of the subject's page, "" when the subject has none."""
    details: tuple[str, ...]


@screens.get("/audit")
@needs(Permission.MANAGE_PEOPLE)
def audit() -> Response:
    subject, words = _subject(), wording_here()
    found = audit_page(current_context(), before=_before(), subject=subject)
    lines = [_line(entry, words) for entry in found.entries]
    about = lines[0].subject if lines and subject else subject or ""
    return render("audit/page.html", lines=lines, next_before=found.next_before, subject=subject, about=about)


def _line(entry: AuditEntry, words: Wording) -> Line:
    details = tuple(_detail(name, value, words) for name, value in entry.detail.items())
    return Line(
        at=entry.at,
        actor=_party(entry.actor, "actors", words),
        action=_word("actions", entry.action, words),
        subject=_party(entry.subject, "subjects", words),
        subject_ref=entry.subject.ref,
        address=_address(entry.subject),
        details=details,
    )


def _party(party: Party, area: str, words: Wording) -> str:
    if party.ref == "user:0":
        return words("audit.unknown_login")
    known = f"audit.{area}.{party.kind}" in catalogue(DEFAULT)
    return words(f"audit.{area}." + party.kind, name=party.name) if known else party.ref


def _word(area: str, name: str, words: Wording) -> str:
    """The words for a name; a name that only a newer version knows stands here as that version wrote it."""
    return words(f"audit.{area}." + name) if f"audit.{area}.{name}" in catalogue(DEFAULT) else name


def _detail(name: str, value: Any, words: Wording) -> str:
    given = value if isinstance(value, list) else [value]
    shown = (words.label(Role(each)) if each in list(Role) else str(each) for each in given)
    return f"{_word('details', name, words)}: {', '.join(shown)}"


def _address(party: Party) -> str:
    _, _, ref = party.ref.partition(":")
    if party.kind == "run" and has_view("screens.run"):
        return url("screens.run", run_id=ref)
    if party.kind == "connection" and has_view("screens.connection"):
        return url("screens.connection", key=ref)
    return ""


def _before() -> int | None:
    given = request.args.get("before", type=int)
    return given if given is not None and 0 < given < _LAST else None


def _subject() -> str | None:
    given = request.args.get("subject", "")
    return given if given.isprintable() and 0 < len(given) <= LONGEST_SUBJECT else None

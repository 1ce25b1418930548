"""The audit trail: who did what, newest first, with the logins that the users have today."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.storage.access.rows import AuditRow
from app.use_cases.context import Context

PAGE = 50
LONGEST_SUBJECT = 200


@dataclass(frozen=True)
class Party:
    """An actor or a subject: `kind` "user", "key", "run", "connection", …; `name`: its id, for a user the login."""

    kind: str
    ref: str
    name: str = field(repr=False)


@dataclass(frozen=True)
class AuditEntry:
    id: int
    at: datetime
    actor: Party
    action: str
    subject: Party
    detail: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class AuditPage:
    entries: tuple[AuditEntry, ...]
    next_before: int | None
    """The caller hands this on as `before` to get the older entries; None: there are none."""


def audit_page(ctx: Context, *, before: int | None = None, subject: str | None = None) -> AuditPage:
    """One page of entries older than the entry `before`; with `subject` ("user:3", "run:…") only those about it."""
    with ctx.unit_of_work().reading() as uow:
        rows = uow.audit.page(before=before, limit=PAGE + 1, subject=subject)
        logins = {str(user.id): user.login for user in uow.users.all()}
    shown = rows[:PAGE]
    entries = tuple(_entry(row, logins) for row in shown)
    return AuditPage(entries, shown[-1].id if len(rows) > PAGE else None)


def _entry(row: AuditRow, logins: dict[str, str]) -> AuditEntry:
    return AuditEntry(row.id, row.at, _party(row.actor, logins), row.action, _party(row.subject, logins), row.detail)


def _party(text: str, logins: dict[str, str]) -> Party:
    kind, _, ref = text.partition(":")
    return Party(kind, text, logins.get(ref, ref) if kind == "user" else ref)

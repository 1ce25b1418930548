"""The audit trail: who did what, newest first, with the logins that the users have today."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.storage.access.rows import AuditHead, AuditRow
from app.storage.repository import as_row
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
    door: str | None = field(repr=False)
    """None: an older version of Awase has written it, and knew neither door nor address."""
    address: str = field(repr=False)
    via: dict[str, Any] = field(repr=False)


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
    actor, subject = party_of(row.actor, logins), party_of(row.subject, logins)
    return as_row(AuditEntry, row, actor=actor, subject=subject, address=row.address or "", via=row.via or {})


def audit_head(ctx: Context) -> AuditHead:
    """The end of the trail, for those who want to note it elsewhere."""
    with ctx.unit_of_work().reading() as uow:
        return uow.audit.head()


def party_of(text: str, logins: dict[str, str]) -> Party:
    """`logins`: user id → login."""
    kind, _, ref = text.partition(":")
    return Party(kind, text, logins.get(ref, ref) if kind == "user" else ref)

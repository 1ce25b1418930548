"""What the outbox and the mails hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.storage.enums import (
    MailKind,
    MailState,
    OutboxKind,
)


@dataclass(frozen=True)
class OutboxRow:
    id: int
    kind: OutboxKind
    ref_id: int
    attempt: int
    queue: str
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None
    connection_id: int | None = None
    """Of an employee's row: whose turn it is."""
    starts: int = 0
    """How often the employee's job has begun without an end."""


@dataclass(frozen=True)
class MailRow:
    id: int
    run_id: int | None
    """None: a notice about a connection."""
    connection_id: int | None
    kind: MailKind
    state: MailState
    message_id: str
    attempts: int
    lease_until: datetime | None
    next_at: datetime
    subject: str | None = field(repr=False)
    error_code: str | None
    created_at: datetime
    sent_at: datetime | None
    to: tuple[str, ...] = field(default=(), repr=False)
    body: str | None = field(default=None, repr=False)

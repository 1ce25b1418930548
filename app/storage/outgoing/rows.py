"""What the outbox and the mails hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.mail_text.letter import Letter
from app.storage.enums import MailKind, MailState, OutboxKind


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
    letters_taken: tuple[str, ...] = field(default=(), repr=False)
    """The languages in which the mail has left already."""
    to: tuple[str, ...] = field(default=(), repr=False)
    """All who get it, in whichever language."""
    body: str | None = field(default=None, repr=False)
    letters: tuple[Letter, ...] = field(default=(), repr=False)
    """What leaves, one per language that somebody reads; () before it is written, and after it was erased."""

"""Tables of what has to leave: jobs for the broker, and mails."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.enums import MailKind, MailState, OutboxKind
from app.storage.tables.base import Base, partial, refers

_TURNS = "sent_at IS NULL AND connection_id IS NOT NULL"


class OutboxTable(Base):
    __tablename__ = "outbox"
    __table_args__ = (
        partial("ix_outbox_due", "due_at", where="sent_at IS NULL"),
        # Whose turn it is: from one connection to the next, and to the oldest rows of each.
        partial("ix_outbox_turns", "queue", "connection_id", "due_at", "id", where=_TURNS),
        Index("ix_outbox_ref", "kind", "ref_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[OutboxKind]
    ref_id: Mapped[int]
    connection_id: Mapped[int | None]  # of items only
    attempt: Mapped[int]
    queue: Mapped[str]
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class MailTable(Base):
    __tablename__ = "mails"
    __table_args__ = (Index("uq_mails_run_kind", "run_id", "kind", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int | None] = mapped_column(refers("runs.id"))
    connection_id: Mapped[int | None] = mapped_column(refers("connections.id"))
    occasion: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[MailKind]
    state: Mapped[MailState]
    message_id: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    next_at: Mapped[datetime]
    pushed_at: Mapped[datetime | None]
    to_enc: Mapped[str | None]
    subject: Mapped[str | None]
    body_enc: Mapped[str | None]
    letters_enc: Mapped[str | None]
    """One per language; subject and body of the first stand in their columns too, for an earlier version."""
    letters_taken: Mapped[list[str] | None]
    error_code: Mapped[str | None]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

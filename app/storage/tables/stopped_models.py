"""Tables of what waits for a person's decision, and of what was written unasked within the last day."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.enums import Direction
from app.domain.planning.stopping import StopReason, StopState
from app.storage.tables.base import Base, refers


class StoppedChangeTable(Base):
    """One piece of one employee's plan that no run writes before it is decided (`domain.planning.stopping`). It holds
    no values: they stand with the item that shows the piece to people."""

    __tablename__ = "stopped_changes"
    __table_args__ = (
        Index("uq_stopped_changes", "connection_id", "direction", "source_id", "unit", "reason", unique=True),
        Index("ix_stopped_changes_run", "run_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    direction: Mapped[Direction]
    source_id: Mapped[str]
    target_id: Mapped[str | None]
    unit: Mapped[str]
    effects: Mapped[str]
    reason: Mapped[StopReason]
    state: Mapped[StopState]
    digest: Mapped[str]
    run_id: Mapped[int]  # no foreign key, as to items: the piece waits on when the run that showed it is deleted
    item_id: Mapped[int]
    stopped_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class UnaskedWriteTable(Base):
    """One effect that has a limit per day, of one item that nobody has approved. Older rows than a day are deleted."""

    __tablename__ = "unasked_writes"
    __table_args__ = (
        Index("uq_unasked_writes", "item_id", "effect", unique=True),
        Index("ix_unasked_writes_at", "connection_id", "effect", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    item_id: Mapped[int]
    effect: Mapped[str]
    at: Mapped[datetime]

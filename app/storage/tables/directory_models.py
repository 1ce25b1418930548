"""Tables about the lists of everybody, besides who stands in them (`models.DirectoryTable`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.domain.enums import System
from app.storage.tables.base import Base, refers


class ListEndTable(Base):
    """Where the list of everybody ended when a survey read it, and since then with whoever was added: so that one
    question tells who has come. `ended`: as the gateway says it. `run_id`: the run whose survey read the list."""

    __tablename__ = "list_ends"

    connection_id: Mapped[int] = mapped_column(refers("connections.id"), primary_key=True)
    system: Mapped[System] = mapped_column(primary_key=True)
    run_id: Mapped[int]
    ended: Mapped[dict[str, Any]]
    people: Mapped[int]
    seen_at: Mapped[datetime]

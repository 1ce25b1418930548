"""Tables of the keys: which of them was ever in use, and which process knows which. No key stands here, only ids."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.enums import KeyKind, KeyUse
from app.storage.tables.base import Base


class KeyTable(Base):
    """A key that is or was in use. `original`: it was the first of its kind, so whatever does not say under which key
    it stands, stands under this one."""

    __tablename__ = "key_uses"

    kind: Mapped[KeyKind] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(primary_key=True)
    use: Mapped[KeyUse]
    original: Mapped[bool] = mapped_column(Boolean())
    since: Mapped[datetime]


class ProcessTable(Base):
    """A process that has told of itself. `known`: kind → ids of the keys it was given; `using`: kind → id of the key
    with which it encrypts or signs. `clock_skew_ms`: milliseconds by which the clock of its host is ahead of the
    database's; None where that is not known. `house`: the mark of the identity in whose name it works."""

    __tablename__ = "processes"

    name: Mapped[str] = mapped_column(primary_key=True)
    known: Mapped[dict[str, Any]]
    using: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    clock_skew_ms: Mapped[int | None]
    house: Mapped[str | None]

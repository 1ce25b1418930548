"""Table of the people who wait for somebody's action (要対応): their state now, whichever run has found it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState
from app.storage.tables.base import Base, refers


class AttentionTable(Base):
    """One person in one direction of one connection, whose newest outcome waits for a person.

    A row is written in the transaction that records the outcome, replaced by the next outcome of this person, and
    deleted with an outcome that needs nobody. It holds no values. What it is about:

    - `source_id`, `target_id`: the person at the source and, as far as known, at the target of `direction`. A
      comparison keeps what concerns nobody (a list that could not be read whole) under a key that begins with "?".
    - `state`, `code`: how the outcome ended, with the code of the catalogue; `trigger`: of its run, for the words of
      the remedy. `item_keys`: the items of FIELDS that the outcome names. What the cause blames, items and settings,
      follows from code and keys (`domain.error_catalogue.blames`). `cause`: code and keys in one text.
    - `run_id`, `item_id`: where the outcome stands; no foreign keys, and no item for whom a comparison only counts.
    - `since`: when the person began to wait with this code; `at`: the newest outcome. An outcome older than `at` never
      replaces the row.
    - `seen`: keyed digests of what that outcome has looked at (`domain.planning.healing`); None: it was not read, or
      the row is older than this column. `mended`: which of it a later comparison has found changed, while nobody has
      tried the person again; the next outcome empties it.
    - `waived_*`: somebody left it for now, until that day (Asia/Tokyo); void as soon as `cause` changes.
    """

    __tablename__ = "attention"
    __table_args__ = (
        Index("uq_attention_person", "connection_id", "direction", "source_id", unique=True),
        Index("ix_attention_target", "connection_id", "target_id"),
        Index("ix_attention_code", "connection_id", "code", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    direction: Mapped[Direction]
    source_id: Mapped[str]
    target_id: Mapped[str | None]
    employee_number: Mapped[str]
    name_enc: Mapped[str | None]
    state: Mapped[ItemState]
    code: Mapped[str]
    item_keys: Mapped[list[Any]]
    cause: Mapped[str]
    trigger: Mapped[Trigger]
    run_id: Mapped[int]
    item_id: Mapped[int | None]
    since: Mapped[datetime]
    at: Mapped[datetime]
    seen: Mapped[dict[str, Any] | None]
    mended: Mapped[list[Any] | None]
    waived_until: Mapped[date | None]
    waived_at: Mapped[datetime | None]
    waived_by: Mapped[str | None]
    waived_reason_enc: Mapped[str | None]


class ToldTable(Base):
    """One person of whose trouble a summary mail has told. When the person waits no more, the next summary mail of the
    connection says so once: its row takes this one (`healed_mail_id`) in the transaction that makes it. `at`: when the
    one or the other mail was made."""

    __tablename__ = "told"
    __table_args__ = (
        Index(
            "uq_told_person",
            "connection_id",
            "direction",
            "source_id",
            unique=True,
            sqlite_where=text("healed_mail_id IS NULL"),
            postgresql_where=text("healed_mail_id IS NULL"),
        ),
        Index("ix_told_healed_mail", "healed_mail_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    direction: Mapped[Direction]
    source_id: Mapped[str]
    employee_number: Mapped[str]
    at: Mapped[datetime]
    healed_mail_id: Mapped[int | None]

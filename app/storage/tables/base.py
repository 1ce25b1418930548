"""Base of the tables: how Python types become columns, and the names of indexes and keys."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Index, Integer, LargeBinary, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.planning.beginning import BeginReason
from app.domain.planning.stopping import StopReason, StopState
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import (
    ChangeState,
    DeliveryState,
    HistoryKind,
    KeyKind,
    KeyUse,
    MailKind,
    MailState,
    MassChangeCheck,
    OutboxKind,
    RefreshState,
    StepState,
    UnlinkReason,
    WebhookState,
)
from app.storage.tables.columns import Instant, Word

_BIG = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own form)
        int: _BIG,
        str: Text(),
        datetime: Instant(),
        date: Date(),
        bytes: LargeBinary(),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        RunState: Word(RunState),
        ItemState: Word(ItemState),
        Direction: Word(Direction),
        Trigger: Word(Trigger),
        System: Word(System),
        Step: Word(Step),
        ChangeState: Word(ChangeState),
        MassChangeCheck: Word(MassChangeCheck),
        HistoryKind: Word(HistoryKind),
        MailKind: Word(MailKind),
        MailState: Word(MailState),
        OutboxKind: Word(OutboxKind),
        RefreshState: Word(RefreshState),
        StepState: Word(StepState),
        DeliveryState: Word(DeliveryState),
        WebhookState: Word(WebhookState),
        UnlinkReason: Word(UnlinkReason),
        KeyKind: Word(KeyKind),
        KeyUse: Word(KeyUse),
        StopReason: Word(StopReason),
        StopState: Word(StopState),
        BeginReason: Word(BeginReason),
    }


def refers(target: str) -> Any:
    """A foreign key whose row is deleted together with the row it names."""
    return ForeignKey(target, ondelete="CASCADE")


def partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows for which a condition holds, on both databases."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))

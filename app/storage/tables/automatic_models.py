"""Tables of the automatic sync: webhook deliveries, the registration at SmartHR, employees in trouble, counters."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.enums import Direction, System
from app.domain.planning.beginning import BeginReason
from app.storage.enums import DeliveryState, WebhookState
from app.storage.tables.base import Base, refers


class DeliveryTable(Base):
    """One webhook. The table does not keep its body, only ids, a digest and times."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_seen", "connection_id", "system", "received_at"),
        Index("ix_deliveries_received", "received_at"),
        Index(
            "ix_deliveries_unsorted",
            "id",
            sqlite_where=text("state = 'received'"),
            postgresql_where=text("state = 'received'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    system: Mapped[System]
    connection_id: Mapped[int | None] = mapped_column(refers("connections.id"))
    event: Mapped[str]
    dedup: Mapped[str | None] = mapped_column(unique=True)
    digest: Mapped[str]
    state: Mapped[DeliveryState]
    people: Mapped[list[str]]
    received_at: Mapped[datetime]
    triggered_at: Mapped[datetime | None]
    replayed_at: Mapped[datetime | None]
    replays: Mapped[int] = mapped_column(default=0)


class DeliveryItemTable(Base):
    """Which items a webhook asked for."""

    __tablename__ = "delivery_items"
    __table_args__ = (Index("ix_delivery_items_item", "item_id"),)

    delivery_id: Mapped[int] = mapped_column(refers("deliveries.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(refers("items.id"), primary_key=True)


class WebhookRegistrationTable(Base):
    """The registration of one connection at SmartHR, and the secrets with which its deliveries may come."""

    __tablename__ = "webhooks"

    connection_id: Mapped[int] = mapped_column(refers("connections.id"), primary_key=True)
    vendor_id: Mapped[str | None]
    secret_enc: Mapped[str]
    previous_enc: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    state: Mapped[WebhookState]
    disabled_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]


class TroubleTable(Base):
    """An employee who keeps ending with one cause in automatic runs."""

    __tablename__ = "troubles"
    __table_args__ = (Index("uq_troubles_person", "connection_id", "direction", "source_id", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    direction: Mapped[Direction]
    source_id: Mapped[str]
    employee_number: Mapped[str]
    code: Mapped[str]
    times: Mapped[int]
    content: Mapped[str | None]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    quarantined_at: Mapped[datetime | None]


class SweepTable(Base):
    """When a sweep last compared a connection as a whole."""

    __tablename__ = "sweeps"

    connection_id: Mapped[int] = mapped_column(refers("connections.id"), primary_key=True)
    started_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]


class BeginningTable(Base):
    """A direction of a connection whose automatic sync begins with a preview. The row goes with the approval."""

    __tablename__ = "beginnings"

    connection_id: Mapped[int] = mapped_column(refers("connections.id"), primary_key=True)
    direction: Mapped[Direction] = mapped_column(primary_key=True)
    reason: Mapped[BeginReason]
    since: Mapped[datetime]
    changed_at: Mapped[datetime]


class DeclinedTable(Base):
    """What was not chosen for a person when the automatic sync of a direction began, as digests per unit."""

    __tablename__ = "declined"

    connection_id: Mapped[int] = mapped_column(refers("connections.id"), primary_key=True)
    direction: Mapped[Direction] = mapped_column(primary_key=True)
    source_id: Mapped[str] = mapped_column(primary_key=True)
    changes: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class CounterTable(Base):
    """Counters of /metrics that only grow. `labels` is a JSON object with sorted keys; `value` is a whole number."""

    __tablename__ = "tallies"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int]

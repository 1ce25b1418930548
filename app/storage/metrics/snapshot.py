"""The queries of health checks, metrics and the queue's status: few and cheap.

Prometheus asks /metrics every few seconds, and the answer has to stay quick with half a million items (README, ops). So
no query here walks through the items, deliveries or runs that are over, except for the counts per state of runs and
mails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import case, func, literal, select, text

from app.domain.enums import System
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.domain.settings.names import cleaned
from app.storage.enums import DeliveryState, MailKind, MailState, RefreshState, WebhookState
from app.storage.metrics.counted_work import CountedWork
from app.storage.metrics.counters import Labels, labels
from app.storage.metrics.engine_reading import EngineReading
from app.storage.tables.automatic_models import (
    CounterTable,
    DeliveryTable,
    SweepTable,
    TroubleTable,
    WebhookRegistrationTable,
)
from app.storage.tables.conditions import held_back
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable
from app.storage.tables.outgoing_models import MailTable


@dataclass(frozen=True)
class ConnectionFigures:
    """How a connection stands."""

    id: int
    key: str
    name: str
    smarthr_subdomain: str
    freee_company_id: int
    paused: bool
    needs_consent: bool
    automatic: Automatic
    sweep_minutes: float | None
    """The connection's own interval; None: that of the setting."""
    created_at: datetime
    refresh_state: RefreshState
    refreshed_at: datetime | None
    expires_at: datetime | None
    webhook_state: WebhookState
    webhook_disabled_at: datetime | None
    webhook_checked_at: datetime | None
    sweep_done_at: datetime | None
    last_webhook: dict[System, datetime | None]
    unreadable: Mapping[System, int]
    """Attributes that had values and are shown for nobody any more."""
    quarantined: int


@dataclass(frozen=True)
class MailFigures:
    counts: dict[tuple[MailKind, MailState], int]
    oldest_waiting: datetime | None
    """When the oldest mail that is not sent yet was written."""


class MetricsRepository(EngineReading, CountedWork):
    """`uow.metrics`."""

    def is_migrated(self) -> bool:
        """Whether the database has what this version of the code needs: its own revision, or a later one. Migrations
        only add, so what a newer version has migrated serves this one until it is replaced."""
        return self.migration_state() != "pending"

    def migration_state(self) -> str:
        """ "ok"; "pending": the database is older than this version of the code; "ahead": a newer version has migrated
        it."""
        found = MigrationContext.configure(self._transaction.connection).get_current_revision()
        known = known_revisions()
        return "ok" if found == known[0] else "ahead" if found is not None and found not in known else "pending"

    def runs_by_state(self) -> dict[RunState, int]:
        """State → number of runs; states without a run are left out."""
        rows = self._session.execute(select(RunTable.state, func.count().label("runs")).group_by(RunTable.state))
        return {row.state: row.runs for row in rows}

    def gathering(self) -> tuple[int, datetime | None]:
        """How many runs webhooks are filling, and since when the oldest of them is due that waits for no approval."""
        due = case((~held_back(), RunTable.gather_until))
        query = select(func.count(), func.min(due)).where(
            RunTable.finished_at.is_(None),
            RunTable.state == RunState.WAITING,
            RunTable.gather_until.is_not(None),
            RunTable.ends_as.is_(None),
        )
        count, oldest = self._session.execute(query).one()
        return count, oldest

    def unsorted(self) -> tuple[int, datetime | None]:
        """How many webhooks are stored and not sorted into items yet, and when the oldest of them came in."""
        query = select(func.count(), func.min(DeliveryTable.received_at)).where(text("deliveries.state = 'received'"))
        count, oldest = self._session.execute(query).one()
        return count, oldest

    def oldest_due(self, now: datetime) -> datetime | None:
        """Since when the item that waits longest could have been worked on.

        Only items of running runs and of connections that take work count; a postponed item does not wait yet.
        """
        query = (
            select(ItemTable.next_at)
            .join(RunTable, RunTable.id == ItemTable.run_id)
            .join(ConnectionTable, ConnectionTable.id == ItemTable.connection_id)
            .where(
                text(
                    "items.state IN ('waiting', 'running')"
                ),  # as the partial index says it, or SQLite does not use it
                ItemTable.state == ItemState.WAITING,
                ItemTable.next_at <= now,
                RunTable.state == RunState.RUNNING,
                RunTable.ends_as.is_(None),
                ~ConnectionTable.paused,
                ~ConnectionTable.needs_consent,
            )
            .order_by(ItemTable.next_at)
            .limit(1)
        )
        return self._session.scalar(query)

    def mails(self) -> MailFigures:
        found = select(MailTable.kind, MailTable.state, func.count(), func.min(MailTable.created_at))
        rows = list(self._session.execute(found.group_by(MailTable.kind, MailTable.state)))
        unsent = [oldest for _, state, _, oldest in rows if state in (MailState.PENDING, MailState.SENDING)]
        return MailFigures({(kind, state): count for kind, state, count, _ in rows}, min(unsent, default=None))

    def deliveries_since(self, moment: datetime) -> dict[DeliveryState, int]:
        query = (
            select(DeliveryTable.state, func.count())
            .where(DeliveryTable.received_at >= moment)
            .group_by(DeliveryTable.state)
        )
        return {row[0]: row[1] for row in self._session.execute(query)}

    def connections(self) -> list[ConnectionFigures]:
        """All connections, in one query; the last webhook of each is one look into an index."""
        last = {
            system: select(func.max(DeliveryTable.received_at))
            .where(DeliveryTable.connection_id == ConnectionTable.id, DeliveryTable.system == literal(system.value))
            .correlate(ConnectionTable)
            .scalar_subquery()
            for system in System
        }
        quarantined = (
            select(func.count())
            .select_from(TroubleTable)
            .where(TroubleTable.connection_id == ConnectionTable.id, TroubleTable.quarantined_at.is_not(None))
            .correlate(ConnectionTable)
            .scalar_subquery()
        )
        query = (
            select(ConnectionTable, WebhookRegistrationTable, SweepTable.done_at, quarantined, *last.values())
            .outerjoin(WebhookRegistrationTable, WebhookRegistrationTable.connection_id == ConnectionTable.id)
            .outerjoin(SweepTable, SweepTable.connection_id == ConnectionTable.id)
            .where(ConnectionTable.removed_at.is_(None))
            .order_by(ConnectionTable.id)
        )
        return [
            _figures(record, webhook, done_at, number, dict(zip(last, seen, strict=True)))
            for record, webhook, done_at, number, *seen in self._session.execute(query)
        ]

    def counters(self) -> dict[str, dict[Labels, int]]:
        """`uow.counters.all()` without the notes of what has been counted of each run."""
        found: dict[str, dict[Labels, int]] = {}
        rows = select(CounterTable.name, CounterTable.labels, CounterTable.value).where(
            CounterTable.name.not_like("meter.%")
        )
        for name, pairs, value in self._session.execute(rows):
            found.setdefault(name, {})[labels(**json.loads(pairs))] = value
        return found


def _figures(
    record: ConnectionTable,
    webhook: WebhookRegistrationTable | None,
    done_at: datetime | None,
    quarantined: int,
    seen: dict[System, datetime | None],
) -> ConnectionFigures:
    return ConnectionFigures(
        id=record.id,
        key=record.key,
        name=cleaned(record.name),
        smarthr_subdomain=record.smarthr_subdomain,
        freee_company_id=record.freee_company_id,
        paused=record.paused,
        needs_consent=record.needs_consent,
        automatic=Automatic(record.options.get("automatic", Automatic.OFF)),
        sweep_minutes=record.options.get("sweep_minutes"),
        created_at=record.created_at,
        refresh_state=record.freee_refresh_state,
        refreshed_at=record.freee_refreshed_at,
        expires_at=record.freee_expires_at,
        webhook_state=webhook.state if webhook else WebhookState.NONE,
        webhook_disabled_at=webhook.disabled_at if webhook else None,
        webhook_checked_at=webhook.checked_at if webhook else None,
        sweep_done_at=done_at,
        last_webhook=seen,
        quarantined=quarantined,
        unreadable={system: _asked_about(record.learned, system) for system in System},
    )


def _asked_about(learned: Mapping[str, Any], system: System) -> int:
    """How many attributes have gone without an answer, as `connections.learned` stores them."""
    standings = learned.get("attributes", {}).get(system.value, {})
    return sum("gone_at" in each and not each.get("cleared") for each in standings.values())


@lru_cache(maxsize=1)
def known_revisions() -> tuple[str, ...]:
    """The revisions that this version of the code knows, the newest first."""
    scripts = ScriptDirectory(str(Path(__file__).parents[1] / "migrations"))
    return tuple(each.revision for each in scripts.walk_revisions())

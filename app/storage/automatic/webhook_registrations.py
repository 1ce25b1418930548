"""Webhook registrations: the one of each connection at SmartHR, and the secrets with which its deliveries may come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from app.storage.automatic.rows import WebhookRegistrationRow
from app.storage.enums import WebhookState
from app.storage.repository import Repository, as_row
from app.storage.tables.automatic_models import WebhookRegistrationTable


class WebhookRegistrationRepository(Repository):
    """`uow.webhook_registrations`."""

    def get(self, connection_id: int) -> WebhookRegistrationRow | None:
        record = self._session.get(WebhookRegistrationTable, connection_id, populate_existing=True)
        return None if record is None else self._row(record)

    def states(self) -> dict[int, WebhookState]:
        """Connection id → how its registration was found last."""
        query = select(WebhookRegistrationTable.connection_id, WebhookRegistrationTable.state)
        return {row.connection_id: row.state for row in self._session.execute(query)}

    def set_secret(self, connection_id: int, secret: str, *, previous_until: datetime) -> None:
        """Keep a new secret; the one before it stays good until `previous_until`."""
        record = self._session.get(WebhookRegistrationTable, connection_id, populate_existing=True)
        if record is None:
            record = WebhookRegistrationTable(connection_id=connection_id, state=WebhookState.NONE)
            self._session.add(record)
        elif record.secret_enc:
            record.previous_enc, record.previous_until = record.secret_enc, previous_until
        record.secret_enc = self._vault.encrypt(secret)
        self._session.flush()

    def drop_secret(self, connection_id: int) -> None:
        """Go back to the secret before the newest, because SmartHR did not take the newest over."""
        record = self._session.get(WebhookRegistrationTable, connection_id, populate_existing=True)
        if record is None:
            return
        if record.previous_enc is None:
            self._session.delete(record)
        else:
            record.secret_enc, record.previous_enc, record.previous_until = record.previous_enc, None, None
        self._session.flush()

    def found(
        self,
        connection_id: int,
        *,
        vendor_id: str | None,
        state: WebhookState,
        disabled_at: datetime | None,
        now: datetime,
    ) -> None:
        """Store how a check found the registration at SmartHR."""
        self._session.execute(
            update(WebhookRegistrationTable)
            .where(WebhookRegistrationTable.connection_id == connection_id)
            .values(vendor_id=vendor_id, state=state, disabled_at=disabled_at, checked_at=now)
        )

    def _row(self, record: WebhookRegistrationTable) -> WebhookRegistrationRow:
        return as_row(
            WebhookRegistrationRow,
            record,
            secret=self._vault.decrypt(record.secret_enc),
            previous=self._open(record.previous_enc),
        )

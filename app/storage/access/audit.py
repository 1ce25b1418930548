"""The audit trail: which user or key did what. Awase never changes an entry afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from app.storage.access.rows import AuditRow
from app.storage.repository import Repository, as_row
from app.storage.tables.access_models import AuditTable


class AuditRepository(Repository):
    """`uow.audit`."""

    def add(
        self, *, actor: str, action: str, subject: str, now: datetime, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Add an entry in the transaction of the action it tells of. `detail`: ids and codes, nothing personal."""
        row = AuditTable(at=now, actor=actor, action=action, subject=subject, detail=dict(detail or {}))
        self._session.add(row)
        self._session.flush()

    def page(self, *, before: int | None = None, limit: int = 50, subject: str | None = None) -> list[AuditRow]:
        """Entries, the newest first, only those older than the entry `before`."""
        query = select(AuditTable).order_by(AuditTable.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditTable.id < before)
        if subject is not None:
            query = query.where(AuditTable.subject == subject)
        return [as_row(AuditRow, record) for record in self._session.scalars(query)]

    def forget(self, action: str, *, before: datetime) -> int:
        """Delete old entries of one kind that strangers can cause at will. Entries of what users did stay."""
        return self._changed(delete(AuditTable).where(AuditTable.action == action, AuditTable.at < before))

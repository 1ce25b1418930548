"""The audit trail: who did what, never changed afterwards."""

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
        """In the transaction of what was done. `detail`: ids and codes, nothing personal."""
        row = AuditTable(at=now, actor=actor, action=action, subject=subject, detail=dict(detail or {}))
        self._session.add(row)
        self._session.flush()

    def page(self, *, before: int | None = None, limit: int = 50, subject: str | None = None) -> list[AuditRow]:
        """The newest first, older than the entry `before`."""
        query = select(AuditTable).order_by(AuditTable.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditTable.id < before)
        if subject is not None:
            query = query.where(AuditTable.subject == subject)
        return [as_row(AuditRow, record) for record in self._session.scalars(query)]

    def forget(self, action: str, *, before: datetime) -> int:
        """Old entries of one kind that strangers can make at will. What users did stays."""
        return self._changed(delete(AuditTable).where(AuditTable.action == action, AuditTable.at < before))

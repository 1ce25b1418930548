"""連携履歴: one start entry and one end entry a run, which Awase never changes afterwards."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from app.domain.runs.run_state import RunState
from app.storage.enums import HistoryKind
from app.storage.repository import Repository, as_row
from app.storage.runs.rows import HistoryRow
from app.storage.tables.models import HistoryTable


class HistoryRepository(Repository):
    def add(self, run_id: int, kind: HistoryKind, *, at: datetime, result: RunState | None = None) -> None:
        self._session.add(HistoryTable(run_id=run_id, kind=kind, at=at, result=result))
        self._session.flush()

    def of_run(self, run_id: int) -> list[HistoryRow]:
        query = select(HistoryTable).where(HistoryTable.run_id == run_id).order_by(HistoryTable.id)
        return [as_row(HistoryRow, record) for record in self._session.scalars(query)]

"""Idempotency keys: a request that is sent twice starts only one run."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.storage.repository import Repository, as_row
from app.storage.runs.rows import IdempotencyRow
from app.storage.tables.access_models import IdempotencyTable


class IdempotencyRepository(Repository):
    def find(self, key_hash: str, owner: str) -> IdempotencyRow | None:
        query = select(IdempotencyTable).where(IdempotencyTable.key_hash == key_hash, IdempotencyTable.owner == owner)
        record = self._session.scalar(query)
        return None if record is None else as_row(IdempotencyRow, record)

    def add(self, key_hash: str, owner: str, *, request_hash: str, run_id: int, now: datetime) -> bool:
        """Remember the run of a key. False: another request with this key came first, at this very moment."""
        record = IdempotencyTable(
            key_hash=key_hash, owner=owner, request_hash=request_hash, run_id=run_id, created_at=now
        )
        try:
            with self._session.begin_nested():
                self._session.add(record)
        except IntegrityError:
            return False
        return True

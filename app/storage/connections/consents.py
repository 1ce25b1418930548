"""Authorisations on their way: a person has gone to freee and has not come back yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from app.storage.connections.rows import ConsentRow
from app.storage.repository import Repository
from app.storage.tables.access_models import ConsentTable


class ConsentRepository(Repository):
    def add(
        self, state_hash: str, connection_id: int, *, verifier: str, redirect_uri: str, expires_at: datetime
    ) -> None:
        self._session.add(
            ConsentTable(
                state_hash=state_hash,
                connection_id=connection_id,
                verifier_enc=self._vault.encrypt(verifier),
                redirect_uri=redirect_uri,
                expires_at=expires_at,
            )
        )
        self._session.flush()

    def known(self, state_hash: str) -> bool:
        """Whether Awase gave this state out and it has not been used; needs no write lock."""
        return self._session.get(ConsentTable, state_hash) is not None

    def take(self, state_hash: str, *, now: datetime) -> ConsentRow | None:
        """The one use of a state; None when unknown, used or too old."""
        record = self._session.scalar(select(ConsentTable).where(ConsentTable.state_hash == state_hash))
        if record is None:
            return None
        row = ConsentRow(
            connection_id=record.connection_id,
            verifier=self._vault.decrypt(record.verifier_enc),
            redirect_uri=record.redirect_uri,
            expires_at=record.expires_at,
        )
        mine = self._changed(delete(ConsentTable).where(ConsentTable.state_hash == state_hash))
        return row if mine and row.expires_at >= now else None

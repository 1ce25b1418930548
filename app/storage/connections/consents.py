"""Authorisations on their way: a person has gone to freee and has not come back yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from app.storage.connections.rows import ConsentRow
from app.storage.repository import Repository
from app.storage.tables.access_models import ConsentLinkTable, ConsentTable


class ConsentRepository(Repository):
    def add(
        self,
        state_hash: str,
        connection_id: int,
        *,
        verifier: str,
        redirect_uri: str,
        expires_at: datetime,
        browser_hash: str | None = None,
        link_hash: str | None = None,
    ) -> None:
        self._session.add(
            ConsentTable(
                state_hash=state_hash,
                connection_id=connection_id,
                verifier_enc=self._vault.encrypt(verifier),
                redirect_uri=redirect_uri,
                expires_at=expires_at,
                browser_hash=browser_hash,
                link_hash=link_hash,
            )
        )
        self._session.flush()

    def browser_of(self, state_hash: str) -> tuple[bool, str | None]:
        """(whether Awase gave this state out and it has not been used, the browser it belongs to; None: to any). Needs
        no write lock."""
        record = self._session.get(ConsentTable, state_hash)
        return (False, None) if record is None else (True, record.browser_hash)

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
            link_hash=record.link_hash,
        )
        mine = self._changed(delete(ConsentTable).where(ConsentTable.state_hash == state_hash))
        return row if mine and row.expires_at >= now else None

    # ── links of mails ────────────────────────────────────────────────────────────────────────────────────────────

    def claim_link(self, link_hash: str, connection_id: int, *, browser_hash: str, now: datetime) -> bool:
        """Claim a mailed link for this browser. False: it is another browser's, or was used."""
        row = {"link_hash": link_hash, "connection_id": connection_id, "browser_hash": browser_hash, "begun_at": now}
        self._session.execute(self._dialect.insert(ConsentLinkTable).values(row).on_conflict_do_nothing())
        return self.link_is_open(link_hash, browser_hash=browser_hash)

    def link_is_open(self, link_hash: str, *, browser_hash: str) -> bool:
        """Whether this browser may (still) begin by the link."""
        record = self._session.get(ConsentLinkTable, link_hash)
        return record is None or (record.used_at is None and record.browser_hash == browser_hash)

    def use_link(self, link_hash: str, *, now: datetime) -> bool:
        """The one use of a link. False: it was used before."""
        unused = (ConsentLinkTable.link_hash == link_hash, ConsentLinkTable.used_at.is_(None))
        return self._changed(update(ConsentLinkTable).where(*unused).values(used_at=now)) == 1

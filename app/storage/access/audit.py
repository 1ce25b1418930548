"""The audit trail: who did what, from where. Entries are added, and purged from the beginning when they are too old;
nothing else is ever done to them.

Entries are kept until the end of the transaction and then written behind the lock of the head row, so that everybody
who locks the head does so last: two transactions cannot wait for each other, and the lock is held no longer than the
commit takes. A transaction without entries (webhooks, the job of an employee) never touches it. SQLite has one writer
anyway.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from app.domain.access.audit_chain import FIELDS, GENESIS, PURGED, digest_of, head_seal_of, plain, seal_of
from app.domain.access.origin import current_origin
from app.storage.access.rows import AuditHead, AuditRow
from app.storage.repository import Repository, Transaction, as_row
from app.storage.tables.access_models import AuditHeadTable, AuditTable
from app.storage.vault import Vault

HEAD = "audit"
PORTION = 500
Changes = Mapping[str, tuple[Any, Any]]
"""What has changed: name → (before, after). Secrets and personal values are not given: `CHANGED` stands for them."""
CHANGED = "changed"
"""Stands for a value that the trail must not hold."""


class AuditRepository(Repository):
    """`uow.audit`."""

    def __init__(self, transaction: Transaction, vault: Vault) -> None:
        super().__init__(transaction, vault)
        self._added: list[dict[str, Any]] = []

    def add(
        self,
        *,
        action: str,
        subject: str,
        now: datetime,
        actor: str | None = None,
        detail: Mapping[str, Any] | None = None,
        changes: Changes | None = None,
    ) -> None:
        """Add an entry in the transaction of the action it tells of. `actor` None: whom the door has recognised.
        `detail` and `changes`: ids, codes and words of settings, nothing personal and no secret. Where it comes from
        is taken from `current_origin()`."""
        origin = current_origin()
        moved = {name: list(pair) for name, pair in (changes or {}).items() if pair[0] != pair[1]}
        told = {**(detail or {}), **({"changes": moved} if moved else {})}
        values = {
            "at": now,
            "actor": actor or origin.actor,
            "action": action,
            "subject": subject,
            "detail": json.loads(json.dumps(told)),  # as the database will give it back
            "door": origin.door.value,
            "address": origin.address or None,
            "via": dict(origin.via) or None,
        }
        self._added.append(values)

    def write(self) -> None:
        """Write the entries of this transaction, at its end: the unit of work calls it before it commits."""
        if not self._added:
            return
        added, self._added = self._added, []
        head, key = self._held()
        head = self._take_in(head, key)
        rows, head = _linked(added, head, key)
        self._session.execute(insert(AuditTable), rows)
        self._keep(head, key)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def page(self, *, before: int | None = None, limit: int = 50, subject: str | None = None) -> list[AuditRow]:
        """Entries, the newest first, only those older than the entry `before`."""
        query = select(AuditTable).order_by(AuditTable.id.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditTable.id < before)
        if subject is not None:
            query = query.where(AuditTable.subject == subject)
        return [as_row(AuditRow, record) for record in self._session.scalars(query)]

    def chain(self, *, after: int, up_to: int, limit: int = PORTION) -> list[AuditRow]:
        """Entries in the order of the chain, behind position `after`."""
        query = select(AuditTable).where(AuditTable.position > after, AuditTable.position <= up_to)
        found = self._session.scalars(query.order_by(AuditTable.position).limit(limit))
        return [as_row(AuditRow, record) for record in found]

    def between(self, since: datetime, until: datetime) -> tuple[int, int] | None:
        """The first and the last position of the entries of a period: `since` ≤ at < `until`. None: there are none."""
        query = select(func.min(AuditTable.position), func.max(AuditTable.position))
        first, last = self._session.execute(query.where(AuditTable.at >= since, AuditTable.at < until)).one()
        return None if first is None or last is None else (first, last)

    def digest_at(self, position: int) -> str | None:
        """The digest of an entry, also of the last purged one; None: there is no such entry."""
        head = self.head()
        if position == head.purged:
            return head.purged_digest
        return self._session.scalar(select(AuditTable.digest).where(AuditTable.position == position))

    def head(self) -> AuditHead:
        record = self._session.get(AuditHeadTable, HEAD, populate_existing=True)
        return as_row(AuditHead, record) if record else AuditHead(0, GENESIS, None, 0, GENESIS)

    def key(self) -> bytes | None:
        """The key of the seals. None: no entry has been sealed yet. Raises VaultError."""
        sealed = self._session.scalar(select(AuditHeadTable.key_enc).where(AuditHeadTable.name == HEAD))
        return self._opened(sealed)

    def unlinked(self) -> int:
        """How many rows of an older version wait for the next entry, which takes them into the chain."""
        return self._session.scalar(select(func.count()).where(AuditTable.position.is_(None))) or 0

    def count_since(
        self,
        actions: Sequence[str],
        since: datetime,
        *,
        subject: str | None = None,
        actor: str | None = None,
        address: str | None = None,
    ) -> int:
        """How many entries of these actions there are since then: what strangers can cause has a limit."""
        query = select(func.count()).select_from(AuditTable)
        query = query.where(AuditTable.action.in_(actions), AuditTable.at >= since)
        if subject is not None:
            query = query.where(AuditTable.subject == subject)
        if actor is not None:
            query = query.where(AuditTable.actor == actor)
        if address is not None:
            query = query.where(func.coalesce(AuditTable.address, "") == address)
        return self._session.scalar(query) or 0

    # ── purging ───────────────────────────────────────────────────────────────────────────────────────────────────

    def purge(self, *, before: datetime, now: datetime) -> int:
        """Delete the entries from the beginning that are older than `before`; never the last one. The head keeps the
        digest up to which they were purged, and so does an entry of the chain itself, with its seal. Returns how
        many."""
        oldest = select(AuditTable.at).where(AuditTable.position.is_not(None)).order_by(AuditTable.position).limit(1)
        first = self._session.scalar(oldest)
        if first is None or first >= before:
            return 0
        head, _ = self._held()
        young = select(func.min(AuditTable.position)).where(AuditTable.at >= before)
        last = min(self._session.scalar(young) or head.position, head.position) - 1
        digest = self.digest_at(last) if last > head.purged else None
        if digest is None:
            return 0
        kept = {"purged": last, "purged_digest": digest}
        self._session.execute(update(AuditHeadTable).where(AuditHeadTable.name == HEAD).values(kept))
        count = self._changed(delete(AuditTable).where(AuditTable.position <= last))
        detail = {"entries": count, "position": last, "digest": digest}
        self.add(action=PURGED, subject="audit", now=now, detail=detail)
        return count

    # ── the chain ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _held(self) -> tuple[AuditHead, bytes]:
        """The head, locked until the end of the transaction, and the key of the seals, made at its first use."""
        query = select(AuditHeadTable).where(AuditHeadTable.name == HEAD).with_for_update()
        query = query.execution_options(populate_existing=True)
        record = self._session.scalar(query)
        if record is None:
            first = {"name": HEAD, "position": 0, "digest": GENESIS, "purged": 0, "purged_digest": GENESIS}
            self._session.execute(self._dialect.insert(AuditHeadTable).values(first).on_conflict_do_nothing())
            record = self._session.scalars(query).one()
        key = self._opened(record.key_enc)
        if key is None:
            key = secrets.token_bytes(32)
            self._store(key_enc=self._vault.encrypt(base64.b64encode(key).decode()))
        return as_row(AuditHead, record), key

    def _opened(self, sealed: str | None) -> bytes | None:
        return None if sealed is None else base64.b64decode(self._vault.decrypt(sealed))

    def _take_in(self, head: AuditHead, key: bytes) -> AuditHead:
        """Link the rows that an older version has written beside us."""
        for records in self._unlinked_rows():
            rows, head = _linked([_content(record) for record in records], head, key)
            links = [
                {"id": record.id, **{name: row[name] for name in ("position", "digest", "seal")}}
                for record, row in zip(records, rows, strict=True)
            ]
            self._session.execute(update(AuditTable), links)
        return head

    def _unlinked_rows(self) -> Iterator[Sequence[AuditTable]]:
        query = select(AuditTable).where(AuditTable.position.is_(None)).order_by(AuditTable.id).limit(PORTION)
        while records := self._session.scalars(query).all():
            yield records

    def _keep(self, head: AuditHead, key: bytes) -> None:
        seal = head_seal_of(head.position, head.digest, key)
        self._store(position=head.position, digest=head.digest, seal=seal)

    def _store(self, **values: Any) -> None:
        self._session.execute(update(AuditHeadTable).where(AuditHeadTable.name == HEAD).values(values))


def _content(record: AuditTable) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS if name != "position"}


def _linked(
    entries: Sequence[Mapping[str, Any]], head: AuditHead, key: bytes
) -> tuple[list[dict[str, Any]], AuditHead]:
    """The entries as rows behind the head, and the head that they make."""
    rows, position, digest = [], head.position, head.digest
    for entry in entries:
        position += 1
        digest = digest_of(plain(position=position, **entry), digest)
        rows.append({**entry, "position": position, "digest": digest, "seal": seal_of(digest, key)})
    return rows, AuditHead(position, digest, None, head.purged, head.purged_digest)

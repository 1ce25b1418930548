"""Which keys are in use, and which living process knows which of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from app.storage.enums import KeyKind, KeyUse
from app.storage.keyring import Ring
from app.storage.repository import Repository, as_row
from app.storage.tables.key_models import KeyTable, ProcessTable

MOST_MILLISECONDS = 2_000_000_000


@dataclass(frozen=True)
class KeyRow:
    kind: KeyKind
    key_id: str
    use: KeyUse
    original: bool
    since: datetime


@dataclass(frozen=True)
class ProcessRow:
    """`name`: "worker interactive@host:123"."""

    name: str
    known: Mapping[str, Sequence[str]]
    using: Mapping[str, str]
    started_at: datetime
    seen_at: datetime
    clock_skew_ms: int | None = None
    house: str | None = None

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which the clock of its host is ahead of the database's; None where that is not known."""
        return None if self.clock_skew_ms is None else self.clock_skew_ms / 1000

    def knows(self, kind: KeyKind, key_id: str) -> bool:
        return key_id in self.known.get(kind.value, ())


class KeyUseRepository(Repository):
    """`uow.key_uses`."""

    def all(self, kind: KeyKind) -> list[KeyRow]:
        query = select(KeyTable).where(KeyTable.kind == kind).order_by(KeyTable.since, KeyTable.key_id)
        return [as_row(KeyRow, record) for record in self._session.scalars(query)]

    def note(self, ring: Ring, now: datetime) -> bool:
        """Note the key that this process uses. The first process ever notes besides which key is the original one: the
        oldest that it was given. Returns whether this is the first note of the kind."""
        known = {row.key_id for row in self.all(ring.kind)}
        if ring.in_use.id in known:
            return False
        if not known and ring.original != ring.in_use.id:
            self._add(ring.kind, ring.original, KeyUse.FORMER, now, original=True)
        use = KeyUse.FORMER if known else KeyUse.IN_USE
        self._add(ring.kind, ring.in_use.id, use, now, original=not known and ring.original == ring.in_use.id)
        return not known

    def note_missing(self, kind: KeyKind, key_id: str, now: datetime) -> None:
        """Note a key that nobody has given and under which something stands."""
        self._add(kind, key_id, KeyUse.FORMER, now, original=False)

    def begin(self, kind: KeyKind, key_id: str, now: datetime) -> None:
        """From here on this key is in use, and the one before is a former one."""
        used = (KeyTable.kind == kind, KeyTable.use == KeyUse.IN_USE, KeyTable.key_id != key_id)
        self._session.execute(update(KeyTable).where(*used).values(use=KeyUse.FORMER))
        self._add(kind, key_id, KeyUse.IN_USE, now, original=False)
        mine = (KeyTable.kind == kind, KeyTable.key_id == key_id, KeyTable.use != KeyUse.IN_USE)
        self._session.execute(update(KeyTable).where(*mine).values(use=KeyUse.IN_USE, since=now))

    def retire(self, kind: KeyKind, key_id: str) -> None:
        """Nothing stands under this former key any more."""
        former = (KeyTable.kind == kind, KeyTable.key_id == key_id, KeyTable.use == KeyUse.FORMER)
        self._session.execute(update(KeyTable).where(*former).values(use=KeyUse.RETIRED))

    def _add(self, kind: KeyKind, key_id: str, use: KeyUse, now: datetime, *, original: bool) -> None:
        row = {"kind": kind, "key_id": key_id, "use": use, "original": original, "since": now}
        self._session.execute(self._dialect.insert(KeyTable).values(row).on_conflict_do_nothing())


def _milliseconds(skew: float) -> int:
    """As many as the column holds: a host without a clock of its own begins in 1970."""
    return round(min(max(skew * 1000, -MOST_MILLISECONDS), MOST_MILLISECONDS))


class ProcessRepository(Repository):
    """`uow.processes`."""

    def beat(
        self,
        name: str,
        *,
        known: dict[str, Any],
        using: dict[str, Any],
        started_at: datetime,
        now: datetime,
        clock_skew: float | None = None,
        house: str | None = None,
    ) -> None:
        """Tell that this process lives, which keys it knows and uses, how wrong the clock of its host is, and in the
        name of which house it works."""
        given = {
            "known": known,
            "using": using,
            "started_at": started_at,
            "seen_at": now,
            "clock_skew_ms": None if clock_skew is None else _milliseconds(clock_skew),
            "house": house,
        }
        insertion = self._dialect.insert(ProcessTable).values({"name": name, **given})
        self._session.execute(insertion.on_conflict_do_update(index_elements=["name"], set_=given))

    def gone(self, name: str) -> None:
        self._session.execute(delete(ProcessTable).where(ProcessTable.name == name))

    def living(self, since: datetime) -> list[ProcessRow]:
        """The processes that have told of themselves since then."""
        query = select(ProcessTable).where(ProcessTable.seen_at > since).order_by(ProcessTable.name)
        return [as_row(ProcessRow, record) for record in self._session.scalars(query)]

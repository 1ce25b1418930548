"""Keyring: the keys that this process was given, and which of them is in use.

A key is in use from the moment at which `flask secrets rotate` says so, and not because it stands first in a setting:
a process that encrypted or signed with a key that its neighbours do not know yet would make values that they cannot
open. Which key that is stands in the database, once for all processes; each of them reads it every few seconds, before
a transaction. Before anything stands there, the newest key given is the one in use.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from app.storage.enums import KeyKind, KeyUse
from app.storage.tables.key_models import KeyTable

COUNTED_SECONDS = 60.0
FRESH_SECONDS = 5.0
"""How long a process goes on with the key in use that it has read last."""


@dataclass(frozen=True)
class Key:
    """A key and the name by which it may be spoken of: a short digest, which does not lead back to the key."""

    id: str
    text: str = field(repr=False)


class Ring:
    """The keys of one kind, newest first. At least one."""

    def __init__(self, kind: KeyKind, texts: Sequence[str]) -> None:
        self.kind = kind
        self.keys = tuple(Key(id_of(kind, text), text) for text in dict.fromkeys(texts))
        self._in_use, self._original = self.newest, self.keys[-1].id

    def __repr__(self) -> str:
        return f"Ring({self.kind.value}, {self.ids})"

    @property
    def newest(self) -> Key:
        return self.keys[0]

    @property
    def in_use(self) -> Key:
        """The key with which this process encrypts or signs now."""
        return self._in_use

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(key.id for key in self.keys)

    @property
    def original(self) -> str:
        """Id of the key under which everything stands that does not say under which key it stands."""
        return self._original

    def by_preference(self) -> tuple[Key, ...]:
        """The key in use, then the others, newest first."""
        return (self.in_use, *(key for key in self.keys if key is not self.in_use))

    def label(self, key: Key) -> str:
        """What a digest carries of its key: the id, "" for the original one."""
        return "" if key.id == self.original else key.id

    def adopt(self, uses: Mapping[str, tuple[KeyUse, bool]]) -> None:
        """`uses`: id → (use, whether it is the original one), as the database has it; {} leaves everything as it is. A
        process that was not given the key in use goes on with the newest one that it has."""
        if not uses:
            return
        used = next((key for key in self.keys if uses.get(key.id, (None,))[0] is KeyUse.IN_USE), self.newest)
        self._in_use = used
        self._original = next((key_id for key_id, (_, original) in uses.items() if original), self._original)


def id_of(kind: KeyKind, text: str) -> str:
    return hashlib.sha256(f"awase key id {kind.value} {text}".encode()).hexdigest()[:10]


@dataclass(frozen=True)
class SigningList:
    """The signing keys in the order in which `itsdangerous` wants them: the last one signs, all are taken. It is looked
    through anew at each use, because the key in use may change."""

    ring: Ring = field(repr=False)

    def __iter__(self) -> Iterator[str]:
        return reversed([key.text for key in self.ring.by_preference()])


class Keys:
    """Both rings of this process, kept up to date with the database."""

    def __init__(self, encryption: Ring, signing: Ring | None = None) -> None:
        self._encryption, self._signing = encryption, signing
        self._read_at: float | None = None
        self._counted: tuple[float, int] | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(cls, encryption: Sequence[str], signing: Sequence[str]) -> Keys:
        """`encryption`, `signing`: keys of each kind, newest first."""
        return cls(Ring(KeyKind.ENCRYPTION, encryption), Ring(KeyKind.SIGNING, signing))

    @property
    def encryption(self) -> Ring:
        return self._encryption

    @property
    def signing(self) -> Ring:
        assert self._signing is not None, "opened for reading values only"
        return self._signing

    @property
    def rings(self) -> tuple[Ring, ...]:
        return (self._encryption, *filter(None, (self._signing,)))

    def remembered(self, count: Callable[[], int]) -> int:
        """What `count` has found last, for a minute. One caller counts, the others take what was found before."""
        with self._lock:
            now = time.monotonic()
            if self._counted is not None and now - self._counted[0] < COUNTED_SECONDS:
                return self._counted[1]
            self._counted = (now, self._counted[1] if self._counted else 1)
        found = count()
        with self._lock:
            self._counted = (time.monotonic(), found)
        return found

    def keep_fresh(self, sessions: sessionmaker[Session]) -> None:
        """Read which keys are in use, unless this was done a moment ago. Before the migration nothing is there.

        While one thread reads, the others go on with what was read last. Before anything was read, nobody may go on: a
        newest key that is not in use yet would make values that the other processes cannot open. So each reads."""
        with self._lock:
            now, before = time.monotonic(), self._read_at
            if before is not None:
                if now - before < FRESH_SECONDS:
                    return
                self._read_at = now
        try:
            with sessions() as session:
                self.read(session)
        except BaseException:
            self._read_at = before
            raise
        self._read_at = now

    def read(self, session: Session) -> None:
        try:
            with session.begin_nested():
                rows = session.execute(select(KeyTable.kind, KeyTable.key_id, KeyTable.use, KeyTable.original)).all()
        except (OperationalError, ProgrammingError) as error:
            if not _is_before_the_migration(error):
                raise
            return
        for ring in self.rings:
            ring.adopt({row.key_id: (row.use, row.original) for row in rows if row.kind is ring.kind})


def _is_before_the_migration(error: OperationalError | ProgrammingError) -> bool:
    return type(error.orig).__name__ == "UndefinedTable" or "no such table" in str(error.orig)

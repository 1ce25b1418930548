"""Checks the chain of the audit trail: is any entry changed, missing, put in, moved or cut off, and which one."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from app.domain.access.audit_chain import GENESIS, PURGED, digest_of, head_seal_of, seal_of
from app.storage.access.rows import AuditHead, AuditRow
from app.storage.vault import VaultError
from app.use_cases.context import Context

MOST_FAULTS = 20


class FaultKind(StrEnum):
    MISSING = "missing"
    CHANGED = "changed"
    FORGED = "forged"
    CUT = "cut"
    HEAD = "head"
    OTHER_HEAD = "other_head"
    NO_KEY = "no_key"
    NOT_PURGED = "not_purged"


@dataclass(frozen=True)
class Fault:
    position: int
    kind: FaultKind


@dataclass(frozen=True)
class AuditCheck:
    """`entries`: how many were checked; `head` and `digest`: the end of the trail; `waiting`: rows that an older
    version has written and the next entry takes in."""

    entries: int
    head: int
    digest: str
    faults: tuple[Fault, ...]
    waiting: int

    @property
    def ok(self) -> bool:
        return not self.faults


def check_audit(ctx: Context, *, noted: tuple[int, str] | None = None) -> AuditCheck:
    """Check every entry. `noted`: position and digest of a head that was written down before; it has to stand in the
    trail still. Names up to 20 faults."""
    with ctx.unit_of_work().reading() as uow:
        head, waiting = uow.audit.head(), uow.audit.unlinked()
        try:
            key = uow.audit.key()
        except VaultError:
            return AuditCheck(0, head.position, head.digest, (Fault(head.position, FaultKind.NO_KEY),), waiting)
    walk = _Walk(ctx, head, key or b"", noted)
    faults: list[Fault] = []
    for fault in walk.faults():
        faults.append(fault)
        if len(faults) == MOST_FAULTS:
            break
    return AuditCheck(walk.entries, head.position, head.digest, tuple(faults), waiting)


class _Walk:
    def __init__(self, ctx: Context, head: AuditHead, key: bytes, noted: tuple[int, str] | None) -> None:
        self._ctx, self._head, self._key, self._noted = ctx, head, key, noted
        self._position, self._digest = head.purged, head.purged_digest
        self._sealed = False
        self._purged: set[tuple[object, object]] = {(0, GENESIS)}
        """Up to where entries of the trail say that it was purged."""
        self.entries = 0

    def faults(self) -> Iterator[Fault]:
        yield from self._noted_elsewhere(self._position, self._digest)
        for row in self._rows():
            yield from self._faults_of(row)
        yield from self._faults_of_the_end()

    def _rows(self) -> Iterator[AuditRow]:
        while True:
            with self._ctx.unit_of_work().reading() as uow:
                rows = uow.audit.chain(after=self._position, up_to=self._head.position)
            yield from rows
            if not rows:
                return

    def _faults_of(self, row: AuditRow) -> Iterator[Fault]:
        position, digest = row.position or 0, row.digest or ""
        if position != self._position + 1:
            yield Fault(self._position + 1, FaultKind.MISSING)
        if digest != digest_of(row.covered, self._digest):
            yield Fault(position, FaultKind.CHANGED)
        elif (self._sealed or row.seal) and not hmac.compare_digest(row.seal or "", seal_of(digest, self._key)):
            yield Fault(position, FaultKind.FORGED)
        self._sealed = self._sealed or row.seal is not None
        if row.action == PURGED and isinstance(row.detail, dict):
            self._purged.add((row.detail.get("position"), row.detail.get("digest")))
        self._position, self._digest, self.entries = position, digest, self.entries + 1
        yield from self._noted_elsewhere(position, digest)

    def _noted_elsewhere(self, position: int, digest: str) -> Iterator[Fault]:
        if self._noted and self._noted[0] == position and self._noted[1] != digest:
            yield Fault(position, FaultKind.OTHER_HEAD)

    def _faults_of_the_end(self) -> Iterator[Fault]:
        head, here = self._head, (self._position, self._digest)
        if (head.purged, head.purged_digest) not in self._purged:
            yield Fault(head.purged, FaultKind.NOT_PURGED)
        if here != (head.position, head.digest):
            yield Fault(self._position + 1, FaultKind.CUT)
        if self._noted and self._noted[0] > self._position:
            yield Fault(self._position + 1, FaultKind.OTHER_HEAD)
        sealed = head_seal_of(head.position, head.digest, self._key)
        if self.entries and not (self._sealed and hmac.compare_digest(head.seal or "", sealed)):
            yield Fault(head.position, FaultKind.HEAD)

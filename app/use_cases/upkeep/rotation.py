"""Brings the newest keys into use and everything stored under them, while the house goes on working.

A key is brought into use in two steps. First every process is restarted with it, one after another: they know it, and
nobody uses it yet. Then `rotate_secrets` says that it is in use from now on, which every process reads within seconds,
and encrypts what stands under former keys anew, in short transactions. What a process has still written under the
former key in these seconds is brought over by the cron process (`renew_leftovers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import structlog

from app.domain.errors import Refused
from app.storage.enums import KeyKind, KeyUse
from app.storage.keyring import Ring
from app.storage.unit_of_work import UnitOfWork
from app.storage.upkeep.keys_in_use import KeyRow, ProcessRow
from app.storage.upkeep.rotation import encrypted_columns
from app.use_cases.context import Context
from app.use_cases.upkeep.heartbeat import SILENT_SECONDS, living, note_keys
from app.use_cases.upkeep.secrets_status import is_behind, needed_by_key

log = structlog.get_logger(__name__)

BATCH = 200
RENEW_SECONDS = 30.0


def rotate_secrets(ctx: Context) -> Iterator[int]:
    """Use the newest keys from now on, and encrypt anew what stands under others; after each batch, yields how many
    values were looked at. Each batch is one short transaction, so the operator may break off at any time and begin
    again. Raises Refused while a living process does not know one of the keys, before anything has changed; and at the
    end, when some values were encrypted with a key that is not given."""
    _begin_to_use(ctx)
    done = locked = 0
    for rows, closed in _renewed(ctx):
        done, locked = done + rows, locked + closed
        yield done
    _retire(ctx)
    if done > locked or not locked:  # with none but wrong keys nothing is written, the entry neither
        with ctx.unit_of_work() as uow:
            detail = {"values": done - locked}
            uow.audit.add(action="secrets_rotated", subject="secrets", now=ctx.clock.now(), detail=detail)
    if locked:
        raise Refused("wrong_encryption_keys.locked", status=409, values=locked)


def renew_leftovers(ctx: Context) -> int:
    """Encrypt what still stands under a former key, and note of a former key that nothing needs it any more. Returns
    how many values were looked at; 0 where no key that this process has is a former one."""
    former = [row for row in _former(ctx) if row.key_id in {key for ring in ctx.keys.rings for key in ring.ids}]
    if not former:
        return 0
    encrypts = any(row.kind is KeyKind.ENCRYPTION for row in former)
    looked_at = sum(rows for rows, _ in _renewed(ctx)) if encrypts else 0
    _retire(ctx)
    return looked_at


def _former(ctx: Context) -> list[KeyRow]:
    with ctx.unit_of_work().reading() as uow:
        rows = [row for ring in ctx.keys.rings for row in uow.key_uses.all(ring.kind)]
    return [row for row in rows if row.use is KeyUse.FORMER]


def _retire(ctx: Context) -> None:
    """Note which former keys nothing needs any more. A process that still uses one may write under it again."""
    former = _former(ctx)
    with ctx.unit_of_work().reading() as uow:
        behind = any(is_behind(process, ring) for process in living(ctx, uow) for ring in ctx.keys.rings)
    if not former or behind:
        return
    needed = needed_by_key(ctx, {row.kind for row in former})
    with ctx.unit_of_work() as uow:
        for row in former:
            if not needed[row.kind].get(row.key_id):
                uow.key_uses.retire(row.kind, row.key_id)
                log.info("key_retired", kind=row.kind.value, key=row.key_id)


def _begin_to_use(ctx: Context) -> None:
    with ctx.unit_of_work() as uow:
        note_keys(ctx, uow)
        for ring in ctx.keys.rings:
            _refuse_without_former(uow, ring)
            _refuse_unknown(ring, living(ctx, uow))
        for ring in ctx.keys.rings:
            if ring.newest is not ring.in_use:
                now, subject = ctx.clock.now(), f"{ring.kind.value}_key:{ring.newest.id}"
                uow.key_uses.begin(ring.kind, ring.newest.id, now)
                uow.audit.add(actor="cli", action="key_in_use", subject=subject, now=now)
                log.warning("key_in_use", kind=ring.kind.value, key=ring.newest.id)
        uow.read_keys()


def _refuse_without_former(uow: UnitOfWork, ring: Ring) -> None:
    used = next((row.key_id for row in uow.key_uses.all(ring.kind) if row.use is KeyUse.IN_USE), None)
    if used is not None and used not in ring.ids:
        raise Refused("wrong_encryption_keys.former", status=409, key=used)


def _refuse_unknown(ring: Ring, processes: Sequence[ProcessRow]) -> None:
    names = [each.name for each in processes if not each.knows(ring.kind, ring.newest.id)]
    if names:
        raise Refused("key_unknown_to_process", status=409, names=", ".join(names), seconds=SILENT_SECONDS)


def _renewed(ctx: Context) -> Iterator[tuple[int, int]]:
    """(values looked at, values that no key opens) of each batch."""
    for table, column in encrypted_columns():
        after = None
        while True:
            with ctx.unit_of_work() as uow:
                portion = uow.rotation.rotate(table, column, after=after, limit=BATCH)
            after = portion.last
            yield portion.rows, portion.locked
            if portion.rows < BATCH:
                break

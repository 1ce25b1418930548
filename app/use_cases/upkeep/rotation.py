"""Encrypts every stored secret and personal value with the newest key, so that the operator can retire an old key."""

from __future__ import annotations

from collections.abc import Iterator

from app.domain.errors import Refused
from app.storage.upkeep.rotation import encrypted_columns
from app.storage.vault import VaultError
from app.use_cases.context import Context

BATCH = 200
_WRONG_KEYS = "保存した値を開けない暗号鍵があります。ENCRYPTION_KEYS に以前の鍵も並べてから、もう一度実行してください。"


def rotate_secrets(ctx: Context) -> Iterator[int]:
    """Encrypt all values anew; after each batch, yields how many values are done. Each batch is one short transaction,
    so the operator may break off at any time. Raises Refused when a value was encrypted with a key that is not given
    any more."""
    done = 0
    for table, column in encrypted_columns():
        after = None
        while True:
            try:
                with ctx.unit_of_work() as uow:
                    count, after = uow.rotation.rotate(table, column, after=after, limit=BATCH)
            except VaultError as error:
                raise Refused("wrong_encryption_keys", _WRONG_KEYS, status=409) from error
            done += count
            yield done
            if count < BATCH:
                break
    with ctx.unit_of_work() as uow:
        detail = {"values": done}
        uow.audit.add(action="secrets_rotated", subject="secrets", now=ctx.clock.now(), detail=detail)

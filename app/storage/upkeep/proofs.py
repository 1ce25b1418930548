"""Whether the database takes what is written: proved by writing, because nothing else proves it."""

from __future__ import annotations

import secrets

from sqlalchemy import delete, select

from app.storage.repository import Repository
from app.storage.tables.upkeep_models import StoringProofTable

FILLER_BYTES = 16_384
"""More than a webhook with its index entries needs. New pages have to be found for it, which a full disk has not."""


class ProofRepository(Repository):
    """`uow.proofs`."""

    def store(self) -> None:
        """Write as much as a webhook would, and delete what was written the last times. Only the commit proves it.

        The pages that the deletion frees can be taken by webhooks. Rows that another process is deleting are left to
        it, so that nobody waits.
        """
        row = StoringProofTable(filler=secrets.token_bytes(FILLER_BYTES))  # random: PostgreSQL would compress a pattern
        self._session.add(row)
        self._session.flush()
        former = select(StoringProofTable.id).where(StoringProofTable.id != row.id).with_for_update(skip_locked=True)
        self._session.execute(delete(StoringProofTable).where(StoringProofTable.id.in_(former)))

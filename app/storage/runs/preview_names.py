"""The names of all people in a preview, in one encrypted piece: to open 10,000 one by one would take too long."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

from sqlalchemy import delete, select

from app.storage.repository import Repository
from app.storage.runs.rows import PreviewName
from app.storage.tables.models import PreviewNameTable


class PreviewNameRepository(Repository):
    """`uow.preview_names`."""

    def replace(self, run_id: int, people: Sequence[PreviewName]) -> None:
        """Keep the names of all people of a run, in the order of their positions."""
        listed = [[entry.position, entry.number, entry.name, entry.kana] for entry in people]
        packed = zlib.compress(json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode(), level=1)
        self.delete([run_id])
        self._session.add(PreviewNameTable(run_id=run_id, people_enc=self._vault.encrypt_bytes(packed)))
        self._session.flush()

    def of_run(self, run_id: int) -> list[PreviewName]:
        """The names of a run's people; [] when none were ever kept, or they were erased."""
        sealed = self._session.scalar(select(PreviewNameTable.people_enc).where(PreviewNameTable.run_id == run_id))
        if sealed is None:
            return []
        return [PreviewName(*entry) for entry in json.loads(zlib.decompress(self._vault.decrypt_bytes(sealed)))]

    def delete(self, run_ids: Sequence[int]) -> None:
        self._session.execute(delete(PreviewNameTable).where(PreviewNameTable.run_id.in_(run_ids)))

"""Pages of a survey on its way: kept encrypted, so that the survey goes on where it stopped; deleted once the plan
stands."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from sqlalchemy import delete, func, select

from app.domain.enums import System
from app.storage.repository import Repository
from app.storage.runs.rows import PagePosition
from app.storage.tables.models import SurveyPageTable

AT_ONCE = 10
"""Pages that are read from the database together."""


class SurveyPageRepository(Repository):
    def add(
        self, run_id: int, system: System, *, seq: int, rows: Sequence[Mapping[str, Any]], next_cursor: str | None
    ) -> None:
        """Store page number `seq`, counted from 0. Raises IntegrityError when the page is there already, because then
        another worker is surveying."""
        packed = zlib.compress(json.dumps(list(rows), ensure_ascii=False, separators=(",", ":")).encode(), level=1)
        self._session.add(
            SurveyPageTable(
                run_id=run_id,
                system=system,
                seq=seq,
                rows_enc=self._vault.encrypt_bytes(packed),
                next_cursor=next_cursor,
            )
        )
        self._session.flush()

    def rows(self, run_id: int, system: System) -> Iterator[Mapping[str, Any]]:
        """All rows of all pages, in the order they came. Few pages are in memory at a time."""
        query = (
            select(SurveyPageTable.rows_enc)
            .where(SurveyPageTable.run_id == run_id, SurveyPageTable.system == system)
            .order_by(SurveyPageTable.seq)
        )
        for start in count(0, AT_ONCE):
            portion = self._session.scalars(query.where(SurveyPageTable.seq.between(start, start + AT_ONCE - 1))).all()
            for packed in portion:
                yield from json.loads(zlib.decompress(self._vault.decrypt_bytes(packed)))
            if len(portion) < AT_ONCE:
                return

    def cursor(self, run_id: int, system: System) -> PagePosition:
        mine = (SurveyPageTable.run_id == run_id, SurveyPageTable.system == system)
        pages = self._session.scalar(select(func.count()).where(*mine).select_from(SurveyPageTable)) or 0
        if not pages:
            return PagePosition(0, None, complete=False)
        last = self._session.scalar(
            select(SurveyPageTable.next_cursor).where(*mine).order_by(SurveyPageTable.seq.desc()).limit(1)
        )
        return PagePosition(pages, last, complete=last is None)

    def delete(self, run_id: int) -> None:
        self._session.execute(delete(SurveyPageTable).where(SurveyPageTable.run_id == run_id))

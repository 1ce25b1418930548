"""Trials of settings that are not saved: runs that nobody approves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from app.storage.repository import Repository
from app.storage.tables.models import RunTable


class TrialRepository(Repository):
    """`uow.trials`."""

    def note(self, run_id: int, trial: Mapping[str, Any]) -> None:
        """Store the settings that were tried with what has come of them."""
        self._session.execute(update(RunTable).where(RunTable.id == run_id).values(trial=dict(trial)))

    def waiting(self, connection_id: int, *, limit: int = 100) -> list[int]:
        """The trials of a connection that have not ended, newest first: they wait until another one, or the settings
        saved, takes their place."""
        mine = (RunTable.connection_id == connection_id, RunTable.trial.is_not(None), RunTable.finished_at.is_(None))
        return list(self._session.scalars(select(RunTable.id).where(*mine).order_by(RunTable.id.desc()).limit(limit)))

"""What health checks and metrics ask of the database: whether it is migrated, and how many runs are in which state."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select

from app.domain.run_state import RunState
from app.storage.models import RunTable
from app.storage.repository import Repository


class ObservationRepository(Repository):
    """`uow.observation`."""

    def is_migrated(self) -> bool:
        """Whether the database stands at the revision this version of the code was written for."""
        found = MigrationContext.configure(self._session.connection()).get_current_revision()
        return found == _newest_revision()

    def runs_by_state(self) -> dict[RunState, int]:
        """States without a run are left out."""
        rows = self._session.execute(select(RunTable.state, func.count().label("runs")).group_by(RunTable.state))
        return {row.state: row.runs for row in rows}


@lru_cache(maxsize=1)
def _newest_revision() -> str | None:
    return ScriptDirectory(str(Path(__file__).parent / "migrations")).get_current_head()

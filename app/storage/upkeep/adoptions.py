"""What an adoption asks of the database: which runs were about to write, and what has been compared since."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, exists, not_, or_, select

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import RunState
from app.storage.repository import Repository
from app.storage.tables.models import RunTable


class AdoptionRepository(Repository):
    """`uow.adoptions`."""

    def about_to_write(self) -> list[int]:
        """The open runs that would go on to write by themselves: all but those that stop for a person first."""
        stops = or_(RunTable.dry_run, RunTable.trigger == Trigger.HELD, RunTable.state == RunState.PREVIEWED)
        waits_for_a_person = and_(stops, RunTable.approved_at.is_(None))
        open_ = (RunTable.finished_at.is_(None), RunTable.ends_as.is_(None), not_(waits_for_a_person))
        return list(self._session.scalars(select(RunTable.id).where(*open_).order_by(RunTable.id)))

    def previews_since(self, moment: datetime) -> list[int]:
        """The previews of everybody that were asked for since then, oldest first."""
        mine = (RunTable.dry_run, RunTable.scope.is_(None), RunTable.trial.is_(None), RunTable.created_at >= moment)
        return list(self._session.scalars(select(RunTable.id).where(*mine).order_by(RunTable.id)))

    def is_looked_at(self, connection_id: int, direction: Direction, since: datetime) -> bool:
        """Whether a preview made since then was approved, discarded, or had nothing to write."""
        mine = (RunTable.connection_id == connection_id, RunTable.direction == direction, RunTable.trial.is_(None))
        decided = or_(RunTable.approved_at.is_not(None), RunTable.finished_at.is_not(None))
        query = select(exists().where(*mine, RunTable.dry_run, RunTable.created_at >= since, decided))
        return bool(self._session.scalar(query))

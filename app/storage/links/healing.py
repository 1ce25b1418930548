"""Those who wait for somebody, with what their newest outcome has looked at; and of whose trouble a mail has told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, insert, literal, or_, select, update

from app.domain.enums import Direction, Trigger
from app.domain.planning.attention import Cause
from app.domain.planning.healing import Seen
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState, RunState
from app.storage.links.attention_reading import ROW, TABLE
from app.storage.repository import Repository, as_row, table_of
from app.storage.tables.access_models import AuditTable
from app.storage.tables.attention_models import ToldTable
from app.storage.tables.models import ItemTable, RunTable

TRIED_AGAIN = "mended_tried_again"
"""Action of the audit trail: a run tries people again because they were mended."""
_TOLD = table_of(ToldTable)
TOLD = _TOLD.c


@dataclass(frozen=True)
class Standing:
    """Somebody who waits. `seen`: what the newest outcome has looked at, None where that is not known."""

    id: int
    source_id: str
    state: ItemState
    cause: Cause
    trigger: Trigger
    at: datetime
    seen: Seen | None = field(default=None, repr=False)
    mended: tuple[str, ...] = ()


class HealingRepository(Repository):
    """`uow.healing`."""

    def standing(self, connection_id: int, direction: Direction) -> dict[str, Standing]:
        """Source id → whoever waits in this direction."""
        columns = (ROW.id, ROW.source_id, ROW.state, ROW.code, ROW.item_keys, ROW.trigger, ROW.at, ROW.seen, ROW.mended)
        query = select(*columns).where(ROW.connection_id == connection_id, ROW.direction == direction)
        return {
            row.source_id: as_row(
                Standing, row, cause=Cause(row.code, tuple(row.item_keys)), mended=tuple(row.mended or ())
            )
            for row in self._session.execute(query)
        }

    def directions(self, connection_id: int) -> list[Direction]:
        """In which directions somebody waits."""
        query = select(ROW.direction).where(ROW.connection_id == connection_id).distinct()
        found = set(self._session.scalars(query))
        return [each for each in Direction if each in found]

    def waits_at_target(self, connection_id: int, direction: Direction, target_ids: Collection[str]) -> bool:
        """Whether one of these people of the target is whom somebody who waits may be."""
        mine = (ROW.connection_id == connection_id, ROW.direction == direction, ROW.target_id.in_(target_ids))
        return self._session.scalar(select(ROW.id).where(*mine).limit(1)) is not None

    def is_being_checked(self, connection_id: int) -> bool:
        """Whether a comparison that writes nothing is at work."""
        at_work = (RunTable.finished_at.is_(None), RunTable.state.in_([RunState.WAITING, RunState.SURVEYING]))
        query = select(RunTable.id).where(RunTable.connection_id == connection_id, RunTable.dry_run, *at_work)
        return self._session.scalar(query.limit(1)) is not None

    def blamed(self, connection_id: int) -> list[Cause]:
        """For what people of this connection wait, each cause once."""
        query = select(ROW.code, func.min(ROW.id)).where(ROW.connection_id == connection_id).group_by(ROW.code)
        return [Cause(row.code) for row in self._session.execute(query)]

    def mended(self, found: Mapping[int, Sequence[str]], standing: Mapping[int, Standing]) -> None:
        """Store what a comparison has found changed: row → keys. A row with a newer outcome stays as it is."""
        for row_id, keys in sorted(found.items()):
            same = and_(ROW.id == row_id, ROW.at == standing[row_id].at)
            self._session.execute(update(TABLE).where(same).values(mended=list(keys) or None))

    def tried_again(self, public_id: str) -> Mapping[str, Any] | None:
        """Whom a run has tried again because they were mended, as the audit trail tells it (`note_mended`). None: it
        has tried nobody, or the trail's entry was too old to be kept."""
        told = (AuditTable.subject == f"run:{public_id}", AuditTable.action == TRIED_AGAIN)
        return self._session.scalar(select(AuditTable.detail).where(*told).limit(1))

    # ── mails ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, run_id: int, now: datetime) -> None:
        """The summary mail of this run tells of those whom it has ended badly: remember each of them who waits."""
        item = ItemTable
        person = (item.connection_id, item.direction, item.source_id)
        waits = exists().where(
            ROW.connection_id == item.connection_id,
            ROW.direction == item.direction,
            ROW.source_id == item.source_id,
        )
        known = exists().where(
            TOLD.connection_id == item.connection_id,
            TOLD.direction == item.direction,
            TOLD.source_id == item.source_id,
            TOLD.healed_mail_id.is_(None),
        )
        people = (
            select(*person, func.max(item.employee_number), literal(now, TOLD.at.type))
            .where(item.run_id == run_id, item.state.in_(BAD_ITEM_STATES), item.source_id.is_not(None), waits, ~known)
            .group_by(*person)
        )
        names = ["connection_id", "direction", "source_id", "employee_number", "at"]
        self._session.execute(insert(_TOLD).from_select(names, people))

    def healed(self, connection_id: int, mail_id: int, now: datetime) -> int:
        """This mail tells that they wait no more: of whom a mail has told, and who has no trouble now in either
        direction of theirs. Returns how many. Each of them goes into one mail only."""
        waits = exists().where(
            ROW.connection_id == TOLD.connection_id,
            or_(
                and_(ROW.direction == TOLD.direction, ROW.source_id == TOLD.source_id),
                and_(ROW.direction != TOLD.direction, ROW.target_id == TOLD.source_id),
            ),
        )
        mine = (TOLD.connection_id == connection_id, TOLD.healed_mail_id.is_(None))
        return self._changed(update(_TOLD).where(*mine, ~waits).values(healed_mail_id=mail_id, at=now))

    def of_mail(self, mail_id: int, *, limit: int) -> tuple[list[str], int]:
        """(employee numbers of the first of them, how many there are) of whom this mail says that they wait no more."""
        mine = TOLD.healed_mail_id == mail_id
        numbers = select(TOLD.employee_number).where(mine).order_by(TOLD.employee_number, TOLD.id).limit(limit)
        count = self._session.scalar(select(func.count()).select_from(_TOLD).where(mine)) or 0
        return list(self._session.scalars(numbers)), count

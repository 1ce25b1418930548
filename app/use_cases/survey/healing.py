"""A survey looks after those who wait for somebody: has what their trouble blames changed since it was found?

A comparison of an automatic direction tries those again of whom it has, also when the trouble came from a manual run or
automatic runs have left them alone, and leaves those alone of whom nothing at all has changed since a vendor refused
their write. Every other survey, a preview too, sends nothing for them: their entry of 要対応 becomes an offer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from app.domain.employee import EmployeeRecord
from app.domain.enums import Trigger
from app.domain.planning.attention import cause_of_end
from app.domain.planning.healing import Looked, Seen, changed_since, is_as_before
from app.domain.planning.keyed import Fingerprint
from app.domain.runs.run_state import ItemState
from app.storage.links.healing import TRIED_AGAIN, Standing
from app.storage.runs.rows import NewItem, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.survey.everybody import Everybody

log = structlog.get_logger(__name__)

NAMED = 100
"""How many people the audit row of a run names; all are counted."""


@dataclass(frozen=True)
class Healing:
    """What a survey of `everybody` can tell of those who stand in `standing` (source id → row)."""

    everybody: Everybody = field(repr=False)
    standing: Mapping[str, Standing]
    fingerprint: Fingerprint = field(repr=False)

    def seen(self, item: NewItem) -> Seen | None:
        """What stands behind the end of an item that waits for somebody."""
        return self._looked(item).seen(self.fingerprint)

    def changed(self, item: NewItem) -> tuple[str, ...]:
        """What the person's trouble blames and has changed since; () without a trouble."""
        row = self._of(item)
        if row is None or row.trigger is Trigger.UNDO:
            return ()
        return changed_since(row.seen, self._looked(item), row.cause.blames, self.fingerprint)

    def is_blind(self, item: NewItem) -> bool:
        """Whether another attempt would only repeat one that a vendor has refused because of items of the person."""
        row = self._of(item)
        if row is None or row.trigger is Trigger.UNDO or row.state is not ItemState.FAILED:
            return False
        return row.cause.blames.is_refused_value and is_as_before(row.seen, self._looked(item), self.fingerprint)

    def _of(self, item: NewItem) -> Standing | None:
        return self.standing.get(item.source_id or "")

    def _looked(self, item: NewItem) -> Looked:
        sides: list[EmployeeRecord | None] = [
            self.everybody.source_by_id.get(item.source_id or ""),
            self.everybody.target_by_id.get(item.target_id or ""),
        ]
        return Looked(self.everybody.connection, tuple(each for each in sides if each is not None))


@dataclass(frozen=True)
class Mended:
    """Somebody of whose trouble the blamed has changed. `again`: this run tries them."""

    row: Standing
    changed: tuple[str, ...]
    again: bool


def mended_people(run: RunRow, planned_items: Sequence[PlannedItem], healing: Healing | None) -> list[Mended]:
    """Whose trouble may be over by what this survey has found, and whose offer does not hold any more. Nobody of whom
    the survey itself finds the same trouble: the change has not helped."""
    found = []
    for planned in planned_items if healing is not None else ():
        row = healing.standing.get(planned.item.source_id or "") if healing else None
        if healing is None or row is None:
            continue
        changed = () if _is_as_bad(planned.item, row) else healing.changed(planned.item)
        if changed != row.mended:
            found.append(Mended(row, changed, again=bool(changed) and planned.waits and not run.dry_run))
    return found


def note_mended(ctx: Context, uow: UnitOfWork, run: RunRow, people: Sequence[Mended]) -> None:
    """Make offers of those whom this run does not try, and tell the audit trail why it tries the others."""
    offered = [each for each in people if not each.again]
    uow.healing.mended({each.row.id: each.changed for each in offered}, {each.row.id: each.row for each in offered})
    again = [each for each in people if each.again]
    if not again or run.trigger is not Trigger.SCHEDULE:
        return
    items = Counter(key for each in again for key in each.changed)
    detail = {
        "connection": run.connection_id,
        "direction": run.direction.value,
        "people": len(again),
        "items": sorted(items),
        "persons": {each.row.source_id: list(each.changed) for each in again[:NAMED]},
    }
    subject, now = f"run:{run.public_id}", ctx.clock.now()
    uow.audit.add(actor=run.started_by, action=TRIED_AGAIN, subject=subject, now=now, detail=detail)
    log.info("mended_tried_again", run_id=run.id, people=len(again))


def _is_as_bad(item: NewItem, row: Standing) -> bool:
    cause = cause_of_end(item.state, item.error_code) if item.state.is_final else None
    return cause is not None and cause.code == row.cause.code

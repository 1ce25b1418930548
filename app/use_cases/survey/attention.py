"""Tells the list of those who wait for somebody's action (要対応) how a survey has ended its people, in the
transactions that store the survey. A preview tells nothing: its people come to the list when it is approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.domain.completeness.unreadable import LIST_INCOMPLETE
from app.domain.planning.attention import Told, partner_of
from app.storage.links.attention import Ended
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.survey.healing import Healing


def note_attention(
    uow: UnitOfWork,
    run: RunRow,
    portion: Sequence[PlannedItem],
    item_ids: Mapping[int, int],
    *,
    healing: Healing | None,
) -> None:
    """Bring the list up to date with one portion of a survey. `item_ids`: `id` of a planned item → id of its row."""
    ended = (_ended(run, found, item_ids.get(id(found)), healing) for found in portion)
    uow.attention.ended([each for each in ended if each is not None])


def keep_attention(uow: UnitOfWork, run: RunRow, planned_items: Sequence[PlannedItem]) -> None:
    """After a comparison of everybody: whoever is not among its people is gone. Nothing follows from a list that may
    have missed somebody."""
    if run.dry_run or run.scope is not None or run.undone_run_id is not None:
        return
    if any((found.trouble_key or "").startswith(f"?{LIST_INCOMPLETE}") for found in planned_items):
        return
    known = {key for found in planned_items if (key := _key(found)) is not None}
    began = run.started_at or run.created_at
    uow.attention.keep_only(run.connection_id, run.direction, known, seen_at=began)


def _key(found: PlannedItem) -> str | None:
    return found.item.source_id or found.trouble_key


def _ended(run: RunRow, found: PlannedItem, item_id: int | None, healing: Healing | None) -> Ended | None:
    item, key = found.item, _key(found)
    if key is None or found.look is not None or not item.state.is_final:
        return None
    ended = Ended(
        connection_id=item.connection_id,
        direction=item.direction,
        source_id=key,
        target_id=partner_of(item.target_id, item.candidates, item.direction.target),
        number=item.employee_number,
        state=item.state,
        code=item.error_code,
        notes=[Told(note.code, note.severity, note.key) for note in item.notes],
        trigger=run.trigger,
        run_id=run.id,
        item_id=item_id,
        at=item.created_at,
        name=item.name,
    )
    return replace(ended, seen=healing.seen(item)) if healing is not None and ended.cause is not None else ended

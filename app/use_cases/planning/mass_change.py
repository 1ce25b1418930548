"""Mass changes: what a run would do to how many people, and when a person has to confirm that this is intended.

The person who approves a preview confirms the mass change with the approval. A run that nobody has approved leaves what
the day has no room for to a person (`stop_changes`), and goes on with everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from app.domain.enums import Trigger
from app.domain.errors import Refused, Sentence
from app.domain.planning.mass_change import (
    Effect,
    MassChangeReason,
    alarms,
    consequences,
    from_text,
    limit_of,
    sentence,
)
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.planning.planned_item import PlannedItem


def mass_change_in(ctx: Context, uow: UnitOfWork, run: RunRow) -> tuple[MassChangeReason, ...]:
    """Why writing the chosen people of a preview would be a mass change; () when it would not be one. Costs three
    queries. What was written unasked within the day counts for a run of stopped changes, because these were to follow
    it."""
    written = uow.stopped_changes.written(run.connection_id, ctx.clock.now()) if run.trigger is Trigger.HELD else None
    return alarms(consequences_in(uow, run), linked=uow.links.count(run.connection_id), written=written)


def consequences_in(uow: UnitOfWork, run: RunRow) -> Mapping[Effect, int]:
    """How many people the run would create, retire and so on, counted over the chosen people who wait."""
    return consequences({from_text(text): people for text, people in uow.items.effects(run.id).items()})


def weighed(planned_items: Iterable[PlannedItem]) -> Mapping[Effect, int]:
    """How many people the jobs of a survey would create, retire and so on; items without a job do not count."""
    return consequences(Counter(from_text(found.item.effects) for found in planned_items if found.waits))


def more_than_a_day_may(
    ctx: Context, uow: UnitOfWork, connection_id: int, found: Mapping[Effect, int]
) -> tuple[MassChangeReason, ...]:
    """Why these people may not all be written unasked now; () when the day has room for them."""
    written = uow.stopped_changes.written(connection_id, ctx.clock.now())
    return alarms(found, linked=uow.links.count(connection_id), written=written)


def room_left(ctx: Context, uow: UnitOfWork, connection_id: int) -> int:
    """So many people a run may have without being a mass change, whatever it does to each of them."""
    written, linked = uow.stopped_changes.written(connection_id, ctx.clock.now()), uow.links.count(connection_id)
    return min(limit_of(effect, linked=linked) - written.get(effect, 0) for effect in Effect)


def refuse_mass_change(raised: Sequence[MassChangeReason]) -> None:
    """Raises Refused("mass_change") when there is an alarm."""
    if raised:
        why = Sentence("fields.acknowledge_mass_change", alarms=tuple(map(sentence, raised)))
        raise Refused("mass_change", status=409, fields={"acknowledge_mass_change": why})

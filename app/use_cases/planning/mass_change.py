"""Mass changes: what a run would do to how many people, and when a person has to confirm that this is intended.

The person who approves a preview confirms the mass change with the approval. A run without a preview is held before its
first write: it waits for an approval as a preview does, and one mail tells the connection's recipients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog

from app.domain.errors import Refused
from app.domain.planning.mass_change import (
    Consequences,
    MassChangeReason,
    alarms,
    consequences,
    from_text,
    reason_as_dict,
    sentence,
)
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import add_held_notice
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.shared.run_lookup import find_run

log = structlog.get_logger(__name__)


def mass_change_of(ctx: Context, run_public_id: str) -> tuple[MassChangeReason, ...]:
    """Why writing the chosen people of a preview would be a mass change; () when it would not be one. Costs three
    queries. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        return mass_change_in(uow, find_run(uow, run_public_id))


def mass_change_in(uow: UnitOfWork, run: RunRow) -> tuple[MassChangeReason, ...]:
    """As `mass_change_of`, inside the caller's transaction."""
    return alarms(consequences_in(uow, run), linked=uow.links.count(run.connection_id))


def consequences_in(uow: UnitOfWork, run: RunRow) -> Consequences:
    """How many people the run would create, retire and so on, counted over the chosen people who wait."""
    return consequences({from_text(text): people for text, people in uow.items.effects(run.id).items()})


def weighed(planned_items: Iterable[PlannedItem]) -> Consequences:
    """How many people the jobs of a survey would create, retire and so on; items without a job do not count."""
    return consequences(Counter(from_text(found.item.effects) for found in planned_items if found.waits))


def hold(ctx: Context, uow: UnitOfWork, run: RunRow, raised: Sequence[MassChangeReason]) -> None:
    """Store why the run waits and queue the one mail about it, inside the transaction that makes the run wait."""
    uow.runs.set_mass_change(run.id, [reason_as_dict(alarm) for alarm in raised])
    add_held_notice(ctx, uow, run, [sentence(alarm) for alarm in raised])
    log.warning("run_held", run_id=run.id, alarms=[alarm.code.value for alarm in raised])


def refuse_mass_change(raised: Sequence[MassChangeReason]) -> None:
    """Raises Refused("mass_change") when there is an alarm."""
    if raised:
        why = "、".join(sentence(alarm) for alarm in raised)
        raise Refused(
            "mass_change",
            "一度に変わる人数が多いため止めました。内容を確かめ、意図したものであれば、その旨を指定して承認してください。",
            status=409,
            fields={"acknowledge_mass_change": f"{why}。"},
        )

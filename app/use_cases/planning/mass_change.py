"""Mass changes: what a run would do to how many people, and who has to say that a mass change is meant.

A preview is asked at its approval. A run without preview is held before its first write: it waits as a preview does,
and its people are told by one mail.
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
    """Why the chosen people of a preview need a second look; () when nothing is out of the ordinary. Three queries.
    Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        return mass_change_in(uow, find_run(uow, run_public_id))


def mass_change_in(uow: UnitOfWork, run: RunRow) -> tuple[MassChangeReason, ...]:
    """As `mass_change_of`, inside a transaction."""
    return alarms(consequences_in(uow, run), linked=uow.links.count(run.connection_id))


def consequences_in(uow: UnitOfWork, run: RunRow) -> Consequences:
    """What the chosen people who wait come to."""
    return consequences({from_text(text): people for text, people in uow.items.effects(run.id).items()})


def weighed(planned_items: Iterable[PlannedItem]) -> Consequences:
    """What the jobs of a survey would come to."""
    return consequences(Counter(from_text(found.item.effects) for found in planned_items if found.waits))


def hold(ctx: Context, uow: UnitOfWork, run: RunRow, raised: Sequence[MassChangeReason]) -> None:
    """Keep why the run waits, and tell it once, inside the transaction that makes it wait."""
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

"""Holds a mass change where there is no survey: in a run that webhooks fill.

What webhooks ask for is read by the jobs themselves, so how much a run would change is known only when all of them
have planned. A run of more people than can be harmless therefore takes two passes: in the first, whoever has something
to write keeps the plan and is parked; the last one decides, and then everybody writes, or the run waits for a
person as a held survey does. People with nothing to write (echoes, mostly) end in the first pass, so only writes cost a
second reading. Not chosen: a survey of everybody instead, whose lists would cost hundreds of calls for a handful of
people in a large company.

Between the passes somebody may change the people again. Whose plan has become graver than what was weighed is not
written but asked for once more, and weighed with the others of the new run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import structlog

from app.domain.planning.mass_change import as_text, effects_of, from_text
from app.domain.planning.plan import Plan
from app.domain.runs.run_state import ItemState
from app.storage.enums import MassChangeCheck
from app.storage.runs.rows import PreviewName, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.employee.outcome import ItemOutcome, Job, record_outcome
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.planning.mass_change import hold, mass_change_in
from app.use_cases.planning.plan_employee import digest_of
from app.use_cases.planning.planned_item import new_changes, new_notes

log = structlog.get_logger(__name__)

_AFTER_DEADLINE = timedelta(days=1)
"""Parked for longer than the run can last; the decision takes them up again."""
_MOST = 100_000


@dataclass(frozen=True)
class Known:
    """Whom the job has met so far."""

    number: str
    name: str = field(repr=False)
    target_id: str | None


class Parked(Exception):
    """The job ends before its first write: the plan waits until those of the others are known."""

    def __init__(self, plan: Plan, *, digest: str, effects: str, known: Known) -> None:
        super().__init__("parked")
        self.plan, self.digest, self.effects, self.known = plan, digest, effects, known


class GraverThanKnown(Exception):
    """The job ends before its first write: somebody has changed the person since the plans were weighed."""

    def __init__(self, known: Known) -> None:
        super().__init__("graver than known")
        self.known = known


def park(job: Job, parked: Parked) -> None:
    """Keep the plan with the item until the plans of the others are known."""
    item, known = job.item, parked.known
    with job.ctx.unit_of_work() as uow:
        kept = uow.items.park(
            item.id,
            item.attempt,
            until=job.run.deadline_at + _AFTER_DEADLINE,
            approved_digest=parked.digest,
            effects=parked.effects,
            kind=parked.plan.kind.value,
            notes=new_notes(parked.plan.notes),
            number=known.number or None,
            name=known.name or None,
            target_id=known.target_id,
        )
        if kept:
            uow.changes.replace(item.id, new_changes(parked.plan))


def ask_again(job: Job, known: Known) -> None:
    """Ask for the person in a new run, then end the item: a death in between asks twice, which does no harm."""
    ctx, source_id = job.ctx, job.item.source_id or ""
    with ctx.unit_of_work() as uow:
        collect_events(ctx, uow, [SyncRequest(job.connection, job.run.direction, source_id)], now=ctx.clock.now())
    record_outcome(job, ItemOutcome(ItemState.UNCHANGED), number=known.number, name=known.name)


def check_mass_change(
    job: Job, plan: Plan, *, fingerprint: Callable[[str, str], str], today: date, known: Known
) -> None:
    """Before an item writes. Raises Parked until it is decided, GraverThanKnown afterwards. What is left to do for
    somebody whom the item has begun to write (created, for instance) was weighed as a whole."""
    if job.run.gate is None:
        return
    effects = effects_of(plan, today=today)
    if job.run.gate is MassChangeCheck.CLOSED:
        raise Parked(plan, digest=digest_of(plan, fingerprint), effects=as_text(effects), known=known)
    if job.item.approved_digest is None and not effects <= from_text(job.item.effects) and not _has_begun(job):
        raise GraverThanKnown(known)


def _has_begun(job: Job) -> bool:
    with job.ctx.unit_of_work() as uow:
        return uow.steps.any_done(job.item.id)


def decide_mass_change_if_ready(ctx: Context, run_id: int) -> bool:
    """True for the one caller that found everybody's plan known: the run writes from here on, or waits for a person."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if not uow.runs.decide_mass_change(run_id):
            return False
        run = uow.runs.get(run_id)
        assert run is not None
        raised = mass_change_in(uow, run)
        uow.items.unpark(run_id, now=now, held=bool(raised))
        if raised:
            uow.runs.hold(run_id, now=now)
            hold(ctx, uow, run, raised)
            _keep_names(uow, run)
        else:
            uow.items.queue_waiting(run_id, now=now)
    log.info("gate_opened", run_id=run_id, held=bool(raised))
    return True


def _keep_names(uow: UnitOfWork, run: RunRow) -> None:
    """So that people of the held run can be searched for, as in every preview."""
    items = uow.items.page(run.id, after=-1, limit=_MOST)
    uow.preview_names.replace(
        run.id, [PreviewName(item.position, item.employee_number, item.name, "") for item in items]
    )

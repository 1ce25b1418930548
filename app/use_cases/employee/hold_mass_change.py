"""Holds a mass change where there is no survey: in a run that webhooks fill.

The jobs of such a run read their employees themselves, so how much the run would change is known only when all of them
have planned. A run with so many people that it may be a mass change therefore takes two passes. In the first pass a job
that has something to write stores its plan and parks its item. The last job of the pass decides: either all parked
items are written in a second pass, or the run waits for a person as a run held by its survey does. Employees with
nothing to write (mostly echoes of our own writes) end in the first pass, so only writes cost a second reading. Not
chosen: a survey of all employees instead, whose lists would cost hundreds of calls for a handful of people in a large
company.

Between the passes the vendors' users may change the employees again. When an employee's plan has then become graver
than the plan that was weighed, the job does not write it: it asks for the employee in a new run, and the plan is
weighed with the others of that run.
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
"""An item is parked until so long after the run's deadline, longer than the run can last: the decision on the mass
change takes the item up again before that."""
_MOST = 100_000


@dataclass(frozen=True)
class Known:
    """What the job knows of its employee so far."""

    number: str
    name: str = field(repr=False)
    target_id: str | None


class Parked(Exception):
    """The job ends before its first write: its plan waits until the plans of the run's other employees are known."""

    def __init__(self, plan: Plan, *, digest: str, effects: str, known: Known) -> None:
        super().__init__("parked")
        self.plan, self.digest, self.effects, self.known = plan, digest, effects, known


class GraverThanKnown(Exception):
    """The job ends before its first write: the employee was changed after the plans were weighed, and the plan has
    become graver."""

    def __init__(self, known: Known) -> None:
        super().__init__("graver than known")
        self.known = known


def park(job: Job, parked: Parked) -> None:
    """Store the plan with the item until the plans of the run's other employees are known."""
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
    """Ask for the employee in a new run, then end the item. When the worker dies in between, the employee is asked for
    twice, which does no harm."""
    ctx, source_id = job.ctx, job.item.source_id or ""
    with ctx.unit_of_work() as uow:
        collect_events(ctx, uow, [SyncRequest(job.connection, job.run.direction, source_id)], now=ctx.clock.now())
    record_outcome(job, ItemOutcome(ItemState.UNCHANGED), number=known.number, name=known.name)


def check_mass_change(
    job: Job, plan: Plan, *, fingerprint: Callable[[str, str], str], today: date, known: Known
) -> None:
    """Check, before an item writes, whether its run may write. Raises Parked while the mass change is not decided, and
    GraverThanKnown when it is and the plan is graver than the one that was weighed. An item that has begun to write
    (for instance has created the employee) may go on, because what is left to do was weighed with the whole plan."""
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
    """Decide on the mass change once the plans of all items are known: from then on the run writes, or waits for a
    person. True for the one caller that has decided."""
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
    """Store the names of the held run's employees, so that a person can search for them as in every preview."""
    items = uow.items.page(run.id, after=-1, limit=_MOST)
    uow.preview_names.replace(
        run.id, [PreviewName(item.position, item.employee_number, item.name, "") for item in items]
    )

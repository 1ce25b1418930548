"""Counts a mass change where there is no survey: in a run that webhooks fill.

The jobs of such a run read their employees themselves, so how much the run would change is known only when all of them
have planned. A run of more people than the day has room for therefore takes two passes. In the first pass a job whose
plan has an effect that has a limit per day stores that plan and parks its item; all others write at once. The last job
of the pass counts the parked plans together: when the day has no room for all of a kind, none of that kind is written,
and the second pass leaves them for a person and writes what else these people have. So only few employees cost a second
reading. Not chosen: a survey of all employees instead, whose lists would cost hundreds of calls for a handful of people
in a large company.

Between the passes the vendors' users may change the employees again. That is no gap: every job asks once more, under
the lock of the connection, whether the day has room (`passing`).
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.use_cases.context import Context
from app.use_cases.employee.outcome import Job
from app.use_cases.employee.passing import Parked
from app.use_cases.planning.mass_change import consequences_in, more_than_a_day_may
from app.use_cases.planning.planned_item import new_changes, new_notes, notes_of
from app.use_cases.planning.stop_changes import note_stopped

log = structlog.get_logger(__name__)

_AFTER_DEADLINE = timedelta(days=1)
"""An item is parked until so long after the run's deadline, longer than the run can last: the decision on the mass
change takes the item up again before that."""


def park(job: Job, parked: Parked) -> None:
    """Store the plan with the item until the plans of the run's other employees are known."""
    item, known = job.item, parked.known
    with job.ledger.commit() as uow:
        kept = uow.items.park(
            item.id,
            item.attempt,
            until=job.run.deadline_at + _AFTER_DEADLINE,
            approved_digest=parked.digest,
            effects=parked.effects,
            kind=parked.plan.kind.value,
            notes=new_notes(notes_of(parked.plan)),
            number=known.number or None,
            name=known.name or None,
            target_id=known.target_id,
        )
        if kept:
            uow.changes.replace(item.id, new_changes(parked.plan))


def decide_mass_change_if_ready(ctx: Context, run_id: int) -> bool:
    """Decide on the mass change once the plans of all items are known: from then on the run writes, but none of a kind
    that is too many. True for the one caller that has decided."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if not uow.runs.decide_mass_change(run_id):
            return False
        run = uow.runs.get(run_id)
        assert run is not None
        uow.stopped_changes.lock(run.connection_id)
        raised = more_than_a_day_may(ctx, uow, run.connection_id, consequences_in(uow, run))
        if raised:
            note_stopped(uow, run, None, raised)
        uow.items.unpark(run_id, now=now)
        uow.items.queue_waiting(run_id, now=now)
    log.info("gate_opened", run_id=run_id, stops=[alarm.code.value for alarm in raised])
    return True

"""The job of one employee: claim the item, bring the employee into line, and handle what interrupts that.

The work itself is done by `EmployeeJob` or `UndoJob`. Here is what every attempt has in common: one conditional UPDATE
begins it, a lease holds it, and its outcome or its postponement is stored under the attempt number of the claim.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

import structlog

from app.domain.enums import Trigger
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.runs.run_state import ItemState
from app.storage.runs.rows import ClaimedItem
from app.storage.unit_of_work import UnitOfWork
from app.telemetry.spans import span, tell
from app.use_cases.context import Context
from app.use_cases.employee.bring_into_line import EmployeeJob
from app.use_cases.employee.hold_mass_change import decide_mass_change_if_ready, park
from app.use_cases.employee.outcome import ItemOutcome, Job, ended_by, record_outcome
from app.use_cases.employee.passing import Parked
from app.use_cases.employee.undo_job import UndoJob
from app.use_cases.finish import finalise
from app.use_cases.finish.notices import CONSENT_PAUSE, hold_for_consent
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.backoff import next_try
from app.use_cases.shared.item_ledger import ItemLedger
from app.use_cases.shared.lease import LeaseLost, held, lease_end
from app.use_cases.shared.outages import CODE, REST, handing_back
from app.use_cases.shared.told import receipts, under_run

log = structlog.get_logger(__name__)


def _hand_back(ctx: Context, uow: UnitOfWork, item_id: int, attempt: int) -> None:
    now = ctx.clock.now()
    uow.items.hand_back(item_id, attempt, worker=worker_name(), next_at=now + REST, error_code=CODE, now=now)


@handing_back(_hand_back)
@only_at_home(None)
def sync_item(ctx: Context, item_id: int, attempt: int) -> None:
    """Bring one employee into line. Does nothing when the item is not waiting with this attempt number."""
    with ctx.unit_of_work() as uow:
        item = uow.items.claim(item_id, attempt, now=ctx.clock.now(), lease_until=lease_end(ctx), worker=worker_name())
        run = uow.runs.get(item.run_id) if item else None
        connection = uow.connections.with_tokens(item.connection_id) if item else None
        automatic = run is not None and run.trigger.is_automatic
        begins = automatic and item is not None and uow.beginnings.get(item.connection_id, item.direction) is not None
    if item is None or run is None or connection is None:
        return
    job = Job(ctx, item, run, connection, ItemLedger(ctx.unit_of_work, item.id, item.attempt))
    bound = log.bind(run_id=run.id, item_id=item.id, attempt=item.attempt)
    told = {"item_id": item.id, "attempt": item.attempt, **under_run(run), "links": receipts(ctx, item)}
    try:
        with span("item", calm=(Parked,), **told), held(ctx, lambda until: _renew(ctx, item, until)) as lease:
            outcome = (
                _not_by_itself(job, begins=begins) or (UndoJob if run.undone_run_id else EmployeeJob)(job, lease).do()
            )
            tell(state=outcome.state, code=outcome.code, failed=outcome.state is ItemState.FAILED)
        bound.info("item_done", state=outcome.state.value, code=outcome.code)
    except LeaseLost:
        bound.warning("item_taken_over")
        job.ledger.store_seen()
        return
    except Parked as parked:
        park(job, parked)
        bound.info("item_parked")
    except TemporaryError as error:
        _postpone(job, error)
        bound.info("item_postponed", code=error.code, counts=error.counts)
    except ItemError as error:
        _fail(job, error)
        bound.info("item_failed", code=error.code)
    except RunError as error:
        _stop(job, error)
        bound.warning("run_stopped", code=error.code, needs_consent=error.needs_consent)
    job.ledger.store_seen()
    if run.gate is not None:
        decide_mass_change_if_ready(ctx, item.run_id)
    finalise.close_run_if_done(ctx, item.run_id)


def worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _not_by_itself(job: Job, *, begins: bool) -> ItemOutcome | None:
    """Cancel the item of an automatic run that an administrator has overtaken: the direction was switched off since the
    run began, or the settings have changed and nobody has approved yet what follows (`begins`). None: the job may go
    on."""
    if not job.run.trigger.is_automatic:
        return None
    if job.run.direction not in job.connection.automatic.directions:
        outcome = ItemOutcome(ItemState.CANCELLED, "automatic_off")
    elif begins and job.run.approved_at is None:
        outcome = ItemOutcome(ItemState.CANCELLED, "automatic_begins")
        _gather_for_later(job)
    else:
        return None
    record_outcome(job, outcome)
    return outcome


def _gather_for_later(job: Job) -> None:
    """Ask anew for the employee of a webhook, so that the change is done after the approval. A comparison needs no such
    request, because the next one looks at everybody."""
    ctx, source_id = job.ctx, job.item.source_id or ""
    with ctx.unit_of_work() as uow:
        told: list[int | None] = [*uow.deliveries.of_item(job.item.id)]
        if told or job.run.trigger is Trigger.WEBHOOK:
            asked = [SyncRequest(job.connection, job.run.direction, source_id, each) for each in told or [None]]
            collect_events(ctx, uow, asked, now=ctx.clock.now())


# ── interruptions ─────────────────────────────────────────────────────────────────────────────────────────────────


def _renew(ctx: Context, item: ClaimedItem, until: datetime) -> bool:
    with ctx.unit_of_work() as uow:
        return uow.items.renew(item.id, item.attempt, until)


def _postpone(job: Job, error: TemporaryError) -> None:
    ctx, item = job.ctx, job.item
    failures = item.attempts_failed + (1 if error.counts else 0)
    if failures >= ctx.settings.max_attempts:
        _fail(job, error)
        return
    pause = next_try(ctx.settings, failures=failures, retry_after=error.retry_after)
    _wait(job, error.code, pause=pause, counts=error.counts)


def _wait(job: Job, code: str, *, pause: timedelta, counts: bool) -> None:
    now = job.ctx.clock.now()
    with job.ledger.commit() as uow:
        uow.items.postpone(job.item.id, job.item.attempt, next_at=now + pause, error_code=code, counts=counts, now=now)


def _fail(job: Job, error: AwaseError) -> None:
    ended_by(job, error)


def _stop(job: Job, error: RunError) -> None:
    """Stop, because the error hits every employee of the run. When only freee's consent is missing, the item waits
    until an administrator has given it; otherwise the run ends here."""
    if error.needs_consent:
        hold_for_consent(job.ctx, job.connection.id)
        _wait(job, error.code, pause=CONSENT_PAUSE, counts=False)
        return
    _fail(job, error)
    with job.ctx.unit_of_work() as uow:
        uow.runs.fail(job.run.id, error.code, job.ctx.clock.now())

"""Reconcile: takes up the work that a crash, a lost broker or a silent vendor has left lying.

One process leads at a time (it holds a lease row). The database alone says what there is to do; the broker is asked
only how far its queues have come, so that the reconciler does not mistake a long queue for a lost one. Every step is a
short transaction that does no harm when repeated, so when a reconciler dies half way, the next one simply goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import structlog

from app.domain.errors import TemporaryError
from app.domain.runs.queues import INTERACTIVE
from app.storage.enums import OutboxKind
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.employee.hold_mass_change import decide_mass_change_if_ready
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.leading import take_lead
from app.use_cases.shared.process_name import HOLDER
from app.use_cases.upkeep.audit_keeping import keep_audit
from app.use_cases.upkeep.second_person_watch import withdraw_expired

log = structlog.get_logger(__name__)

_NOTHING: dict[str, int] = {}

LEADER = "reconciler"
DAILY = "daily"
DAILY_AUDIT = "daily_audit"
GRACE = timedelta(seconds=30)
"""How long a job may take from its push to its claim in an idle system, with room for a slow machine."""


@only_at_home(_NOTHING)
def reconcile_once(ctx: Context, *, holder: str = HOLDER) -> dict[str, int]:
    """Make one pass. Returns step → how many cases it found, {} when another process leads or the clock of this host
    is wrong."""
    now = ctx.clock.now()
    lease = timedelta(seconds=max(ctx.settings.reconcile_seconds * 3, 15.0))
    with ctx.unit_of_work() as uow:
        if not take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=lease):
            return {}
    steps: dict[str, Callable[[Context], int]] = {
        "ended_with_run": _end_with_run,
        "overdue_runs": _end_overdue,
        "poisoned": _end_poisoned,
        "dead_leases": _free_dead_leases,
        "dead_surveys": _take_up_dead_surveys,
        "lost_jobs": _push_lost_jobs,
        "lost_mails": _push_lost_mails,
        "erased_runs": _forget_old,
        "opened_gates": _decide_mass_changes,
        "expired_decisions": withdraw_expired,
        "closed_runs": _close_runs,
        "purged_entries": _keep_audit,
    }
    found = {name: count for name, step in steps.items() if (count := _taken(ctx, name, step))}
    if found:
        log.info("reconciled", **found)
    return found


def _taken(ctx: Context, name: str, step: Callable[[Context], int]) -> int:
    """One step. What has to wait for something, a key that is missing, keeps no other step from its turn."""
    try:
        return step(ctx)
    except TemporaryError as error:
        log.warning("reconcile_step_waits", step=name, code=error.code)
        return 0


# ── leases, deadlines ─────────────────────────────────────────────────────────────────────────────────────────────


def _end_with_run(ctx: Context) -> int:
    with ctx.unit_of_work() as uow:
        return len(uow.recovery.end_items_of_ending_runs(ctx.clock.now()))


def _end_overdue(ctx: Context) -> int:
    with ctx.unit_of_work() as uow:
        return len(uow.recovery.end_overdue(ctx.clock.now()))


def _end_poisoned(ctx: Context) -> int:
    now, most = ctx.clock.now(), ctx.settings.max_starts
    with ctx.unit_of_work() as uow:
        ended = len(uow.recovery.end_poisoned(now, max_starts=most))
        surveys = uow.recovery.poisoned_surveys(now, max_starts=most)
        for run_id in surveys:
            uow.runs.fail(run_id, "poisoned", now)
    return ended + len(surveys)


def _free_dead_leases(ctx: Context) -> int:
    with ctx.unit_of_work() as uow:
        return uow.recovery.free_dead_leases(ctx.clock.now(), max_starts=ctx.settings.max_starts)


# ── what the broker lost ──────────────────────────────────────────────────────────────────────────────────────────


def _take_up_dead_surveys(ctx: Context) -> int:
    """Queue the surveys of dead workers again. Their lease in the database has ended, so the broker is not asked."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        return _queue_surveys(uow, uow.recovery.dead_surveys(now, max_starts=ctx.settings.max_starts), now)


def _push_lost_jobs(ctx: Context) -> int:
    """Push the jobs again that the broker has got, that are in none of its queues, and that no worker has claimed.

    A queue is first in, first out: a job that was pushed before the oldest waiting job has left the queue. So the
    reconciler waits for a queue that is an hour long, and pushes everything again at once after a FLUSHALL.
    """
    now, count = ctx.clock.now(), 0
    for queue, pushed_before in _left_the_queue(ctx, now):
        with ctx.unit_of_work() as uow:
            count += uow.recovery.push_lost_items(now, queue=queue, pushed_before=pushed_before)
            lost = uow.recovery.lost_surveys(now, queue=queue, pushed_before=pushed_before)
            count += _queue_surveys(uow, lost, now)
    return count


def _left_the_queue(ctx: Context, now: datetime) -> Iterable[tuple[str, datetime]]:
    """(queue, moment): a job that was pushed to the queue before that moment is no longer in it."""
    try:
        depths = ctx.job_queue.depths()
    except TemporaryError as error:
        log.warning("broker_unavailable", code=error.code)
        return
    for depth in depths:
        if depth.waiting == 0:
            yield depth.queue, now - GRACE
        elif depth.oldest_age is not None:
            yield depth.queue, now - GRACE - timedelta(seconds=depth.oldest_age)


def _queue_surveys(uow: UnitOfWork, run_ids: Sequence[int], now: datetime) -> int:
    for run_id in run_ids:
        uow.runs.queue_survey(run_id, due_at=now, now=now)
    return len(run_ids)


def _push_lost_mails(ctx: Context) -> int:
    return queue_stuck_mails(ctx, pushed_before=ctx.clock.now() - GRACE)


def queue_stuck_mails(ctx: Context, *, pushed_before: datetime) -> int:
    """Queue the mails again that no worker is sending. Returns how many. A second job for one mail does no harm: it
    finds nothing to claim."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        mails = uow.mails.stuck(now, pushed_before=pushed_before)
        uow.mails.queued_again([mail.id for mail in mails])
        uow.outbox.add_many(
            [(mail.id, mail.attempts, INTERACTIVE) for mail in mails], kind=OutboxKind.MAIL, due_at=now, now=now
        )
    return len(mails)


# ── ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _decide_mass_changes(ctx: Context) -> int:
    with ctx.unit_of_work().reading() as uow:
        ready = uow.runs.mass_change_checks_ready()
    return sum(decide_mass_change_if_ready(ctx, run_id) for run_id in ready)


def _close_runs(ctx: Context) -> int:
    with ctx.unit_of_work().reading() as uow:
        done = uow.runs.closable()
    return sum(close_run_if_done(ctx, run_id) for run_id in done)


def _forget_old(ctx: Context) -> int:
    """Once a day, erase the personal values of runs past the retention time. A preview of that age is cancelled; the
    pass of the next day erases its values, after its mail was sent."""
    now, erased = ctx.clock.now(), 0
    oldest = now - timedelta(days=ctx.settings.retention_days)
    with ctx.unit_of_work() as uow:
        if not _first_today(ctx, uow, DAILY):
            return 0
        uow.known_people.purge(oldest)
        uow.directory.forget_names(seen_before=oldest)
        uow.attention.erase_names(oldest)
        uow.recovery.erase_notices(oldest)
    while True:
        with ctx.unit_of_work() as uow:
            count = uow.recovery.erase_values(oldest, now=now)
        if not count:
            break
        erased += count
    with ctx.unit_of_work() as uow:
        for run_id in uow.recovery.forgotten_previews(oldest):
            uow.runs.cancel(run_id, now)
    return erased


def _keep_audit(ctx: Context) -> int:
    """Once a day, a step of its own: the trail's key may be missing, and values have to go in time all the same."""
    with ctx.unit_of_work() as uow:
        if not _first_today(ctx, uow, DAILY_AUDIT):
            return 0
    return keep_audit(ctx)


def _first_today(ctx: Context, uow: UnitOfWork, name: str) -> bool:
    return take_lead(ctx, uow, name, holder=uuid.uuid4().hex, now=ctx.clock.now(), lease=timedelta(days=1))

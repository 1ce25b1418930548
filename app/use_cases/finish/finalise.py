"""Finalise: closes a run, exactly once.

The job of every item calls this after the item's own commit. The one caller whose conditional UPDATE changes the run's
row writes the end into the history and the one mail row, in the same transaction. Not chosen: to count the open items
inside the item's own transaction, which on PostgreSQL misses the end in two of three runs whose items end together
(measured): each of two transactions still sees the other's item open.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import structlog

from app.domain.enums import Trigger
from app.domain.runs.queues import INTERACTIVE
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import MailPolicy
from app.storage.enums import HistoryKind, MailKind, OutboxKind
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.telemetry import spans
from app.telemetry.places import of_run
from app.use_cases.context import Context
from app.use_cases.shared.beginnings import REPLACED
from app.use_cases.shared.told import about_run

log = structlog.get_logger(__name__)

_TOLD_AS_CHANGE = (ItemState.SUCCEEDED, ItemState.FAILED, ItemState.NEEDS_REVIEW, ItemState.CONFLICT)


def close_run_if_done(ctx: Context, run_id: int) -> bool:
    """Close the run when all its items have ended. True for the one caller that closed it. False: the run is not at its
    end, or another caller has closed it."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        result = uow.runs.close(run_id, now=now)
        if result is None:
            return False
        uow.history.add(run_id, HistoryKind.END, at=now, result=result)
        uow.survey_pages.delete(run_id)
        run = uow.runs.get(run_id)
        if run is not None and _mail_is_due(uow, run, result):
            _add_mail(ctx, uow, run)
    log.info("run_closed", run_id=run_id, result=result.value)
    if run is not None:
        _tell(run, result)
    return True


def _tell(run: RunRow, result: RunState) -> None:
    """Tell of the run as a whole, under which its jobs have told of themselves."""
    spans.whole(
        "run",
        at=of_run(run.public_id),
        began=run.created_at,
        ended=run.finished_at or run.created_at,
        failed=result is RunState.FAILED,
        dry_run=run.dry_run,
        people=run.total,
        state=result,
        code=run.error_code,
        **about_run(run),
    )


def _add_mail(ctx: Context, uow: UnitOfWork, run: RunRow) -> None:
    now = ctx.clock.now()
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    message_id = f"<{run.public_id}.{MailKind.SUMMARY.value}@{host}>"
    mail_id = uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id=message_id, now=now)
    uow.outbox.add(OutboxKind.MAIL, mail_id, attempt=0, queue=INTERACTIVE, due_at=now, now=now)
    connection = uow.connections.get(run.connection_id)
    if connection is not None and connection.mail_to:
        uow.healing.healed(run.connection_id, mail_id, now)
        uow.healing.tell(run.id, now)


def _mail_is_due(uow: UnitOfWork, run: RunRow, result: RunState) -> bool:
    if run.error_code == "second_person_expired":  # a mail of its own tells it
        return False
    if run.trial is not None or run.error_code == REPLACED:  # whoever asked for it has seen it, or wants another
        return False
    if run.trigger is Trigger.HELD and run.approved_at is None:  # what waited is gone, or was declined: no news
        return False
    connection = uow.connections.get(run.connection_id)
    policy = connection.mail_policy if connection else MailPolicy.ALWAYS
    if run.is_beginning and result is RunState.CANCELLED and run.approved_at is None:
        return False  # its preview was told, and another one follows
    counts = uow.items.news(run.id, chosen=run.only_chosen) if run.trigger.is_automatic else uow.items.counts(run.id)
    if run.error_code is None or run.ends_as is RunState.CANCELLED:
        stopped = result is RunState.FAILED and not uow.items.counts(run.id)  # the run attempted nothing
    else:
        stopped = not uow.runs.stopped_so_before(run)
    return mails(run.trigger, policy, stopped=stopped, counts=counts)


def mails(trigger: Trigger, policy: MailPolicy, *, stopped: bool, counts: Mapping[ItemState, int]) -> bool:
    """Whether the run's end is told by mail: always for manual and API runs, by the connection's policy for automatic
    ones.

    `counts`: of an automatic run only outcomes that are news, so that recipients do not get a mail every hour about one
    employee whose data is still to be mended. `stopped`: the whole run was stopped, and the automatic run before it was
    not stopped by the same error.
    """
    if not trigger.is_automatic or policy is MailPolicy.ALWAYS:
        return True
    if stopped or counts.get(ItemState.FAILED):
        return True
    return policy is MailPolicy.CHANGES and any(counts.get(state) for state in _TOLD_AS_CHANGE)

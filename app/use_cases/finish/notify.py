"""Notify: sends the one summary mail of a run, and notices about connections.

SMTP cannot deliver exactly once: between the final dot and the server's answer the sender cannot know whether the mail
was taken (RFC 5321 6.1). We promise that the mail leaves at least once, and twice only when this process dies in that
gap; both mails then carry the same Message-ID. So the claim and the text are committed before the conversation with the
mail server begins, and the outcome right after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import structlog

from app.domain.completeness.unreadable import said
from app.domain.enums import System
from app.domain.error_catalogue.catalogue import cause_of, message_of, remedy_of, who_of
from app.domain.errors import ItemError, TemporaryError
from app.domain.mail_text.summary import LIST_LIMIT, Outcome, RunSummary, compose
from app.domain.meanwhile import MOVED, PERHAPS_PUT_BACK, name_of_item
from app.domain.ports import Mail
from app.domain.runs.queues import INTERACTIVE
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.storage.enums import MailState, OutboxKind
from app.storage.outgoing.rows import MailRow
from app.storage.runs.rows import ChangeRow, ItemRow, RunRow
from app.storage.unit_of_work import UnitOfWork
from app.telemetry.spans import span
from app.use_cases.context import Context
from app.use_cases.finish.notices import notice_text
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.backoff import next_try
from app.use_cases.shared.outages import handing_back, when_it_answers
from app.use_cases.shared.told import under_run_of
from app.use_cases.shared.vendor_answers import answers_without_values

log = structlog.get_logger(__name__)

LEASE = timedelta(minutes=3)
"""Longer than any SMTP conversation with our time limits."""
GIVE_UP_AFTER = timedelta(days=3)
"""A mail server that is away longer than this gets no more attempts; the mail is shown as failed."""
NO_RECIPIENT = "no_recipient"


def _hand_back(ctx: Context, uow: UnitOfWork, mail_id: int) -> None:
    """Queue the mail again if no sender has claimed it. One that was claimed may have left."""
    row = uow.mails.get(mail_id)
    if row is not None and row.state is MailState.PENDING:
        now = ctx.clock.now()
        uow.mails.queued_again([mail_id])
        uow.outbox.add(OutboxKind.MAIL, mail_id, attempt=row.attempts, queue=INTERACTIVE, due_at=now, now=now)


@handing_back(_hand_back)
@only_at_home(None)
def send_mail(ctx: Context, mail_id: int) -> None:
    """Send one mail, if it is due and no other worker is sending it."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        row = uow.mails.claim(mail_id, now=now, lease_until=now + LEASE)
        mail = _prepare(ctx, uow, row) if row else None
    if row is None:
        return
    if mail is None:
        _record_result(ctx, row, MailState.SKIPPED, error_code=NO_RECIPIENT)
        return
    told = {"mail_id": row.id, "attempt": row.attempts, **under_run_of(ctx, row.run_id)}
    try:
        with span("mail", **told):
            ctx.mailer.send(mail)
    except TemporaryError as error:
        _postpone(ctx, row, error)
    except ItemError as error:
        _record_result(ctx, row, MailState.FAILED, error_code=error.code)
    else:
        _record_result(ctx, row, MailState.SENT, error_code=None)


def _prepare(ctx: Context, uow: UnitOfWork, row: MailRow) -> Mail | None:
    """The mail to send. Its text is stored with its row, so that a second attempt sends the text of the first. None:
    the connection has no recipient."""
    if row.to and row.subject is not None and row.body is not None:
        return Mail(message_id=row.message_id, to=row.to, subject=row.subject, body=row.body)
    run = uow.runs.get(row.run_id) if row.run_id is not None else None
    connection_id = run.connection_id if run else row.connection_id
    connection = uow.connections.get(connection_id) if connection_id is not None else None
    if connection is None or not connection.mail_to:
        return None
    if run is None:
        subject, body = notice_text(ctx, uow, row, connection)
    else:
        subject, body = compose(_summary(ctx, uow, run, connection))
    uow.mails.keep_text(row.id, to=connection.mail_to, subject=subject, body=body)
    return Mail(message_id=row.message_id, to=tuple(connection.mail_to), subject=subject, body=body)


def _summary(ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection) -> RunSummary:
    chosen = run.only_chosen
    failures = uow.items.page(run.id, after=-1, limit=LIST_LIMIT, state=ItemState.FAILED, chosen=chosen)
    reviews = [
        item
        for state in (ItemState.NEEDS_REVIEW, ItemState.CONFLICT)
        for item in uow.items.page(run.id, after=-1, limit=LIST_LIMIT, state=state, chosen=chosen)
    ]
    refused = [item.id for item in (*failures, *reviews) if item.detail]
    changes = uow.changes.of_items(refused) if refused else {}
    told, told_count = uow.items.noted(run.id, [MOVED, PERHAPS_PUT_BACK], limit=LIST_LIMIT, chosen=chosen)
    return RunSummary(
        direction=run.direction,
        trigger=run.trigger,
        company=connection.name,
        run_url=f"{ctx.settings.base_url}/runs/{run.public_id}",
        started_at=run.started_at or run.created_at,
        finished_at=run.finished_at or ctx.clock.now(),
        as_of_date=run.as_of_date,
        counts=uow.items.counts(run.id),
        failures=[_outcome(item, run, changes.get(item.id, ())) for item in failures],
        reviews=[_outcome(item, run, changes.get(item.id, ())) for item in reviews],
        left_out={} if chosen else uow.items.left_out(run),
        looked_at=sum(run.beside.values()),
        kind=run.kind,
        result=run.state,
        only_target_changed=run.only_target_changed,
        told=[each for item in told for each in _told(item, run)][:LIST_LIMIT],
        told_count=told_count,
        calls={System.SMARTHR: run.smarthr_calls, System.FREEE: run.freee_calls},
        run_error=run.error_code,
    )


def _outcome(item: ItemRow, run: RunRow, changes: Iterable[ChangeRow]) -> Outcome:
    code = item.error_code or "unexpected"
    return Outcome(
        item.employee_number,
        code,
        said(code, item.notes, run),
        remedy_of(code, run),
        cause=cause_of(code, run),
        who=who_of(code, run),
        items=tuple(str(note["key"]) for note in item.notes if note["code"] == code and note["key"]),
        answers=answers_without_values(item, changes),
    )


def _told(item: ItemRow, run: RunRow) -> list[Outcome]:
    """What moved, or may have, while this employee was written: one entry per code, with the names of the items."""
    names: dict[str, list[str]] = {}
    for note in item.notes:
        if note["code"] in (MOVED, PERHAPS_PUT_BACK):
            names.setdefault(note["code"], []).append(name_of_item(note["key"]))
    return [
        Outcome(item.employee_number, code, f"{message_of(code, run)}（{'、'.join(items)}）", remedy_of(code, run))
        for code, items in names.items()
    ]


def _postpone(ctx: Context, row: MailRow, error: TemporaryError) -> None:
    now = ctx.clock.now()
    if now - row.created_at > GIVE_UP_AFTER:
        _record_result(ctx, row, MailState.FAILED, error_code=error.code)
        return
    next_at = now + next_try(ctx.settings, failures=row.attempts, retry_after=error.retry_after)
    with ctx.unit_of_work() as uow:
        if uow.mails.postpone(row.id, attempts=row.attempts, next_at=next_at, error_code=error.code):
            uow.outbox.add(OutboxKind.MAIL, row.id, attempt=row.attempts, queue=INTERACTIVE, due_at=next_at, now=now)
    log.info("mail_postponed", run_id=row.run_id, mail_id=row.id, code=error.code)


def _record_result(ctx: Context, row: MailRow, state: MailState, *, error_code: str | None) -> None:
    """Store what became of the mail. A database that is away is waited for, almost as long as the lease lasts: if the
    mail was taken, it would leave a second time."""

    def store(uow: UnitOfWork) -> None:
        uow.mails.record_result(row.id, attempts=row.attempts, state=state, now=ctx.clock.now(), error_code=error_code)

    when_it_answers(ctx, store, seconds=LEASE.total_seconds() * 0.8)
    log.info("mail_settled", run_id=row.run_id, mail_id=row.id, state=state.value, code=error_code)

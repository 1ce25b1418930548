"""Notify: sends the one summary mail of a run, and notices about connections.

SMTP cannot deliver exactly once: between the final dot and the server's answer the sender cannot know whether the mail
was taken (RFC 5321 6.1). We promise that the mail leaves at least once, and twice only when this process dies in that
gap; both mails then carry the same Message-ID. So the claim and the text are committed before the conversation with the
mail server begins, and the outcome right after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import structlog

from app.domain.completeness.unreadable import UNREADABLE_RECORD, fields_of
from app.domain.enums import System
from app.domain.errors import ItemError, TemporaryError
from app.domain.mail_text.letter import Letter, Writer
from app.domain.mail_text.people import LIST_LIMIT, UNEXPECTED, Outcome
from app.domain.mail_text.rendering import letters
from app.domain.mail_text.summary import RunSummary, compose
from app.domain.meanwhile import MOVED, PERHAPS_PUT_BACK
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
from app.use_cases.finish.notices import notice_writer
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.backoff import next_try
from app.use_cases.shared.outages import handing_back, when_it_answers
from app.use_cases.shared.told import under_run_of
from app.use_cases.shared.vendor_answers import answers_without_values
from app.use_cases.shared.vendor_links import vendor_page

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
        written = _prepare(ctx, uow, row) if row else ()
    if row is None:
        return
    if not written:
        _record_result(ctx, row, MailState.SKIPPED, error_code=NO_RECIPIENT)
        return
    try:
        refused = _send(ctx, row, written)
    except TemporaryError as error:
        _postpone(ctx, row, error)
    except Lost:
        return
    else:
        _record_result(ctx, row, MailState.FAILED if refused else MailState.SENT, error_code=refused)


class Lost(Exception):
    """Another sender has taken the mail over."""


def _send(ctx: Context, row: MailRow, written: Sequence[Letter]) -> str | None:
    """Send the letters that have not left yet, one after the other; what has left is stored before the next one, so
    that a repetition sends only the rest. Returns the code of a refusal, which stops none of the others. Raises
    TemporaryError, Lost."""
    refused, taken = None, list(row.letters_taken)
    for nth, letter in enumerate(written):
        if letter.language in taken:
            continue
        told = {"mail_id": row.id, "attempt": row.attempts, **under_run_of(ctx, row.run_id)}
        try:
            with span("mail", **told):
                ctx.mailer.send(_mail(row, letter, nth))
        except ItemError as error:
            refused = error.code
            continue
        taken.append(letter.language.value)
        if nth + 1 < len(written):
            _record_taken(ctx, row, taken)
    return refused


def _mail(row: MailRow, letter: Letter, nth: int) -> Mail:
    """Each letter of a mail has a Message-ID of its own, the same in every attempt."""
    message_id = row.message_id if nth == 0 else f"<{letter.language.value}.{row.message_id.lstrip('<')}"
    return Mail(
        message_id=message_id,
        to=letter.to,
        subject=letter.subject,
        body=letter.text,
        html=letter.html,
        language=letter.language.value,
    )


def _prepare(ctx: Context, uow: UnitOfWork, row: MailRow) -> tuple[Letter, ...]:
    """What is to be sent. It is stored with its row, so that a second attempt sends what the first one did. (): the
    connection has no recipient."""
    if row.letters:
        return row.letters
    run = uow.runs.get(row.run_id) if row.run_id is not None else None
    connection_id = run.connection_id if run else row.connection_id
    connection = uow.connections.get(connection_id) if connection_id is not None else None
    if connection is None or not connection.mail_to:
        return ()
    write: Writer
    if run is None:
        write = notice_writer(ctx, uow, row, connection)
    else:
        write = partial(compose, _summary(ctx, uow, run, connection, row.id))
    written = letters(ctx.wording, connection.recipients, write)
    uow.mails.keep_letters(row.id, written)
    return written


def _summary(ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, mail_id: int) -> RunSummary:
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
    who = partial(_who, ctx, connection)
    healed, healed_count = uow.healing.of_mail(mail_id, limit=LIST_LIMIT)
    return RunSummary(
        direction=run.direction,
        trigger=run.trigger,
        company=connection.name,
        run_url=f"{ctx.settings.base_url}/runs/{run.public_id}",
        started_at=run.started_at or run.created_at,
        finished_at=run.finished_at or ctx.clock.now(),
        as_of_date=run.as_of_date,
        counts=uow.items.counts(run.id),
        failures=[_outcome(who(item), item, changes.get(item.id, ())) for item in failures],
        reviews=[_outcome(who(item), item, changes.get(item.id, ())) for item in reviews],
        causes=_causes(uow, run),
        left_out={} if chosen else uow.items.left_out(run),
        looked_at=sum(run.beside.values()),
        kind=run.kind.value,
        result=run.state,
        only_target_changed=run.only_target_changed,
        told=[each for item in told for each in _told(who(item), item)][:LIST_LIMIT],
        told_count=told_count,
        healed=healed,
        healed_count=healed_count,
        calls={System.SMARTHR: run.smarthr_calls, System.FREEE: run.freee_calls},
        run_error=run.error_code,
        help_from=ctx.settings.support_contact,
    )


def _causes(uow: UnitOfWork, run: RunRow) -> dict[ItemState, dict[str, int]]:
    found: dict[ItemState, dict[str, int]] = {}
    for state, code, people in uow.items.causes(run.id, chosen=run.only_chosen):
        found.setdefault(state, {})[code] = people
    return found


def _who(ctx: Context, connection: Connection, item: ItemRow) -> Outcome:
    """Who it is: the number, and where it names nobody the id in the source, else in the target."""
    ways = ((item.direction.source, item.source_id), (item.direction.target, item.target_id))
    ids = tuple((system, person) for system, person in ways if person)
    link = vendor_page(ctx.settings, connection, *ids[0]) if ids else None
    return Outcome(item.employee_number, UNEXPECTED, ids=ids, link=link or "", position=item.position)


def _outcome(who: Outcome, item: ItemRow, changes: Iterable[ChangeRow]) -> Outcome:
    code = item.error_code or UNEXPECTED
    return replace(
        who,
        code=code,
        items=tuple(str(note["key"]) for note in item.notes if note["code"] == code and note["key"]),
        unreadable=fields_of(item.notes) if code == UNREADABLE_RECORD else (),
        answers=answers_without_values(item, changes),
    )


def _told(who: Outcome, item: ItemRow) -> list[Outcome]:
    """What moved, or may have, while this employee was written: one entry per code, with the items."""
    items: dict[str, list[str]] = {}
    for note in item.notes:
        if note["code"] in (MOVED, PERHAPS_PUT_BACK):
            items.setdefault(note["code"], []).append(str(note["key"]))
    return [replace(who, code=code, items=tuple(dict.fromkeys(keys))) for code, keys in items.items()]


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


def _record_taken(ctx: Context, row: MailRow, languages: Sequence[str]) -> None:
    """Store that these letters have left. Raises Lost."""
    kept: list[bool] = []

    def store(uow: UnitOfWork) -> None:
        lease_until = ctx.clock.now() + LEASE
        kept.append(uow.mails.record_taken(row.id, attempts=row.attempts, languages=languages, lease_until=lease_until))

    if not when_it_answers(ctx, store, seconds=LEASE.total_seconds() * 0.8) or not kept[-1]:
        raise Lost


def _record_result(ctx: Context, row: MailRow, state: MailState, *, error_code: str | None) -> None:
    """Store what became of the mail. A database that is away is waited for, almost as long as the lease lasts: if the
    mail was taken, it would leave a second time."""

    def store(uow: UnitOfWork) -> None:
        uow.mails.record_result(row.id, attempts=row.attempts, state=state, now=ctx.clock.now(), error_code=error_code)

    when_it_answers(ctx, store, seconds=LEASE.total_seconds() * 0.8)
    log.info("mail_settled", run_id=row.run_id, mail_id=row.id, state=state.value, code=error_code)

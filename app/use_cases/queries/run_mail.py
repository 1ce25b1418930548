"""The summary mail of a run as Awase has sent it, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.domain.mail_text.letter import Letter
from app.storage.enums import MailState
from app.storage.outgoing.rows import MailRow
from app.use_cases.context import Context
from app.use_cases.shared.run_lookup import find_run


class MailStands(StrEnum):
    NOT_YET = "not_yet"  # the run is under way
    NOT_WANTED = "not_wanted"  # an automatic run, and by the connection's mail policy it sends no mail
    WAITING = "waiting"  # to be sent, or to be sent again
    SENT = "sent"
    FAILED = "failed"
    NO_RECIPIENT = "no_recipient"
    ERASED = "erased"  # after the retention time


@dataclass(frozen=True)
class RunMail:
    """The mail of one run. `subject` and `body` are the texts that Awase has sent; "" where there are none, or none any
    more. `letters`: the same, and what has left in other languages."""

    stands: MailStands
    to: tuple[str, ...] = field(default=(), repr=False)
    subject: str = field(default="", repr=False)
    body: str = field(default="", repr=False)
    letters: tuple[Letter, ...] = field(default=(), repr=False)
    sent_at: datetime | None = None
    next_at: datetime | None = None
    attempts: int = 0
    error_code: str | None = None


def run_mail(ctx: Context, public_id: str) -> RunMail:
    """The summary mail of one run. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, public_id)
        mail = uow.mails.of_runs([run.id]).get(run.id)
    if mail is None:
        return RunMail(MailStands.NOT_WANTED if run.finished_at else MailStands.NOT_YET)
    return RunMail(
        stands=_stands(mail),
        to=mail.to,
        subject=mail.subject or "",
        body=mail.body or "",
        letters=mail.letters,
        sent_at=mail.sent_at,
        next_at=mail.next_at if mail.state is MailState.PENDING else None,
        attempts=mail.attempts,
        error_code=mail.error_code,
    )


def _stands(mail: MailRow) -> MailStands:
    if mail.state in (MailState.PENDING, MailState.SENDING):
        return MailStands.WAITING
    if mail.state is MailState.SKIPPED:
        return MailStands.NO_RECIPIENT
    if mail.body is None and mail.state is MailState.SENT:
        return MailStands.ERASED
    return MailStands.SENT if mail.state is MailState.SENT else MailStands.FAILED

"""Notices: mails that tell people why a connection has stopped, one per occasion however many jobs meet the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.domain.enums import System
from app.domain.mail_text.letter import Draft, Words, Writer
from app.domain.mail_text.notices import (
    BANK,
    Expected,
    automatic_begins,
    consent_needed,
    run_held,
    unreadable,
    webhook_silent,
)
from app.domain.mail_text.rendering import letters
from app.domain.mapping import BY_KEY
from app.domain.planning.mass_change import MassChangeReason
from app.domain.reading import items_under
from app.domain.runs.queues import INTERACTIVE
from app.domain.settings.connection_settings import Connection
from app.storage.enums import MailKind, OutboxKind
from app.storage.keyring import Ring, SigningList
from app.storage.outgoing.rows import MailRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

CONSENT_PAUSE = timedelta(seconds=60)
"""How long work waits for the consent before it is pushed again. No worker claims work of a connection without consent,
so this pause only spares the queue useless jobs in the meantime."""
RECONNECT = "/connect/freee/start"
RECONNECT_DAYS = 30


def tell_consent_needed(ctx: Context, connection_id: int) -> bool:
    """Queue one mail per pair of tokens that freee no longer takes. True: the mail is on its way. False: an earlier
    call has queued it for this pair."""
    version = ctx.tokens.freee_tokens(connection_id).version
    return _tell(ctx, connection_id, kind=MailKind.CONSENT, occasion=f"consent:{connection_id}:{version}")


def hold_for_consent(ctx: Context, connection_id: int) -> None:
    """Stop the connection because freee wants a new authorisation: it takes no work until an administrator has given
    one, and one mail tells its recipients so."""
    with ctx.unit_of_work() as uow:
        uow.connections.set_needs_consent(connection_id, True)
    tell_consent_needed(ctx, connection_id)


def tell_webhook_silent(ctx: Context, connection_id: int, *, occasion: str) -> bool:
    """Queue one mail per `occasion` (the moment at which SmartHR disabled the webhook, or the day of the finding).
    True: the mail is on its way. False: an earlier call has queued it."""
    return _tell(ctx, connection_id, kind=MailKind.WEBHOOK, occasion=f"webhook:{connection_id}:{occasion}")


def add_held_notice(ctx: Context, uow: UnitOfWork, run: RunRow, reasons: Sequence[MassChangeReason]) -> None:
    """Queue one mail per run that was held as a mass change, in the transaction that holds the run. The mail's text is
    stored at once, because the caller knows now what raised the alarm."""
    connection = uow.connections.get(run.connection_id)
    if connection is None or not connection.mail_to:
        return
    mail_id = queue_notice(ctx, uow, connection.id, kind=MailKind.GUARD, occasion=f"guard:{run.id}")
    if mail_id is not None:
        link = f"{ctx.settings.base_url}/runs/{run.public_id}/confirm"

        def write(say: Words) -> Draft:
            return run_held(say, connection.name, direction=run.direction, reasons=reasons, link=link)

        uow.mails.keep_letters(mail_id, letters(ctx.wording, connection.recipients, write))


def add_beginning_notice(ctx: Context, uow: UnitOfWork, run: RunRow, expected: Expected) -> None:
    """Queue one mail about the preview with which automatic sync begins, in the transaction that makes it wait. A
    preview that takes the place of another one is told once per time allowed to a run (RUN_DEADLINE_HOURS)."""
    connection = uow.connections.get(run.connection_id)
    mark = uow.beginnings.get(run.connection_id, run.direction)
    if connection is None or mark is None or not connection.mail_to:
        return
    nth = int((ctx.clock.now() - mark.since) / timedelta(hours=ctx.settings.run_deadline_hours))
    occasion = f"begin:{connection.id}:{run.direction.value}:{mark.since.timestamp():.6f}:{nth}"
    mail_id = queue_notice(ctx, uow, connection.id, kind=MailKind.BEGIN, occasion=occasion)
    if mail_id is not None:
        link = f"{ctx.settings.base_url}/runs/{run.public_id}/confirm"

        def write(say: Words) -> Draft:
            return automatic_begins(say, connection.name, direction=run.direction, expected=expected, link=link)

        uow.mails.keep_letters(mail_id, letters(ctx.wording, connection.recipients, write))


def add_unreadable_notice(
    ctx: Context, uow: UnitOfWork, connection_id: int, gone: Mapping[System, Sequence[str]]
) -> None:
    """Queue one mail for the attributes that have gone now, in the transaction that stores that they have: the next
    survey finds them gone already and says nothing."""
    connection = uow.connections.get(connection_id)
    items = [(system, key) for system, names in sorted(gone.items()) for key in things_under(system, names)]
    if connection is None or not items:
        return
    log.warning(
        "attributes_gone",
        connection_id=connection_id,
        attributes=sorted(name for names in gone.values() for name in names),
    )
    if not connection.mail_to:
        return
    occasion = f"unreadable:{connection_id}:{ctx.clock.now().timestamp():.6f}"
    mail_id = queue_notice(ctx, uow, connection_id, kind=MailKind.UNREADABLE, occasion=occasion)
    if mail_id is not None:
        link = f"{ctx.settings.base_url}/connections/{connection.key}"

        def write(say: Words) -> Draft:
            return unreadable(say, connection.name, items=items, link=link)

        uow.mails.keep_letters(mail_id, letters(ctx.wording, connection.recipients, write))


def things_under(system: System, names: Sequence[str]) -> list[str]:
    """The keys of the items that stand under these attributes; a bank account is one, BANK."""
    rows = [BY_KEY[key] for key in items_under(system, names)]
    return list(dict.fromkeys(BANK if row.group == "bank" else row.key for row in rows))


def _tell(ctx: Context, connection_id: int, *, kind: MailKind, occasion: str) -> bool:
    with ctx.unit_of_work() as uow:
        return queue_notice(ctx, uow, connection_id, kind=kind, occasion=occasion) is not None


def queue_notice(ctx: Context, uow: UnitOfWork, connection_id: int, *, kind: MailKind, occasion: str) -> int | None:
    """Queue the mail of an occasion inside the caller's transaction. Returns its id; None: it was queued before."""
    now = ctx.clock.now()
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    message_id = f"<{occasion.replace(':', '.')}@{host}>"
    mail_id = uow.mails.add_notice(connection_id, kind=kind, occasion=occasion, message_id=message_id, now=now)
    if mail_id is not None:
        uow.outbox.add(OutboxKind.MAIL, mail_id, attempt=0, queue=INTERACTIVE, due_at=now, now=now)
        log.warning("notice_queued", connection_id=connection_id, mail_id=mail_id, kind=kind.value)
    return mail_id


def notice_writer(ctx: Context, uow: UnitOfWork, row: MailRow, connection: Connection) -> Writer:
    """What writes a notice that is written only when it leaves."""
    name, key = connection.name, connection.key
    if row.kind is MailKind.CONSENT:
        link = f"{ctx.settings.base_url}{RECONNECT}/{reconnect_token(ctx.keys.signing, key)}"
        return lambda say: consent_needed(say, name, link=link, days=RECONNECT_DAYS)
    webhook = uow.webhook_registrations.get(connection.id)
    since = webhook.disabled_at if webhook else None
    return lambda say: webhook_silent(say, name, connection_key=key, since=since)


# ── the link of the mail ──────────────────────────────────────────────────────────────────────────────────────────


def reconnect_token(signing: Ring, connection_key: str) -> str:
    """A signed token that names the connection, so that a stranger cannot invent one. Its holder can only begin an
    authorisation: Awase keeps freee's tokens only if an administrator of exactly this connection's company has given
    them."""
    return _signer(signing).dumps(connection_key)


def connection_key_of(signing: Ring, token: str) -> str | None:
    """The key of the connection that the token names. None: we did not sign this token, or it is too old."""
    try:
        key = _signer(signing).loads(token, max_age=int(timedelta(days=RECONNECT_DAYS).total_seconds()))
    except BadSignature:
        return None
    return key if isinstance(key, str) else None


def _signer(signing: Ring) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(list(SigningList(signing)), salt="awase reconnect")

"""Notices: mails about a connection that has come to a stop, one per occasion however many jobs meet it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.config import Settings
from app.domain.mail_text.notices import consent_needed, run_held, webhook_silent
from app.domain.runs.queues import INTERACTIVE
from app.domain.settings.connection_settings import Connection
from app.storage.enums import MailKind, OutboxKind
from app.storage.outgoing.rows import MailRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

CONSENT_PAUSE = timedelta(seconds=60)
"""Nothing of a connection without consent is claimed; this only keeps its work from being pushed in the meantime."""
RECONNECT = "/connect/freee/start"
RECONNECT_DAYS = 30


def tell_consent_needed(ctx: Context, connection_id: int) -> bool:
    """One mail per pair of tokens that died. True: it is on its way, False: it was told before."""
    version = ctx.tokens.freee_tokens(connection_id).version
    return _tell(ctx, connection_id, kind=MailKind.CONSENT, occasion=f"consent:{connection_id}:{version}")


def hold_for_consent(ctx: Context, connection_id: int) -> None:
    """freee wants a new authorisation: the connection takes no work until it is given, and its people are told once."""
    with ctx.unit_of_work() as uow:
        uow.connections.set_needs_consent(connection_id, True)
    tell_consent_needed(ctx, connection_id)


def tell_webhook_silent(ctx: Context, connection_id: int, *, occasion: str) -> bool:
    """One mail per `occasion` (the moment SmartHR gives, or the day). True: it is on its way."""
    return _tell(ctx, connection_id, kind=MailKind.WEBHOOK, occasion=f"webhook:{connection_id}:{occasion}")


def add_held_notice(ctx: Context, uow: UnitOfWork, run: RunRow, reasons: Sequence[str]) -> None:
    """One mail per run that was held as a mass change, in the transaction that stops it. Its text is kept at
    once: what raised the alarm is known now."""
    connection = uow.connections.get(run.connection_id)
    if connection is None or not connection.mail_to:
        return
    mail_id = _add(ctx, uow, connection.id, kind=MailKind.GUARD, occasion=f"guard:{run.id}")
    if mail_id is not None:
        subject, body = run_held(
            connection.name,
            direction=run.direction,
            reasons=reasons,
            link=f"{ctx.settings.base_url}/runs/{run.public_id}/confirm",
        )
        uow.mails.keep_text(mail_id, to=connection.mail_to, subject=subject, body=body)


def _tell(ctx: Context, connection_id: int, *, kind: MailKind, occasion: str) -> bool:
    with ctx.unit_of_work() as uow:
        return _add(ctx, uow, connection_id, kind=kind, occasion=occasion) is not None


def _add(ctx: Context, uow: UnitOfWork, connection_id: int, *, kind: MailKind, occasion: str) -> int | None:
    now = ctx.clock.now()
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    message_id = f"<{occasion.replace(':', '.')}@{host}>"
    mail_id = uow.mails.add_notice(connection_id, kind=kind, occasion=occasion, message_id=message_id, now=now)
    if mail_id is not None:
        uow.outbox.add(OutboxKind.MAIL, mail_id, attempt=0, queue=INTERACTIVE, due_at=now, now=now)
        log.warning("notice_queued", connection_id=connection_id, mail_id=mail_id, kind=kind.value)
    return mail_id


def notice_text(ctx: Context, uow: UnitOfWork, row: MailRow, connection: Connection) -> tuple[str, str]:
    """Subject and body of a notice."""
    if row.kind is MailKind.CONSENT:
        link = f"{ctx.settings.base_url}{RECONNECT}/{reconnect_token(ctx.settings, connection.key)}"
        return consent_needed(connection.name, link=link, days=RECONNECT_DAYS)
    webhook = uow.webhook_registrations.get(connection.id)
    since = webhook.disabled_at if webhook else None
    return webhook_silent(connection.name, connection_key=connection.key, since=since)


# ── the link of the mail ──────────────────────────────────────────────────────────────────────────────────────────


def reconnect_token(settings: Settings, connection_key: str) -> str:
    """Names the connection and cannot be made up. It only begins an authorisation: tokens are kept from an
    administrator of exactly this connection's company and from nobody else."""
    return _signer(settings).dumps(connection_key)


def connection_key_of(settings: Settings, token: str) -> str | None:
    """None: not ours, or too old."""
    try:
        key = _signer(settings).loads(token, max_age=int(timedelta(days=RECONNECT_DAYS).total_seconds()))
    except BadSignature:
        return None
    return key if isinstance(key, str) else None


def _signer(settings: Settings) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(settings.secret_key, salt="awase reconnect")

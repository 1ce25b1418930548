"""The registration at SmartHR that makes SmartHR send webhooks here: make, check and repair it, change its secret,
remove it.

Awase finds its registration by the id that SmartHR gave it, else by its address, which contains our unguessable key. So
a second call repairs the registration instead of making another, and after a POST whose answer was lost Awase looks up
whether it was made. Awase stores a secret before it sends it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import structlog

from app.domain.errors import AwaseError, ItemError, Refused, TemporaryError
from app.domain.ports import WebhookRegistration, WebhookRegistry
from app.domain.settings.connection_settings import Connection
from app.domain.settings.recipients import Language
from app.storage.access.audit import CHANGED
from app.storage.automatic.rows import WebhookRegistrationRow
from app.storage.enums import WebhookState
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import find_connection
from app.use_cases.survey.sweep import request_sweep

log = structlog.get_logger(__name__)

OVERLAP = timedelta(hours=24)
"""How long Awase still takes the secret from before a rotation: for webhooks that are on their way, and while SmartHR's
answer is missing."""
_SECRET_BYTES = 32


@dataclass(frozen=True)
class WebhookCheck:
    """What a check of the registration has found."""

    state: WebhookState
    disabled_at: datetime | None

    @property
    def ok(self) -> bool:
        return self.state is WebhookState.OK

    @property
    def registered(self) -> bool:
        """False: Awase has never registered the webhook, so there is nothing to repair."""
        return self.state is not WebhookState.NONE


def webhook_url(ctx: Context, connection: Connection) -> str:
    """The address to which SmartHR sends this connection's webhooks."""
    return f"{ctx.settings.base_url}/webhooks/smarthr/{quote(connection.key, safe='')}"


# ── by a person ───────────────────────────────────────────────────────────────────────────────────────────────────────


def register_webhook(ctx: Context, connection_key: str) -> WebhookCheck:
    """Register the webhook at SmartHR, or repair its registration. Raises Refused, also for what SmartHR refuses, and
    the other errors of SmartHR."""
    check = _bring_up(ctx, find_connection(ctx, connection_key))
    _note(ctx, connection_key, "webhook_registered")
    return check


def repair_webhook(ctx: Context, connection_key: str) -> WebhookCheck:
    """As `register_webhook`, for a webhook that Awase has registered before. Raises Refused, also when it has not."""
    connection = find_connection(ctx, connection_key)
    _stored(ctx, connection)
    check = _bring_up(ctx, connection)
    _note(ctx, connection_key, "webhook_repaired")
    return check


def rotate_webhook_secret(ctx: Context, connection_key: str) -> datetime:
    """Set a new secret here and at SmartHR. Returns the moment until which Awase still takes the former one. Raises
    Refused.

    When SmartHR refuses the new secret, the former one stays. When SmartHR's answer is lost, Awase takes both for
    `OVERLAP`, and a repair or another rotation decides which one SmartHR has.
    """
    connection = find_connection(ctx, connection_key)
    stored = _stored(ctx, connection)
    registry, url = ctx.webhook_registry(connection), webhook_url(ctx, connection)
    ours = _ours(registry, url, stored)
    if not ours:
        raise _unregistered()
    now = ctx.clock.now()
    changing = False
    try:
        if len(stored.secrets_at(now)) > 1:  # a rotation not long ago: we may not know which of the two SmartHR has
            _sent(registry, ours[0].id, url=url, secret=stored.secret)
        changing, until = True, now + OVERLAP
        secret = _new_secret(ctx, connection, previous_until=until, noted=True)
        registration = _sent(registry, ours[0].id, url=url, secret=secret)
    except AwaseError as error:
        if changing and not _may_be_done(error):
            with ctx.unit_of_work() as uow:
                uow.webhook_registrations.drop_secret(connection.id)
        raise _in_words(error) from error
    _store(ctx, connection, registry, registration)
    log.info("webhook_secret_rotated", connection_id=connection.id)
    return until


def remove_webhook(ctx: Context, connection_key: str) -> int:
    """Remove the registration at SmartHR, then forget its secrets. Returns how many registrations SmartHR had. Raises
    Refused."""
    connection = find_connection(ctx, connection_key)
    stored = _stored(ctx, connection)
    registry = ctx.webhook_registry(connection)
    ours = _ours(registry, webhook_url(ctx, connection), stored)
    for each in ours:
        registry.remove(each.id)
    _forget_secrets(ctx, connection)
    _note(ctx, connection_key, "webhook_removed", registrations=len(ours))
    return len(ours)


def check_webhook(ctx: Context, connection: Connection) -> WebhookCheck:
    """Ask SmartHR for the state of the registration and store it. SmartHR is not asked when Awase has never registered
    the webhook.

    Raises the three errors of `app.domain.errors`, and then the stored state stays.
    """
    with ctx.unit_of_work().reading() as uow:
        stored = uow.webhook_registrations.get(connection.id)
    if stored is None:
        return WebhookCheck(WebhookState.NONE, None)
    registry = ctx.webhook_registry(connection)
    ours = _ours(registry, webhook_url(ctx, connection), stored)
    if ours:
        return _store(ctx, connection, registry, ours[0])
    # State NONE: the answer of the first POST was lost, and SmartHR has no registration, so there never was one.
    state = WebhookState.NONE if stored.state is WebhookState.NONE else WebhookState.MISSING
    _keep(ctx, connection, vendor_id=None, state=state)
    return WebhookCheck(state, None)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bring_up(ctx: Context, connection: Connection) -> WebhookCheck:
    registry, url = ctx.webhook_registry(connection), webhook_url(ctx, connection)
    with ctx.unit_of_work().reading() as uow:
        stored = uow.webhook_registrations.get(connection.id)
    ours = _ours(registry, url, stored)
    secret = stored.secret if stored else _new_secret(ctx, connection, previous_until=ctx.clock.now())
    try:
        registration = _registered(ctx, registry, ours, url=url, secret=secret)
    except AwaseError as error:
        if stored is None and not _may_be_done(error):
            _forget_secrets(ctx, connection)
        raise _in_words(error) from error
    check = _store(ctx, connection, registry, registration)
    _remove_spare(registry, [each for each in ours if each.id != registration.id], connection)
    if not ours or _state_of(registry, url, ours[0]) is not WebhookState.OK:
        request_sweep(ctx, connection.id)  # finds the changes that no webhook has told
    log.info("webhook_registered", connection_id=connection.id, state=check.state.value, anew=not ours)
    return check


def _registered(
    ctx: Context, registry: WebhookRegistry, ours: list[WebhookRegistration], *, url: str, secret: str
) -> WebhookRegistration:
    """Our first registration, repaired. A new one when SmartHR has none of ours, or cannot enable ours again."""
    if ours:
        repaired = _sent(registry, ours[0].id, url=url, secret=secret)
        if repaired.disabled_at is None:
            return repaired
    description = ctx.wording(Language.JAPANESE)("connections.webhook_description")
    try:
        return registry.register(url=url, secret=secret, description=description)
    except TemporaryError as error:
        if not error.outcome_unknown:
            raise
        made = _looked_up(registry, url, known=ours)
        if made is None:
            raise
        return made


def _looked_up(registry: WebhookRegistry, url: str, *, known: list[WebhookRegistration]) -> WebhookRegistration | None:
    """The registration that the POST with the lost answer made. None: it made none so far, or SmartHR still does not
    answer."""
    ids = {each.id for each in known}
    try:
        return next(
            (each for each in registry.registrations() if each.url == url and each.id and each.id not in ids), None
        )
    except AwaseError:
        return None


def _sent(registry: WebhookRegistry, registration_id: str, *, url: str, secret: str) -> WebhookRegistration:
    """Repair a registration. A PATCH may be repeated without harm, so it is sent once more when its answer was lost."""
    try:
        return registry.repair(registration_id, url=url, secret=secret)
    except TemporaryError as error:
        if not error.outcome_unknown:
            raise
    try:
        return registry.repair(registration_id, url=url, secret=secret)
    except AwaseError as error:
        raise TemporaryError(error.code, error.detail, outcome_unknown=True) from error  # the first PATCH may be done


def _ours(registry: WebhookRegistry, url: str, stored: WebhookRegistrationRow | None) -> list[WebhookRegistration]:
    """Our registrations at SmartHR: first the one whose id we have stored, then others that lead to the same
    address."""
    known = stored.vendor_id if stored else None
    found = [each for each in registry.registrations() if each.id == known or each.url == url]
    if any(each.unreadable for each in found):  # other applications' are no concern of ours
        raise TemporaryError("unreadable_answer", "our webhook registration")
    return sorted(found, key=lambda each: each.id != known)


def _remove_spare(registry: WebhookRegistry, spare: list[WebhookRegistration], connection: Connection) -> None:
    """Remove the other registrations of the same address. A second one only makes every delivery come twice, and the
    intake recognises the repetition by its content. So a failure to remove it is only logged."""
    for each in spare:
        try:
            registry.remove(each.id)
        except AwaseError as error:
            log.warning("webhook_double_stays", connection_id=connection.id, code=error.code)


def _new_secret(ctx: Context, connection: Connection, *, previous_until: datetime, noted: bool = False) -> str:
    """Make a new secret. It is stored before SmartHR gets it, so that no delivery that comes with it is refused."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    with ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(connection.id, secret, previous_until=previous_until)
        if noted:
            subject, changes = f"connection:{connection.key}", {"secret": ("", CHANGED)}
            now = ctx.clock.now()
            uow.audit.add(action="webhook_secret_rotated", subject=subject, now=now, changes=changes)
    return secret


def _note(ctx: Context, key: str, action: str, **detail: int) -> None:
    with ctx.unit_of_work() as uow:
        uow.audit.add(action=action, subject=f"connection:{key}", now=ctx.clock.now(), detail=detail)


def _forget_secrets(ctx: Context, connection: Connection) -> None:
    with ctx.unit_of_work() as uow:
        while uow.webhook_registrations.get(connection.id) is not None:  # a drop makes the one before it the newest
            uow.webhook_registrations.drop_secret(connection.id)


def _stored(ctx: Context, connection: Connection) -> WebhookRegistrationRow:
    with ctx.unit_of_work().reading() as uow:
        stored = uow.webhook_registrations.get(connection.id)
    if stored is None:
        raise _unregistered()
    return stored


def _unregistered() -> Refused:
    return Refused("webhook_unregistered", status=409)


def _may_be_done(error: AwaseError) -> bool:
    return isinstance(error, TemporaryError) and error.outcome_unknown


def _in_words(error: AwaseError) -> AwaseError:
    """The error as the administrator reads it: SmartHR's own reason for a refusal, or what to do when SmartHR did not
    answer."""
    if isinstance(error, ItemError):
        return Refused("webhook_refused", said=error.detail)
    if _may_be_done(error):
        return Refused("webhook_unsure", status=503)
    return error


def _store(
    ctx: Context, connection: Connection, registry: WebhookRegistry, registration: WebhookRegistration
) -> WebhookCheck:
    state = _state_of(registry, webhook_url(ctx, connection), registration)
    _keep(ctx, connection, vendor_id=registration.id, state=state, disabled_at=registration.disabled_at)
    return WebhookCheck(state, registration.disabled_at)


def _state_of(registry: WebhookRegistry, url: str, registration: WebhookRegistration) -> WebhookState:
    if registration.disabled_at is not None:
        return WebhookState.DISABLED
    wanted = (url, registry.events, True)
    as_wanted = (registration.url, registration.events, registration.expose_only_id) == wanted
    return WebhookState.OK if as_wanted else WebhookState.CHANGED


def _keep(
    ctx: Context,
    connection: Connection,
    *,
    vendor_id: str | None,
    state: WebhookState,
    disabled_at: datetime | None = None,
) -> None:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        uow.webhook_registrations.found(
            connection.id, vendor_id=vendor_id, state=state, disabled_at=disabled_at, now=now
        )

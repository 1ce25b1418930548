"""A new connection, step by step: Awase tries SmartHR's token, an administrator gives freee's consent and confirms the
company.

Before the confirmation there is no connection, only a setup: no run can start with it, and no webhook belongs to it.
The confirmation makes the connection, and the setup stays beside it until the administrator is through the last step.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from app.domain.access.token_hash import hash_of
from app.domain.errors import AwaseError, Refused
from app.storage.connections.rows import WizardConsent, WizardRow
from app.storage.repository import as_row
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.sign_in import SignedIn
from app.use_cases.connections.attributes import AttributeRow, TokenCheck, attribute_rows, try_token
from app.use_cases.connections.connections import (
    CONSENT_MINUTES,
    check_browser,
    check_names,
    consent_denied,
    consent_failed,
    freee_app,
    note_failed_consent,
)
from app.use_cases.connections.make_connection import NewConnection, stored
from app.use_cases.context import Context

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class FoundCompany:
    """The 事業所 that the administrator has chosen at freee."""

    id: int
    name: str
    external_cid: str


@dataclass(frozen=True)
class WizardView:
    key: str
    name: str
    smarthr_subdomain: str
    attributes: tuple[AttributeRow, ...]
    employment_types: frozenset[str]
    people: int
    """How many employees the check of SmartHR has read."""
    company: FoundCompany | None
    """The company that waits for its confirmation, or is confirmed. None: freee's consent is not given yet."""
    connected: bool
    """True: the company is confirmed, so the connection exists."""
    created_at: datetime


def begin_setup(
    ctx: Context,
    who: SignedIn,
    *,
    name: str,
    smarthr_subdomain: str,
    smarthr_token: str,
    mail_to: Sequence[str],
    mail_english: Sequence[str] = (),
) -> str:
    """Try the token at SmartHR and store it with the subdomain in a setup. Returns the key of the setup, which later
    becomes the key of the connection. `mail_to` get the mails in Japanese, `mail_english` in English.

    Raises Refused naming the fields to correct, and then nothing is stored.
    """
    subdomain, token = smarthr_subdomain.strip(), smarthr_token.strip()
    check_names(name=name, subdomain=subdomain, token=token, mail_to=(*mail_to, *mail_english))
    check = try_token(ctx, subdomain, token)
    now, key = ctx.clock.now(), secrets.token_hex(12)
    with ctx.unit_of_work() as uow:
        uow.wizards.add(
            key=key,
            name=name.strip(),
            smarthr_subdomain=subdomain,
            smarthr_token=token,
            seen=check.stored(),
            mail_to=mail_to,
            mail_english=mail_english,
            started_by=who.actor,
            now=now,
        )
        uow.audit.add(actor=who.actor, action="setup_begun", subject=f"connection:{key}", now=now)
    log.info("setup_begun")
    return key


def show_setup(ctx: Context, key: str) -> WizardView:
    """One setup. Raises Refused("unknown_setup")."""
    with ctx.unit_of_work().reading() as uow:
        return _view(_known(uow, key))


def open_setups(ctx: Context) -> list[WizardView]:
    with ctx.unit_of_work().reading() as uow:
        return [_view(row) for row in uow.wizards.all()]


def drop_setup(ctx: Context, who: SignedIn, key: str) -> None:
    """Forget the setup, its credentials included. A connection that it has made stays. Raises Refused."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        setup = _known(uow, key)
        uow.wizards.delete(setup.id)
        action = "setup_dropped" if setup.connection_id is None else "setup_ended"
        uow.audit.add(actor=who.actor, action=action, subject=f"connection:{key}", now=now)


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def begin_setup_consent(ctx: Context, key: str, *, redirect_uri: str, browser: str) -> str:
    """The address at freee to which the page sends the administrator. It works once, for half an hour, and for nobody
    but the browser that holds the secret `browser`. Raises Refused."""
    freee_app(ctx)
    state = secrets.token_urlsafe(32)
    verifier = ctx.authorisation.new_verifier()
    until = ctx.clock.now() + timedelta(minutes=CONSENT_MINUTES)
    with ctx.unit_of_work() as uow:
        setup = _unconnected(uow, key)
        uow.wizards.drop_grant(setup.id)
        uow.wizards.send_to_freee(
            setup.id,
            state_hash=hash_of(state),
            verifier=verifier,
            redirect_uri=redirect_uri,
            until=until,
            browser_hash=hash_of(browser),
        )
        uow.audit.add(action="consent_begun", subject=f"connection:{key}", now=ctx.clock.now())
    return ctx.authorisation.url(redirect_uri=redirect_uri, state=state, verifier=verifier)


def belongs_to_setup(ctx: Context, state: str) -> bool:
    """Whether a setup waits for freee's answer with this state. Costs no write lock."""
    with ctx.unit_of_work().reading() as uow:
        return uow.wizards.knows_state(hash_of(state))


def receive_consent(
    ctx: Context, *, state: str, code: str | None, error: str | None = None, browsers: Collection[str]
) -> str:
    """Take freee's answer: the company and its tokens then wait for the administrator's confirmation. Returns the
    setup's key.

    The state is used up, also when the consent fails; one that belongs to none of the secrets `browsers` is refused and
    stays as it is. Raises Refused; `fields["setup"]` then names the setup, where the
    state is known.
    """
    with ctx.unit_of_work().reading() as uow:
        owner = uow.wizards.browser_of(hash_of(state))
    check_browser(owner, browsers)
    with ctx.unit_of_work() as uow:
        taken = uow.wizards.take_state(hash_of(state), now=ctx.clock.now())
    if taken is None:
        raise Refused("consent_unknown", status=409)
    try:
        return _granted(ctx, taken, code, error)
    except Refused as refused:
        log.warning("setup_consent_failed", code=refused.code)
        note_failed_consent(ctx, taken.setup.key, refused)
        refused.fields["setup"] = taken.setup.key
        raise


def _granted(ctx: Context, taken: WizardConsent, code: str | None, error: str | None) -> str:
    if error is not None or not code:
        raise consent_denied(error)
    try:
        grant = ctx.authorisation.finish(code, redirect_uri=taken.redirect_uri, verifier=taken.verifier)
    except AwaseError as failure:
        raise consent_failed(failure) from failure
    with ctx.unit_of_work() as uow:
        setup = _unconnected(uow, taken.setup.key)
        uow.wizards.keep_grant(
            setup.id,
            grant.tokens,
            company_id=grant.company_id,
            company_name=grant.company_name,
            external_cid=grant.external_cid,
        )
        subject, detail = f"connection:{setup.key}", {"freee_company_id": grant.company_id}
        uow.audit.add(action="consent_given", subject=subject, now=ctx.clock.now(), detail=detail)
    return setup.key


def confirm_company(ctx: Context, who: SignedIn, key: str, *, company_id: int) -> None:
    """Make the connection, because the administrator has seen this company and says that it is the right one.

    Raises Refused: there is nothing to confirm, the company is another one than the page has shown, or this SmartHR and
    this company are connected already.
    """
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        setup = _unconnected(uow, key)
        tokens = uow.wizards.freee_tokens(setup.id)
        if tokens is None or setup.freee_company_id != company_id:
            raise Refused("company_changed", status=409)
        token = uow.wizards.smarthr_token(setup.id)
        new = as_row(NewConnection, setup, smarthr_token=token, freee_company_id=company_id, freee_tokens=tokens)
        connection = stored(ctx, uow, new, TokenCheck.of_stored(setup.seen))
        uow.wizards.made(setup.id, connection.id)
        detail = {"freee_company_id": company_id}
        uow.audit.add(actor=who.actor, action="connection_added", subject=f"connection:{key}", now=now, detail=detail)
    log.info("connection_added", connection_id=connection.id)


def reject_company(ctx: Context, who: SignedIn, key: str) -> None:
    """Forget the tokens of the wrong company, so that the administrator can choose another one. Raises Refused."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        setup = _unconnected(uow, key)
        uow.wizards.drop_grant(setup.id)
        detail = {"freee_company_id": setup.freee_company_id}
        uow.audit.add(actor=who.actor, action="company_rejected", subject=f"connection:{key}", now=now, detail=detail)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _known(uow: UnitOfWork, key: str) -> WizardRow:
    setup = uow.wizards.get(key)
    if setup is None:
        raise Refused("unknown_setup", status=404)
    return setup


def _unconnected(uow: UnitOfWork, key: str) -> WizardRow:
    setup = _known(uow, key)
    if setup.connection_id is not None:
        raise Refused("already_connected.setup", status=409)
    return setup


def _view(row: WizardRow) -> WizardView:
    check = TokenCheck.of_stored(row.seen)
    company = None
    if row.freee_company_id is not None:
        company = FoundCompany(row.freee_company_id, row.freee_company_name or "", row.freee_external_cid or "")
    return as_row(
        WizardView,
        row,
        attributes=tuple(attribute_rows(check.seen, check.missing, written=frozenset())),
        employment_types=check.employment_types,
        people=check.people,
        company=company,
        connected=row.connection_id is not None,
    )

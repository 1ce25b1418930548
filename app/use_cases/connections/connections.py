"""Connections: add one, show them, check them against both systems, change settings, and get freee's consent."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

import structlog

from app.domain.access.token_hash import hash_of
from app.domain.enums import System
from app.domain.errors import AwaseError, Refused, Sentence, TemporaryError
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection, ExportSettings
from app.domain.settings.export_settings import check_export_settings, complete
from app.domain.settings.names import is_clean
from app.domain.settings.recipients import Language
from app.domain.vendors.rates import limiter_keys
from app.domain.vendors.tokens import FreeeGrant, FreeeTokens
from app.storage.access.audit import CHANGED
from app.storage.connections.rows import ConsentRow
from app.storage.repository import as_row
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.connections.attributes import check_token_again, keep_token, try_token
from app.use_cases.connections.make_connection import NewConnection, stored, tried
from app.use_cases.connections.setting_changes import changing
from app.use_cases.context import Context
from app.use_cases.queries.beginnings import all_beginnings_in
from app.use_cases.shared.connection_lookup import find_connection
from app.use_cases.shared.mended_settings import look_after
from app.use_cases.shared.views import ConnectionView, ConsentView

log = structlog.get_logger(__name__)

CONSENT_MINUTES = 30
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TOKEN = re.compile(r"[!-~]{1,500}")
LONGEST_NAME = 100
MOST_ADDRESSES = 20
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+|[^@\s,;<>\"]+@localhost")


@dataclass(frozen=True)
class SystemCheck:
    """Whether one system answers. `code` and `message` (Japanese) say why it does not."""

    system: System
    ok: bool
    code: str | None = None
    message: str | None = None
    gone: bool = False
    """Whether it answers, but shows attributes for nobody any more that had values."""


def add_connection(
    ctx: Context,
    *,
    name: str,
    smarthr_subdomain: str,
    smarthr_token: str,
    freee_company_id: int,
    freee_external_cid: str | None = None,
    freee_tokens: FreeeTokens | None = None,
    mail_to: Sequence[str] = (),
    mail_english: Sequence[str] = (),
    export_settings: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> ConnectionView:
    """Make a connection with tokens that both vendors have served. Without `freee_tokens` it waits for freee's consent.
    Raises Refused; then nothing is stored."""
    subdomain, token = smarthr_subdomain.strip(), smarthr_token.strip()
    faults: dict[str, Sentence | str] = (
        {} if freee_company_id > 0 else {"freee_company_id": Sentence("fields.freee_company_id")}
    )
    for field, given in (("key", key), ("freee_external_cid", freee_external_cid)):
        if given and not (is_clean(given) and len(given.split()) == 1):
            faults[field] = Sentence("fields.no_blanks")
    check_names(name=name, subdomain=subdomain, token=token, mail_to=(*mail_to, *mail_english), faults=faults)
    new = NewConnection(
        key=key or secrets.token_hex(12),  # hexadecimal: a command line cannot take it for an option
        name=name,
        smarthr_subdomain=subdomain,
        smarthr_token=token,
        freee_company_id=freee_company_id,
        freee_external_cid=freee_external_cid,
        freee_tokens=freee_tokens,
        mail_to=mail_to,
        mail_english=mail_english,
        export_settings=None if export_settings is None else check_export_settings(export_settings),
    )
    with ctx.unit_of_work().reading() as uow:
        _refuse_known_key(uow, new.key)
    new, check = tried(ctx, new)
    with ctx.unit_of_work() as uow:
        _refuse_known_key(uow, new.key)
        connection = stored(ctx, uow, new, check)
        subject, detail = f"connection:{new.key}", {"freee_company_id": freee_company_id}
        uow.audit.add(action="connection_added", subject=subject, now=ctx.clock.now(), detail=detail)
    log.info("connection_added", connection_id=connection.id)
    return connection_views(ctx, [connection])[0]


def _refuse_known_key(uow: UnitOfWork, key: str) -> None:
    if uow.connections.knows_key(key):
        raise Refused("connection_exists", status=409)


def list_connections(ctx: Context) -> list[ConnectionView]:
    with ctx.unit_of_work().reading() as uow:
        return connection_views(ctx, uow.connections.list_all())


def show_connection(ctx: Context, connection_key: str) -> tuple[ConnectionView, ExportSettings | None]:
    """One connection and its default export settings. Raises Refused for an unknown connection."""
    connection = find_connection(ctx, connection_key)
    return connection_views(ctx, [connection])[0], connection.export_settings


def check_connection(ctx: Context, connection_key: str) -> list[SystemCheck]:
    """Ask both systems for one page of employees, and SmartHR for what its token can read. freee is not asked while the
    connection needs a consent.

    Raises Refused for an unknown connection.
    """
    connection = find_connection(ctx, connection_key)
    missing = _missing_consent(ctx, connection)
    checks = [
        missing if missing and missing.system is system else check_system(ctx, connection, system) for system in System
    ]
    if any(check.ok and check.system is System.SMARTHR for check in checks):
        check_token_again(ctx, connection_key)
    now = find_connection(ctx, connection_key)
    return [replace(check, gone=bool(now.gone(check.system))) for check in checks]


def set_export_settings(ctx: Context, connection_key: str, changes: Mapping[str, Any]) -> ConnectionView:
    """Change the given fields of the export settings and keep the others. Raises Refused naming every wrong or missing
    field."""
    connection = find_connection(ctx, connection_key)
    kept = asdict(connection.export_settings) if connection.export_settings else {}
    settings = check_export_settings({**kept, **changes})
    with changing(ctx, connection_key, "export_settings_changed") as (uow, _):
        uow.connections.set_export_settings(connection.id, settings)
    return connection_views(ctx, [find_connection(ctx, connection_key)])[0]


def replace_smarthr_token(ctx: Context, connection_key: str, token: str) -> None:
    """Store another access token of the same tenant (renewed, or with other permissions). What the former token could
    see says nothing about this one, so Awase learns the visible attributes anew. A token that SmartHR does not serve is
    not kept. Raises Refused."""
    connection = find_connection(ctx, connection_key)
    check = try_token(ctx, connection.smarthr_subdomain, token)
    with changing(ctx, connection_key, "smarthr_token_replaced", detail={"token": CHANGED}) as (uow, _):
        keep_token(ctx, uow, connection, token, check)


def _limits(ctx: Context, connection: Connection) -> dict[str, float]:
    keys = limiter_keys(connection.smarthr_subdomain, connection.freee_company_id)
    closed = {f"{system.value}_closed_for": ctx.limiter.closed_for(key) for system, key in keys.items()}
    return closed | {f"{system.value}_silent_for": ctx.limiter.silent_for(key) for system, key in keys.items()}


def connection_views(ctx: Context, connections: Iterable[Connection]) -> list[ConnectionView]:
    listed = list(connections)
    with ctx.unit_of_work().reading() as uow:
        beginnings = all_beginnings_in(uow)
    return [
        as_row(
            ConnectionView,
            connection,
            state="needs_consent" if connection.needs_consent else "paused" if connection.paused else "active",
            export_settings_complete=complete(connection.export_settings),
            **_limits(ctx, connection),
            beginnings=beginnings.get(connection.id, ()),
        )
        for connection in listed
    ]


# ── freee's consent ───────────────────────────────────────────────────────────────────────────────────────────────


def begin_consent(
    ctx: Context, connection_key: str, *, redirect_uri: str, browser: str | None = None, link_hash: str | None = None
) -> str:
    """The address at freee to which the page sends the administrator. It works once, for half an hour, and for nobody
    but the browser that holds the secret `browser` (None: begun on the command line, the address itself is the secret).
    `link_hash`: of the mailed link by which it begins. Raises Refused."""
    freee_app(ctx)
    connection = find_connection(ctx, connection_key)
    state = secrets.token_urlsafe(32)
    verifier = ctx.authorisation.new_verifier()
    with ctx.unit_of_work() as uow:
        uow.consents.add(
            hash_of(state),
            connection.id,
            verifier=verifier,
            redirect_uri=redirect_uri,
            expires_at=ctx.clock.now() + timedelta(minutes=CONSENT_MINUTES),
            browser_hash=None if browser is None else hash_of(browser),
            link_hash=link_hash,
        )
        uow.audit.add(action="consent_begun", subject=f"connection:{connection_key}", now=ctx.clock.now())
    return ctx.authorisation.url(redirect_uri=redirect_uri, state=state, verifier=verifier)


def freee_app(ctx: Context) -> None:
    """Check that an app at freee is set for this installation. Raises Refused when it is not."""
    if not (ctx.settings.freee_client_id and ctx.settings.freee_client_secret):
        raise Refused("freee_app_missing", status=409)


def finish_consent(
    ctx: Context, *, state: str, code: str | None, error: str | None = None, browsers: Collection[str] = ()
) -> ConsentView:
    """freee's answer → tokens of the connection for which `begin_consent` gave out the state. The state is used up,
    also when the consent fails.

    `error`: freee's word (RFC 6749 4.1.2.1) when it sent no code. `browsers`: the secrets that the browser holds; a
    state that belongs to another browser is refused and stays as it is. Raises Refused; `fields["connection"]` is the
    key of the connection, where the state is known.
    """
    consent, connection = _take(ctx, state, browsers)
    try:
        return _finished(ctx, consent, connection, code=code, error=error)
    except Refused as refused:
        note_failed_consent(ctx, connection.key, refused)
        refused.fields["connection"] = connection.key
        raise


def note_failed_consent(ctx: Context, connection_key: str, refused: Refused) -> None:
    """Note it in the audit trail. Their number is limited by that of the states that were given out."""
    subject, detail = f"connection:{connection_key}", {"code": refused.code}
    with ctx.unit_of_work() as uow:
        uow.audit.add(action="consent_failed", subject=subject, now=ctx.clock.now(), detail=detail)


def _finished(
    ctx: Context, consent: ConsentRow, connection: Connection, *, code: str | None, error: str | None
) -> ConsentView:
    bound = log.bind(connection_id=connection.id)
    if error is not None or not code:
        bound.warning("consent_denied", denied=error == "access_denied")
        raise consent_denied(error)
    try:
        grant = ctx.authorisation.finish(code, redirect_uri=consent.redirect_uri, verifier=consent.verifier)
    except AwaseError as failure:
        bound.warning("consent_failed", code=failure.code)
        raise consent_failed(failure) from failure
    if grant.company_id != connection.freee_company_id:
        bound.warning("consent_failed", code="wrong_company")
        raise Refused("wrong_company", status=409, chosen=grant.company_id, wanted=connection.freee_company_id)
    return _keep(ctx, connection, grant, link_hash=consent.link_hash)


def _take(ctx: Context, state: str, browsers: Collection[str]) -> tuple[ConsentRow, Connection]:
    """Use up a state, which works once. A stranger may call this address with an invented state, so an unknown one
    costs no write lock. Raises Refused."""
    unknown = Refused("consent_unknown", status=409)
    with ctx.unit_of_work().reading() as uow:
        known, browser_hash = uow.consents.browser_of(hash_of(state))
    if not known:
        raise unknown
    if browser_hash is not None:
        check_browser(browser_hash, browsers)
    with ctx.unit_of_work() as uow:
        consent = uow.consents.take(hash_of(state), now=ctx.clock.now())
        connection = uow.connections.get(consent.connection_id) if consent else None
    if consent is None or connection is None:
        raise unknown
    return consent, connection


def check_browser(browser_hash: str | None, browsers: Collection[str]) -> None:
    """Raises Refused unless one of the secrets is that of the browser in which the consent began. So nobody can be led
    to finish what somebody else has begun, and a stolen state is worth nothing."""
    if browser_hash not in {hash_of(each) for each in browsers}:
        log.warning("consent_of_another_browser")
        raise Refused("consent_foreign", status=403)


def consent_denied(error: str | None) -> Refused:
    """The refusal when freee sent the administrator back without a code."""
    if error == "access_denied":
        return Refused("consent_denied", status=409)
    return Refused("consent_refused.no_code", status=409)


def consent_failed(error: AwaseError) -> Refused:
    """The refusal when freee gave no tokens for the code: freee is away, the person who authorised is not an
    administrator, the code no longer works, or the app's registration is wrong."""
    if isinstance(error, TemporaryError):
        return Refused("freee_away.consent", status=503)
    if error.code == "E19":
        return Refused("not_administrator", status=409)
    if error.code == "E3":
        return Refused("freee_address_refused", told=Sentence(f"causes.{error.code}"), status=409)
    return Refused("consent_refused.code", status=409)


def _keep(ctx: Context, connection: Connection, grant: FreeeGrant, *, link_hash: str | None) -> ConsentView:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if link_hash is not None and not uow.consents.use_link(link_hash, now=now):
            raise link_used()
        uow.connections.set_freee_tokens(
            connection.id, grant.tokens, company_name=grant.company_name, external_cid=grant.external_cid, now=now
        )
        detail = {"freee_company_id": grant.company_id, "token": CHANGED}
        uow.audit.add(action="consent_given", subject=f"connection:{connection.key}", now=now, detail=detail)
        uow.links.try_again(connection.id)
        look_after(uow, connection)
        uow.recovery.push_lost_items(now, pushed_before=now, connection_id=connection.id)
        for run_id in uow.recovery.lost_surveys(now, pushed_before=now, connection_id=connection.id):
            uow.runs.queue_survey(run_id, due_at=now, now=now)
    log.info("consent_given", connection_id=connection.id)
    return ConsentView(connection_views(ctx, [find_connection(ctx, connection.key)])[0], grant.company_name)


def link_used() -> Refused:
    return Refused("consent_link_used", status=409)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_system(ctx: Context, connection: Connection, system: System) -> SystemCheck:
    """Ask one system for one page of employees."""
    try:
        ctx.gateway(connection, system).survey_page(None, as_of_date=today_in_japan(ctx.clock.now()))
    except AwaseError as error:
        return SystemCheck(system, ok=False, code=error.code, message=_say(ctx, error.code))
    return SystemCheck(system, ok=True)


def _missing_consent(ctx: Context, connection: Connection) -> SystemCheck | None:
    """freee's check when only an administrator can help, because none has authorised yet, or the consent was revoked.
    None: the connection has its consent."""
    if not connection.needs_consent:
        return None
    return SystemCheck(System.FREEE, ok=False, code="needs_consent", message=_say(ctx, "needs_consent"))


def _say(ctx: Context, code: str) -> str:
    return ctx.wording(Language.JAPANESE).message(code)


def _is_address(text: str) -> bool:
    return is_clean(text) and _ADDRESS.fullmatch(text) is not None


def check_names(
    *,
    name: str,
    subdomain: str,
    token: str | None,
    mail_to: Sequence[str],
    faults: Mapping[str, Sentence | str] | None = None,
) -> None:
    """Check what an administrator has typed for a connection (`token` None: the token stays as it is). Raises Refused
    naming every wrong field, those of `faults` included."""
    found = dict(faults or {})
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        found["name"] = Sentence("fields.name.length", longest=LONGEST_NAME)
    elif not is_clean(name):
        found["name"] = Sentence("fields.name.unclean")
    if not _SUBDOMAIN.fullmatch(subdomain):
        found["smarthr_subdomain"] = Sentence("fields.smarthr_subdomain")
    if token is not None and not _TOKEN.fullmatch(token):
        found["smarthr_token"] = Sentence("fields.smarthr_token")
    if len(mail_to) > MOST_ADDRESSES or not all(_is_address(address) for address in mail_to):
        found["mail_to"] = Sentence("fields.mail")
    if found:
        raise Refused("invalid_connection", fields=found)

"""Connections: add, look at, check against both systems, settings, and freee's consent."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from app.domain.catalogue import message_of
from app.domain.dates import today_in_japan
from app.domain.errors import AwaseError, Refused, RunError, TemporaryError
from app.domain.export_settings import check_export_settings, complete
from app.domain.ports import FreeeAuthorisation, FreeeGrant, FreeeTokens
from app.domain.settings import Connection
from app.domain.words import System
from app.use_cases.context import Context
from app.use_cases.views import ConnectionView

log = structlog.get_logger(__name__)

CONSENT_MINUTES = 30
RENEW_BEFORE = timedelta(minutes=25)
"""A call this long before the access token's end renews the pair. It is not certain that a refresh works after the
access token has died (freee-hr-api.md section 2), and a refresh token lives 90 days: idle ones are kept alive."""
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+|[^@\s,;<>\"]+@localhost")


@dataclass(frozen=True)
class SystemCheck:
    """Whether one side answers. `code` and `message` (Japanese) say why not."""

    system: System
    ok: bool
    code: str | None = None
    message: str | None = None


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
    export_settings: Mapping[str, Any] | None = None,
    key: str | None = None,
) -> ConnectionView:
    """Store a connection, its tokens encrypted. Without `freee_tokens` it waits for the consent. Raises Refused."""
    _check(name, smarthr_subdomain, smarthr_token, freee_company_id, mail_to)
    settings = None if export_settings is None else check_export_settings(export_settings)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        chosen = key or secrets.token_urlsafe(12)
        if uow.connections.get_by_key(chosen) is not None:
            raise Refused("connection_exists", "このキーの接続はすでにあります。", status=409)
        connection = uow.connections.add(
            key=chosen,
            name=name.strip(),
            smarthr_subdomain=smarthr_subdomain,
            smarthr_token=smarthr_token,
            freee_company_id=freee_company_id,
            freee_external_cid=freee_external_cid,
            mail_to=mail_to,
            now=now,
        )
        if freee_tokens is not None:
            uow.connections.set_freee_tokens(connection.id, freee_tokens, now=now)
        uow.connections.set_export_settings(connection.id, settings)
        stored = uow.connections.get(connection.id) or connection
    log.info("connection_added", connection_id=connection.id)
    return connection_views(ctx, [stored])[0]


def list_connections(ctx: Context) -> list[ConnectionView]:
    with ctx.unit_of_work().reading() as uow:
        return connection_views(ctx, uow.connections.list_all())


def check_connection(ctx: Context, connection_key: str) -> list[SystemCheck]:
    """Ask both systems for one page of employees. Raises Refused for an unknown connection."""
    connection = _find(ctx, connection_key)
    return [_check_system(ctx, connection, system) for system in System]


def set_export_settings(ctx: Context, connection_key: str, raw: Mapping[str, Any]) -> ConnectionView:
    """Raises Refused naming every wrong field."""
    settings = check_export_settings(raw)
    connection = _find(ctx, connection_key)
    with ctx.unit_of_work() as uow:
        uow.connections.set_export_settings(connection.id, settings)
    return connection_views(ctx, [_find(ctx, connection_key)])[0]


def connection_views(ctx: Context, connections: Iterable[Connection]) -> list[ConnectionView]:
    return [
        ConnectionView(
            key=connection.key,
            name=connection.name,
            smarthr_subdomain=connection.smarthr_subdomain,
            freee_company_id=connection.freee_company_id,
            state="needs_consent" if connection.needs_consent else "paused" if connection.paused else "active",
            export_settings_complete=complete(connection.export_settings),
            smarthr_closed_for=ctx.limiter.closed_for(f"{System.SMARTHR.value}:{connection.smarthr_subdomain}"),
            freee_closed_for=ctx.limiter.closed_for(f"{System.FREEE.value}:{connection.freee_company_id}"),
        )
        for connection in connections
    ]


# ── freee's consent ───────────────────────────────────────────────────────────────────────────────────────────────


def begin_consent(ctx: Context, authorisation: FreeeAuthorisation, connection_key: str, *, redirect_uri: str) -> str:
    """The address to send the administrator to. Valid for half an hour, once. Raises Refused."""
    connection = _find(ctx, connection_key)
    state = secrets.token_urlsafe(32)
    verifier = authorisation.new_verifier()
    with ctx.unit_of_work() as uow:
        uow.consents.add(
            _hash(state),
            connection.id,
            verifier=verifier,
            redirect_uri=redirect_uri,
            expires_at=ctx.clock.now() + timedelta(minutes=CONSENT_MINUTES),
        )
    return authorisation.url(redirect_uri=redirect_uri, state=state, verifier=verifier)


def finish_consent(ctx: Context, authorisation: FreeeAuthorisation, *, state: str, code: str) -> ConnectionView:
    """freee's answer → tokens of the connection the state was given out for. Raises Refused."""
    with ctx.unit_of_work() as uow:
        consent = uow.consents.take(_hash(state), now=ctx.clock.now())
        connection = uow.connections.get(consent.connection_id) if consent else None
    if consent is None or connection is None:
        raise Refused(
            "consent_unknown", "認可の手続きが古いか、すでに使われています。もう一度始めてください。", status=409
        )
    try:
        grant = authorisation.finish(code, redirect_uri=consent.redirect_uri, verifier=consent.verifier)
    except TemporaryError as error:
        raise Refused("consent_failed", message_of(error.code), status=503) from error
    except RunError as error:
        raise Refused(
            "consent_failed", "freeeが認可を受け付けませんでした。もう一度始めてください。", status=409
        ) from error
    return _keep(ctx, connection, grant)


def _keep(ctx: Context, connection: Connection, grant: FreeeGrant) -> ConnectionView:
    if grant.company_id != connection.freee_company_id:
        raise Refused(
            "wrong_company", "この接続とは別の事業所が選ばれました。正しい事業所を選んでください。", status=409
        )
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        uow.connections.set_freee_tokens(
            connection.id, grant.tokens, company_name=grant.company_name, external_cid=grant.external_cid, now=now
        )
        uow.upkeep.push_lost_items(now, pushed_before=now, connection_id=connection.id)
        for run_id in uow.upkeep.lost_surveys(now, pushed_before=now, connection_id=connection.id):
            uow.runs.queue_survey(run_id, due_at=now, now=now)
    log.info("consent_given", connection_id=connection.id)
    return connection_views(ctx, [_find(ctx, connection.key)])[0]


def keep_tokens_alive(ctx: Context) -> int:
    """One call for every connection whose access token is about to end: the adapter renews it. Says how many."""
    with ctx.unit_of_work().reading() as uow:
        ending = uow.connections.ending_tokens(ctx.clock.now() + RENEW_BEFORE)
        connections = [connection for connection_id in ending if (connection := uow.connections.get(connection_id))]
    for connection in connections:
        check = _check_system(ctx, connection, System.FREEE)
        log.info("token_kept_alive", connection_id=connection.id, ok=check.ok, code=check.code)
    return len(connections)


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_system(ctx: Context, connection: Connection, system: System) -> SystemCheck:
    try:
        ctx.gateway(connection, system).survey_page(None, as_of_date=today_in_japan(ctx.clock.now()))
    except AwaseError as error:
        return SystemCheck(system, ok=False, code=error.code, message=message_of(error.code))
    return SystemCheck(system, ok=True)


def _find(ctx: Context, key: str) -> Connection:
    with ctx.unit_of_work().reading() as uow:
        connection = uow.connections.get_by_key(key)
    if connection is None:
        raise Refused("unknown_connection", "この接続は登録されていません。", status=404)
    return connection


def _check(name: str, subdomain: str, token: str, company_id: int, mail_to: Sequence[str]) -> None:
    faults: dict[str, str] = {}
    if not name.strip():
        faults["name"] = "名前を入力してください。"
    if not _SUBDOMAIN.fullmatch(subdomain):
        faults["smarthr_subdomain"] = "サブドメインは半角英小文字・数字・ハイフンで入力してください。"
    if not token.strip():
        faults["smarthr_token"] = "SmartHRのアクセストークンを入力してください。"  # noqa: S105 - a message
    if company_id < 1:
        faults["freee_company_id"] = "freeeの事業所IDは正の整数で入力してください。"
    if not all(_ADDRESS.fullmatch(address) for address in mail_to):
        faults["mail_to"] = "メールアドレスの形が正しくありません。"
    if faults:
        raise Refused("invalid_connection", "接続の内容を確認してください。", fields=faults)


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()

"""What an administrator changes on the settings page of a connection: each part by itself, with its audit entry.

A refused change leaves the stored settings as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.domain.enums import Direction, System
from app.domain.errors import Refused, Sentence
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.settings.connection_settings import BlankPolicy, Connection, ExportSettings
from app.domain.settings.export_settings import check_export_sets, check_export_settings
from app.storage.access.audit import CHANGED
from app.storage.enums import WebhookState
from app.use_cases.connections import attributes, automatic_settings, connections, two_persons, webhook_registration
from app.use_cases.connections.attributes import AttributeRow, GoneAttribute
from app.use_cases.connections.setting_changes import changing
from app.use_cases.context import Context
from app.use_cases.queries.beginnings import beginnings_in
from app.use_cases.shared.beginnings import keep_settings
from app.use_cases.shared.connection_lookup import find_connection, known_connection

ALWAYS_EXCHANGED = frozenset({"employee_number", "last_name", "first_name", "last_name_kana", "first_name_kana"})
"""Items that an administrator cannot exclude: without them Awase can neither recognise nor create an employee."""
ITEMS = tuple(row for row in FIELDS if row.key not in ALWAYS_EXCHANGED)


@dataclass(frozen=True)
class CompanyFacts:
    """The 事業所 at freee of a connection, as freee named it with the consent."""

    name: str
    external_cid: str
    id: int
    consent_from: datetime | None
    """When freee gave the present tokens."""


@dataclass(frozen=True)
class SettingsView:
    """Everything the settings page shows."""

    connection: Connection
    company: CompanyFacts
    automatic: automatic_settings.AutomaticView
    two_persons: two_persons.TwoPersonsView
    attributes: tuple[AttributeRow, ...]
    gone: tuple[GoneAttribute, ...]
    webhook_disabled_at: datetime | None
    last_success: Mapping[Direction, datetime]
    setup_open: bool


@dataclass(frozen=True)
class ListedConnection:
    connection: Connection
    company_name: str
    company_number: str
    last_success: Mapping[Direction, datetime]
    webhook: WebhookState
    setup_open: bool
    """True: the administrator left the wizard before its last step."""


@dataclass(frozen=True)
class ItemChoice:
    """Which items are not exchanged, by key of FIELDS, and what a blank of an item at the source does: the value of a
    BlankPolicy, or "" for the item's own default."""

    excluded: Sequence[str]
    blank_policies: Mapping[str, str]
    include_building: bool
    create_positions: bool


def listed_connections(ctx: Context) -> list[ListedConnection]:
    """All connections, oldest first."""
    with ctx.unit_of_work().reading() as uow:
        known = uow.connections.list_all()
        succeeded, webhooks = uow.connection_facts.last_successes(), uow.webhook_registrations.states()
        companies = uow.connection_facts.companies()
        unfinished = {setup.connection_id for setup in uow.wizards.all()}
    return [
        ListedConnection(
            connection=each,
            company_name=companies[each.id][0],
            company_number=companies[each.id][1],
            last_success={way: at for way in Direction if (at := succeeded.get((each.id, way)))},
            webhook=webhooks.get(each.id, WebhookState.NONE),
            setup_open=each.id in unfinished,
        )
        for each in known
    ]


def show_settings(ctx: Context, key: str) -> SettingsView:
    """Everything the settings page shows. Raises Refused for an unknown connection."""
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, key)
        status = uow.connections.status(connection.id)
        written = uow.connection_facts.written_to_smarthr(connection.id)
        webhook = uow.webhook_registrations.get(connection.id)
        succeeded = uow.connection_facts.last_successes(connection.id)
        setup = uow.wizards.get(key)
        second = two_persons.view_of(uow, connection)
        beginnings = beginnings_in(uow, connection.id)
    return SettingsView(
        connection=connection,
        company=CompanyFacts(
            name=status.freee_company_name or "",
            external_cid=status.freee_external_cid or "",
            id=connection.freee_company_id,
            consent_from=status.freee_refreshed_at,
        ),
        automatic=automatic_settings.view_of(ctx, connection, webhook, beginnings),
        two_persons=second,
        attributes=tuple(attributes.attribute_rows_of(connection, written=written)),
        gone=tuple(attributes.gone_items(connection)),
        webhook_disabled_at=webhook.disabled_at if webhook else None,
        last_success={way: at for way in Direction if (at := succeeded.get((connection.id, way)))},
        setup_open=setup is not None,
    )


# ── changes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def set_names(ctx: Context, key: str, *, name: str, mail_to: Sequence[str], mail_english: Sequence[str] = ()) -> None:
    """Change the connection's name and the recipients of its mails: `mail_to` those who read Japanese, `mail_english`
    those who read English (who stands in both reads English). Raises Refused."""
    everybody = tuple(dict.fromkeys((*mail_to, *mail_english)))
    with changing(ctx, key, "connection_renamed") as (uow, connection):
        connections.check_names(name=name, subdomain=connection.smarthr_subdomain, token=None, mail_to=everybody)
        named = replace(connection, name=name.strip(), mail_to=everybody, mail_english=tuple(mail_english))
        keep_settings(ctx, uow, connection, named)


def set_smarthr_token(ctx: Context, key: str, token: str) -> None:
    """Replace the token by another one of the same tenant. SmartHR has to accept the new token before it replaces the
    token that works. Raises Refused."""
    connection, given = find_connection(ctx, key), token.strip()
    connections.check_names(
        name=connection.name, subdomain=connection.smarthr_subdomain, token=given, mail_to=connection.mail_to
    )
    known = connection.standings.get(System.SMARTHR, {})
    check = attributes.try_token(ctx, connection.smarthr_subdomain, given, known=known)
    with changing(ctx, key, "smarthr_token_replaced", detail={"token": CHANGED}) as (uow, before):
        attributes.keep_token(ctx, uow, before, given, check)
        attributes.keep_check(ctx, uow, connection.id, check)


def set_export_settings(
    ctx: Context, key: str, default: Mapping[str, Any], by_type: Sequence[Mapping[str, Any]]
) -> None:
    """Store the default set of export settings and the sets for single 雇用形態.

    A set for a 雇用形態 has its name as `employment_type` beside the four values. Raises Refused; the faults of such a
    set are named "<position>.<field>".
    """
    settings, sets = check_export(default, by_type)
    with changing(ctx, key, "export_settings_changed") as (uow, connection):
        uow.connections.set_export_settings(connection.id, settings)
        keep_settings(ctx, uow, connection, replace(connection, export_settings_by_type=sets))


def check_export(
    default: Mapping[str, Any], by_type: Sequence[Mapping[str, Any]]
) -> tuple[ExportSettings, dict[str, ExportSettings]]:
    """The default set and the sets by 雇用形態, as `set_export_settings` would store them. Raises Refused."""
    faults: dict[str, Sentence | str] = {}
    settings, sets = None, {}
    try:
        settings = check_export_settings(default)
    except Refused as refused:
        faults |= refused.fields
    try:
        sets = check_export_sets(_by_name(by_type))
    except Refused as refused:
        if not refused.fields:
            raise
        faults |= refused.fields
    if faults or settings is None:
        raise Refused("invalid_export_settings", fields=faults)
    return settings, sets


def set_items(ctx: Context, key: str, choice: ItemChoice) -> None:
    """Store which items are exchanged, and what a blank at the source does. Raises Refused."""
    with changing(ctx, key, "items_changed") as (uow, connection):
        keep_settings(ctx, uow, connection, with_items(connection, choice))


def with_items(connection: Connection, choice: ItemChoice) -> Connection:
    """The connection with these items and blank rules, not stored. Raises Refused."""
    excluded, blank_policies = choice.excluded, choice.blank_policies
    if not set(excluded) | set(blank_policies) <= {row.key for row in ITEMS}:
        raise Refused("invalid_items.unknown")
    try:
        policies = {name: BlankPolicy(value) for name, value in blank_policies.items() if value}
    except ValueError:
        raise Refused("invalid_items.blanks") from None
    kept = {name: policy for name, policy in policies.items() if policy is not BY_KEY[name].blank}
    changed = replace(connection, excluded=_whole_account(excluded), blank_policies=kept)
    return replace(changed, include_building=choice.include_building, create_positions=choice.create_positions)


def check_webhook(ctx: Context, key: str) -> WebhookState:
    """The state of the webhook registration at SmartHR now. Raises Refused and the errors of SmartHR."""
    return webhook_registration.check_webhook(ctx, find_connection(ctx, key)).state


# ── pieces ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """雇用形態 → its set. Raises Refused for a 雇用形態 that is blank or named twice."""
    found: dict[str, Mapping[str, Any]] = {}
    for position, row in enumerate(rows):
        name = str(row.get("employment_type", "")).strip()
        if not name or name in found:
            why = Sentence(f"fields.employment_type.{'doubled' if name else 'missing'}")
            field = {f"{position}.employment_type": why}
            raise Refused("invalid_export_settings", fields=field)
        found[name] = row
    return found


def _whole_account(excluded: Sequence[str]) -> frozenset[str]:
    """The excluded items. When one item of the bank account is excluded, all of its items are, because half an account
    is of no use."""
    account = {row.key for row in FIELDS if row.group == "bank"}
    return frozenset(excluded) | (account if account & set(excluded) else set())

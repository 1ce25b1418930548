"""Tables of access to Awase itself, and tables that guard a single use: consents, keys, users, idempotency, leases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables.base import Base, refers


class ConsentTable(Base):
    """An authorisation on its way: Awase takes freee's answer only for a state that it gave out, once, in time."""

    __tablename__ = "consents"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    verifier_enc: Mapped[str]
    redirect_uri: Mapped[str]
    expires_at: Mapped[datetime]
    browser_hash: Mapped[str | None]
    """Of the secret that only the browser holds in which it began; None: begun on the command line."""
    link_hash: Mapped[str | None]


class ConsentLinkTable(Base):
    """A mailed link by which a consent was begun: it serves the browser that began first, until tokens are kept."""

    __tablename__ = "consent_links"

    link_hash: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    browser_hash: Mapped[str]
    begun_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class WizardTable(Base):
    """A connection that a user is setting up: no part of it works before the user has confirmed its company."""

    __tablename__ = "setups"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    connection_id: Mapped[int | None] = mapped_column(refers("connections.id"), index=True)
    name: Mapped[str]
    smarthr_subdomain: Mapped[str]
    smarthr_token_enc: Mapped[str]
    seen: Mapped[dict[str, Any]]
    mail_to_enc: Mapped[str]
    state_hash: Mapped[str | None] = mapped_column(unique=True)
    verifier_enc: Mapped[str | None]
    redirect_uri: Mapped[str | None]
    consent_until: Mapped[datetime | None]
    browser_hash: Mapped[str | None]
    freee_company_id: Mapped[int | None]
    freee_company_name: Mapped[str | None]
    freee_external_cid: Mapped[str | None]
    freee_tokens_enc: Mapped[str | None]
    started_by: Mapped[str]
    created_at: Mapped[datetime]


class ApiKeyTable(Base):
    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[str]
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    made_by: Mapped[str | None]
    last_used_from: Mapped[str | None]


class UserTable(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    locale: Mapped[str] = mapped_column(String(8), default="ja")
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    last_sign_in_at: Mapped[datetime | None]
    password_good_until: Mapped[datetime | None]
    """Set for a password that somebody else has made up: until then it opens one session, which has to change it."""
    devices_known_by: Mapped[int] = mapped_column(default=0, server_default="0")
    """The number that cookies of known devices carry. Raised, it makes all of them worthless."""


class SessionTable(Base):
    """A user's session in one browser. The token itself is only in that browser's cookie."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(refers("users.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    """When the password was given last; None: when the session began."""
    address: Mapped[str] = mapped_column(String(64), default="", server_default="")
    agent: Mapped[str] = mapped_column(String(300), default="", server_default="")


class BrakeTable(Base):
    """Attempts to sign in that count together: of a network at an account, of a network, at an account, of a device."""

    __tablename__ = "sign_in_brakes"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A keyed digest: neither a login nor an address stands here."""
    attempts: Mapped[int]
    wait_until: Mapped[datetime | None]
    forget_at: Mapped[datetime] = mapped_column(index=True)


class SightingTable(Base):
    """Something that requests have shown and operations ought to know of, by a word of ours."""

    __tablename__ = "sightings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]


class InvitationTable(Base):
    """A person who may become a user with the link of a mail."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    mail_enc: Mapped[str]
    role: Mapped[str] = mapped_column(String(32))
    invited_by: Mapped[int] = mapped_column(refers("users.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditTable(Base):
    """Who did what, from where. `actor`: "user:3", "key:<prefix>", "cli"; `subject`: "run:<id>", "connection:<id>"; ids
    and codes only. `position`, `digest` and `seal` make the chain (`app.domain.access.audit_chain`); they are empty in
    rows that an older version has written beside us, until the next entry takes them in. Triggers of the database
    refuse any other change."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_subject", "subject", "id"),
        Index("ix_audit_action", "action", "at"),
        Index("uq_audit_position", "position", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]]
    door: Mapped[str | None]
    address: Mapped[str | None]
    via: Mapped[dict[str, Any] | None]
    position: Mapped[int | None]
    digest: Mapped[str | None]
    seal: Mapped[str | None]


class AuditHeadTable(Base):
    """The end of the audit trail, and how far its beginning was purged. One row; whoever adds entries locks it."""

    __tablename__ = "audit_head"

    name: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    digest: Mapped[str]
    seal: Mapped[str | None]
    key_enc: Mapped[str | None]
    purged: Mapped[int]
    purged_digest: Mapped[str]


class IdempotencyTable(Base):
    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_owner", "owner", "created_at"),)

    key_hash: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    run_id: Mapped[int] = mapped_column(refers("runs.id"))
    created_at: Mapped[datetime]


class LeaderTable(Base):
    __tablename__ = "leader"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    lease_until: Mapped[datetime]

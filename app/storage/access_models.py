"""Tables of access to Awase itself, and of what guards a single use: consents, keys, users, idempotency, leases."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.storage.base import Base, refers


class ConsentTable(Base):
    """An authorisation on its way: freee's answer is taken only for a state that we gave out, once, in time."""

    __tablename__ = "consents"

    state_hash: Mapped[str] = mapped_column(primary_key=True)
    connection_id: Mapped[int] = mapped_column(refers("connections.id"))
    verifier_enc: Mapped[str]
    redirect_uri: Mapped[str]
    expires_at: Mapped[datetime]


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


class UserTable(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class IdempotencyTable(Base):
    __tablename__ = "idempotency"

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

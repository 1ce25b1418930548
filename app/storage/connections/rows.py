"""What the repositories of connections hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.storage.enums import RefreshState


@dataclass(frozen=True)
class ConnectionStatus:
    """What operators see of a connection beside its settings."""

    id: int
    freee_company_name: str | None
    freee_external_cid: str | None
    refresh_state: RefreshState
    freee_refreshed_at: datetime | None
    freee_expires_at: datetime | None


@dataclass(frozen=True)
class PairRow:
    """When the access token of a connection was issued and when it ends."""

    connection_id: int
    issued_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True)
class ConsentRow:
    connection_id: int
    verifier: str = field(repr=False)
    redirect_uri: str
    expires_at: datetime
    link_hash: str | None = field(default=None, repr=False)
    """Of the mailed link by which it began; None: it began otherwise."""


@dataclass(frozen=True)
class WizardRow:
    """A connection that a user is setting up. `connection_id` is there once the user has confirmed the company."""

    id: int
    key: str
    connection_id: int | None
    name: str
    smarthr_subdomain: str
    seen: Mapping[str, Any] = field(repr=False)
    """What the check of SmartHR's token has shown (`use_cases.attributes`)."""
    mail_to: Sequence[str] = field(repr=False)
    """All recipients, those who read English included."""
    mail_english: Sequence[str] = field(repr=False)
    freee_company_id: int | None
    freee_company_name: str | None
    freee_external_cid: str | None
    created_at: datetime


@dataclass(frozen=True)
class WizardConsent:
    """The setup to which an answer of freee's authorisation belongs, with what is needed to finish it."""

    setup: WizardRow
    verifier: str = field(repr=False)
    redirect_uri: str


def pair_key(smarthr_subdomain: str, freee_company_id: int) -> str:
    """Tenant and company in one form. A subdomain is the same in capitals."""
    return f"{smarthr_subdomain.strip().lower()} {freee_company_id}"

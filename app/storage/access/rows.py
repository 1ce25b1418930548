"""What the repositories of access hand out: frozen rows whose repr hides secrets and personal values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.access.audit_chain import FIELDS, plain


@dataclass(frozen=True)
class KeyRow:
    id: int
    name: str
    prefix: str
    digest: str = field(repr=False)
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    made_by: str | None = field(repr=False)
    last_used_from: str | None = field(repr=False)


@dataclass(frozen=True)
class UserRow:
    id: int
    login: str = field(repr=False)
    password_hash: str = field(repr=False)
    role: str
    locale: str
    created_at: datetime
    disabled_at: datetime | None
    password_changed_at: datetime | None
    last_sign_in_at: datetime | None
    password_good_until: datetime | None
    """Not None: somebody else has made the password up, so it has to be changed, and opens nothing after this."""
    devices_known_by: int


@dataclass(frozen=True)
class SessionRow:
    """A session with its user, because every page needs both."""

    id: int
    user: UserRow
    created_at: datetime
    seen_at: datetime
    proved_at: datetime
    """When the password was given last."""
    address: str = field(repr=False)
    agent: str = field(repr=False)
    """What the browser calls itself, as sent at the sign-in."""


@dataclass(frozen=True)
class BrakeRow:
    attempts: int
    wait_until: datetime | None


@dataclass(frozen=True)
class InvitationRow:
    id: int
    mail: str = field(repr=False)
    role: str
    invited_by: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class AuditRow:
    """`position` None: an older version has written it, and no entry has taken it into the chain yet."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str = field(repr=False)
    detail: dict[str, Any] = field(repr=False)
    door: str | None = field(repr=False)
    address: str | None = field(repr=False)
    via: dict[str, Any] | None = field(repr=False)
    position: int | None
    digest: str | None = field(repr=False)
    seal: str | None = field(repr=False)

    @property
    def covered(self) -> dict[str, Any]:
        """What the digest of the entry covers."""
        return plain(**{name: getattr(self, name) for name in FIELDS})


@dataclass(frozen=True)
class AuditHead:
    """The end of the chain. `purged`: position up to which entries were purged; `purged_digest`: the digest there."""

    position: int
    digest: str = field(repr=False)
    seal: str | None = field(repr=False)
    purged: int = field(repr=False)
    purged_digest: str = field(repr=False)

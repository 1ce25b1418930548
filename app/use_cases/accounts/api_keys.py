"""Who may use Awase: API keys with scopes, and users.

A key reads `awase_<prefix>_<secret>`. The secret has 256 random bits, so one SHA-256 keeps it safe at rest and a
slow hash would only cost every request; a password is guessable and gets argon2id. The prefix finds the row, names
the key in logs and history, and is no secret.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum

import structlog

from app.domain.access.origin import current_origin
from app.domain.access.roles import Role
from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.domain.runs.dates import JAPAN, today_in_japan
from app.domain.settings.names import cleaned, is_clean
from app.storage.access.rows import KeyRow
from app.storage.repository import as_row
from app.storage.unit_of_work import UnitOfWork
from app.storage.vault import VaultError
from app.use_cases.accounts.new_passwords import check_chosen
from app.use_cases.accounts.passwords import hash_password
from app.use_cases.accounts.refusals import note_refused
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

_FORM = re.compile(r"awase_([0-9a-f]{12})_([0-9a-f]{64})")
_TOUCH_AFTER = timedelta(minutes=10)
_LOGIN = re.compile(r"[^\s\x00-\x1f\x7f]{1,254}")
_NO_DIGEST = "0" * 64
MAX_KEY_NAME = 100
ADDRESSES_A_DAY = 100
"""From how many addresses a day the uses of one key are noted."""


class Scope(StrEnum):
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    ACCOUNTS_WRITE = "accounts:write"
    EMPLOYEES_READ = "employees:read"
    OPS_READ = "ops:read"
    OPS_WRITE = "ops:write"
    PERSONAL_READ = "personal:read"


@dataclass(frozen=True)
class KeyView:
    prefix: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    made_by: str | None = field(default=None, repr=False)
    """The actor who made it; None: an older version of Awase did."""
    last_used_from: str | None = field(default=None, repr=False)
    """The address of its last use, to ten minutes as `last_used_at`."""


def add_key(ctx: Context, name: str, scopes: Iterable[str], *, by: str = "cli") -> str:
    """Make a new key and return it. Awase keeps only a hash of its secret, so it can never show the secret again.
    Raises Refused."""
    if not 1 <= len(name.strip()) <= MAX_KEY_NAME or not is_clean(name):
        raise Refused("invalid_key_name", longest=MAX_KEY_NAME)
    wanted = sorted({_scope(scope) for scope in scopes})
    if not wanted:
        raise Refused("empty_scopes")
    prefix, secret = secrets.token_hex(6), secrets.token_hex(32)
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        uow.keys.add(name=name.strip(), prefix=prefix, digest=hash_of(secret), scopes=wanted, now=now, by=by)
        detail = {"name": name.strip(), "scopes": wanted}
        uow.audit.add(actor=by, action="key_added", subject=f"key:{prefix}", now=now, detail=detail)
    return f"awase_{prefix}_{secret}"


def revoke_key(ctx: Context, prefix: str, *, by: str = "cli") -> None:
    """Revoke a key, so that Awase refuses it from now on. A second call changes nothing. Raises Refused when there is
    no such key."""
    with ctx.unit_of_work() as uow:
        if uow.keys.by_prefix(prefix) is None:
            raise Refused("unknown_key.listed", status=404)
        now = ctx.clock.now()
        if uow.keys.revoke(prefix, now=now):
            uow.audit.add(actor=by, action="key_revoked", subject=f"key:{prefix}", now=now)


def list_keys(ctx: Context) -> list[KeyView]:
    with ctx.unit_of_work().reading() as uow:
        return [_view(row) for row in uow.keys.all()]


def find_key(ctx: Context, prefix: str) -> KeyView | None:
    with ctx.unit_of_work().reading() as uow:
        row = uow.keys.by_prefix(prefix)
    return _view(row) if row else None


def verify_key(ctx: Context, token: str) -> KeyView | None:
    """The key behind a bearer token. None when the token is not valid; the caller does not learn for which reason."""
    match = _FORM.fullmatch(token)
    if match is None:
        return None
    prefix, secret = match.groups()
    with ctx.unit_of_work().reading() as uow:
        row = uow.keys.by_prefix(prefix)
    same = hmac.compare_digest(hash_of(secret).encode(), (row.digest if row else _NO_DIGEST).encode())
    if row is None or not same or row.revoked_at is not None:
        if row is not None and same:
            note_refused(ctx, action="key_refused", subject=f"key:{prefix}", actor=f"key:{prefix}")
        return None
    _note_use(ctx, row)
    return _view(row)


def add_user(ctx: Context, login: str, password: str, *, role: str = Role.MEMBER, by: str = "cli") -> None:
    """Add a user. Raises Refused: bad login, bad password, unknown role, login taken."""
    check_login(login)
    check_chosen(ctx, password, login=login)
    if role not in list(Role):
        raise Refused("invalid_role", roles=tuple(each.value for each in Role))
    hashed, now = hash_password(ctx.hasher, password), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if uow.users.by_login(login) is not None:
            raise Refused("login_taken", status=409)
        user = uow.users.add(login=login, password_hash=hashed, role=role, now=now)
        uow.audit.add(actor=by, action="user_added", subject=f"user:{user.id}", now=now, detail={"role": role})


def check_login(login: str) -> None:
    """Check the form of a login. Raises Refused when this text cannot be a login."""
    if not (_LOGIN.fullmatch(login) and is_clean(login)):
        raise Refused("invalid_login")


def _note_use(ctx: Context, row: KeyRow) -> None:
    """Store when the key was used, but only every few minutes, so that not every request waits for the write lock; and
    in the audit trail the first use from an address on a day (in Japan), up to ADDRESSES_A_DAY of them."""
    now, address = ctx.clock.now(), current_origin().address
    stale = row.last_used_at is None or now - row.last_used_at > _TOUCH_AFTER
    use = (row.prefix, address, today_in_japan(now))
    unseen = _SEEN.is_new(use)
    if not (stale or unseen):
        return
    try:
        _store_use(ctx, row, address, now, stale=stale, unseen=unseen)
    except Exception as error:
        _SEEN.forget(use)  # so that the next request notes it
        if not isinstance(error, VaultError):  # the trail's own key is locked: operators need theirs just then
            raise
        log.warning("key_use_not_noted", key=row.prefix)


def _store_use(ctx: Context, row: KeyRow, address: str, now: datetime, *, stale: bool, unseen: bool) -> None:
    with ctx.unit_of_work() as uow:
        if stale:
            uow.keys.touch(row.prefix, now=now, address=address or None)
        if unseen and _is_first_use(uow, row, address, now):
            subject, detail = f"key:{row.prefix}", {"name": row.name}
            uow.audit.add(actor=subject, action="key_used", subject=subject, now=now, detail=detail)


def _is_first_use(uow: UnitOfWork, row: KeyRow, address: str, now: datetime) -> bool:
    """Another process, or this one before it was started anew, may have noted it."""
    midnight = datetime.combine(today_in_japan(now), time.min, JAPAN)
    subject, used = f"key:{row.prefix}", ["key_used"]
    from_here = uow.audit.count_since(used, midnight, subject=subject, address=address)
    return not from_here and uow.audit.count_since(used, midnight, subject=subject) < ADDRESSES_A_DAY


class _Seen:
    """The last uses that this process has looked up: most requests then ask the database nothing."""

    MOST = 10_000

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str, date], None] = {}
        self._lock = threading.Lock()

    def is_new(self, use: tuple[str, str, date]) -> bool:
        with self._lock:
            if use in self._uses:
                return False
            if len(self._uses) >= self.MOST:
                self._uses.pop(next(iter(self._uses)))
            self._uses[use] = None
            return True

    def forget(self, use: tuple[str, str, date]) -> None:
        with self._lock:
            self._uses.pop(use, None)


_SEEN = _Seen()


def _scope(text: str) -> Scope:
    if text not in list(Scope):
        raise Refused("unknown_scope", scopes=", ".join(Scope))
    return Scope(text)


def _view(row: KeyRow) -> KeyView:
    """A key as its readers see it. A scope that a newer version of Awase has written is left out, because a word that
    this version does not know must not open anything."""
    known = frozenset(Scope(s) for s in row.scopes if s in list(Scope))
    return as_row(KeyView, row, name=cleaned(row.name), scopes=known)

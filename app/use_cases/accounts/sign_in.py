"""Signing in with a password. Sessions are rows here, so that they can end by idleness, by age, and everywhere at once.

The token stands in the browser's cookie only; the database keeps its hash. So a thief who has the database cannot sign
in with it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.domain.access.browsers import LONGEST_ADDRESS, LONGEST_AGENT, bounded
from app.domain.access.origin import current_origin
from app.domain.access.roles import Permission, Role
from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.storage.access.rows import SessionRow, UserRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.brakes import Browser, TooManyAttempts, begin_attempt
from app.use_cases.accounts.passwords import hash_password, is_outdated, is_right
from app.use_cases.accounts.refusals import NOBODY, note_refused
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

IDLE = timedelta(hours=1)
ABSOLUTE = timedelta(hours=12)
INVITATIONS_KEPT = timedelta(days=30)
_TOUCH_AFTER = timedelta(minutes=1)
_NOWHERE = Browser()


@dataclass(frozen=True)
class SignedIn:
    """The user who is signed in and uses the screens."""

    user_id: int
    login: str = field(repr=False)
    role: Role
    locale: str
    must_change: bool = False
    """True: somebody else has made the password up, and nothing is open before it is changed."""
    proved_at: datetime | None = None
    """When the password was given last in this session."""

    @property
    def actor(self) -> str:
        """The word by which runs and the audit trail name this user."""
        return f"user:{self.user_id}"

    def may(self, permission: Permission) -> bool:
        return permission in self.role.permissions


def sign_in(ctx: Context, login: str, password: str, browser: Browser = _NOWHERE) -> str:
    """Sign a user in. Returns the token of a new session. Raises TooManyAttempts; Refused("sign_in_failed") for every
    reason alike; Refused("password_expired") for the right password, if somebody else has made it up and it was used
    already or is too old."""
    with ctx.unit_of_work().reading() as uow:
        user = uow.users.by_typed(login) if login.isprintable() else None
    try:
        attempt = begin_attempt(ctx, login, user, browser)
    except TooManyAttempts:
        note_refused(ctx, actor=NOBODY, action="sign_in_braked", subject=_subject(user))
        raise
    if not is_right(ctx.hasher, user.password_hash if user else None, password) or user is None:
        raise _failed(ctx, user)
    renewed = hash_password(ctx.hasher, password) if is_outdated(ctx.hasher, user.password_hash) else user.password_hash
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        held = uow.users.hold(user.id)
        good = held is not None and held.disabled_at is None and held.password_hash == user.password_hash
        if good and held is not None:
            _use_up(uow, held, now)
            _tidy(uow, now)
            attempt.was_right(uow, now=now)
            uow.users.change(user.id, last_sign_in_at=now, password_hash=renewed)
            token = begin_session(uow, user.id, now=now, browser=browser)
            uow.audit.add(actor=f"user:{user.id}", action="signed_in", subject=f"user:{user.id}", now=now)
    if not good:
        raise _failed(ctx, user)
    log.info("signed_in", user_id=user.id)
    return token


def begin_session(uow: UnitOfWork, user_id: int, *, now: datetime, browser: Browser = _NOWHERE) -> str:
    """Begin a session inside the caller's transaction. Returns its token."""
    token = secrets.token_urlsafe(32)
    seen = {"address": bounded(browser.address, LONGEST_ADDRESS), "agent": bounded(browser.agent, LONGEST_AGENT)}
    uow.sessions.add(token_hash=hash_of(token), user_id=user_id, now=now, **seen)
    return token


def _use_up(uow: UnitOfWork, user: UserRow, now: datetime) -> None:
    """A password that somebody else has made up opens one session, and none after its time. Raises Refused."""
    if user.password_good_until is None:
        return
    if user.password_good_until <= now:
        raise Refused("password_expired", status=401)
    uow.users.change(user.id, password_good_until=now)


def _failed(ctx: Context, user: UserRow | None) -> Refused:
    """Note the failed sign-in. Writes the same row whether a user has this login or not, so that the time it takes does
    not tell a stranger which logins exist."""
    note_refused(ctx, actor=NOBODY, action="sign_in_failed", subject=_subject(user))
    log.warning("sign_in_failed", user_id=user.id if user else None, address=current_origin().address)
    return Refused("sign_in_failed", status=401)


def _subject(user: UserRow | None) -> str:
    return f"user:{user.id}" if user else "user:0"


def _tidy(uow: UnitOfWork, now: datetime) -> None:
    """Delete sessions and invitations that are too old. Done when a user signs in, because that transaction writes
    anyway."""
    uow.sessions.end_old(seen_before=now - IDLE, begun_before=now - ABSOLUTE)
    uow.invitations.forget(now - INVITATIONS_KEPT)


def signed_in_by(ctx: Context, token: str) -> SignedIn | None:
    """The user to whom the session with this token belongs. None when the session has ended or its user may
    no longer sign in."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        session = uow.sessions.find(hash_of(token))
    if session is None or session.user.disabled_at is not None or session.user.role not in list(Role):
        return None
    if not is_alive(session, now):
        return None
    _touch(ctx, session)
    user = session.user
    must_change = user.password_good_until is not None
    return SignedIn(user.id, user.login, Role(user.role), user.locale, must_change, session.proved_at)


def is_alive(session: SessionRow, now: datetime) -> bool:
    """Whether the session is neither unused for longer than IDLE nor older than ABSOLUTE."""
    return now - session.seen_at <= IDLE and now - session.created_at <= ABSOLUTE


def sign_out(ctx: Context, token: str) -> None:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        session = uow.sessions.find(hash_of(token))
        if session is not None:
            uow.sessions.end(hash_of(token))
            actor = f"user:{session.user.id}"
            uow.audit.add(actor=actor, action="signed_out", subject=actor, now=now)


def _touch(ctx: Context, session: SessionRow) -> None:
    """Store when the session was used, but not at every request, so that a page does not wait for the write lock."""
    now = ctx.clock.now()
    if now - session.seen_at > _TOUCH_AFTER:
        with ctx.unit_of_work() as uow:
            uow.sessions.touch(session.id, now=now)

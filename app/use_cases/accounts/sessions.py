"""The sessions of a user, one by one: seen and ended by the user, or by an administrator. An ended session is gone from
the database, so its browser is signed out with its next request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.domain.access.browsers import browser_words
from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.storage.access.rows import SessionRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.sign_in import SignedIn, is_alive
from app.use_cases.context import Context

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SessionView:
    id: int
    began_at: datetime
    seen_at: datetime
    address: str = field(repr=False)
    browser: str
    """Browser and system in words; "" when neither is known."""
    this: bool
    """True: the session with which the page is asked for."""


def my_sessions(ctx: Context, who: SignedIn, *, token: str) -> tuple[SessionView, ...]:
    """The user's own sessions that have not ended, the last used first. `token`: that of the session that asks."""
    with ctx.unit_of_work().reading() as uow:
        mine = uow.sessions.find(hash_of(token))
        return _views(uow.sessions.of_user(who.user_id), mine.id if mine else None, ctx.clock.now())


def sessions_of(ctx: Context, user_id: int, *, token: str) -> tuple[str, tuple[SessionView, ...]]:
    """(login, sessions) of any user, for an administrator. Raises Refused: unknown user."""
    with ctx.unit_of_work().reading() as uow:
        user, mine = uow.users.get(user_id), uow.sessions.find(hash_of(token))
        if user is None:
            raise unknown_user()
        return user.login, _views(uow.sessions.of_user(user_id), mine.id if mine else None, ctx.clock.now())


def end_session(ctx: Context, session_id: int, *, user_id: int, by: SignedIn) -> None:
    """End one session of this user. A session that is over already changes nothing."""
    with ctx.unit_of_work() as uow:
        if uow.sessions.end_one(session_id, user_id=user_id):
            _note(ctx, uow, "session_ended", user_id, by=by, sessions=1)


def end_other_sessions(ctx: Context, who: SignedIn, *, token: str) -> int:
    """End every session of this user except the one with that token, and forget the devices. Returns how many."""
    with ctx.unit_of_work() as uow:
        mine = uow.sessions.find(hash_of(token))
        ended = uow.sessions.end_others(mine.id, user_id=who.user_id) if mine else 0
        uow.users.forget_devices(who.user_id)
        _note(ctx, uow, "other_sessions_ended", who.user_id, by=who, sessions=ended)
    return ended


def end_sessions_of(ctx: Context, user_id: int, *, by: SignedIn) -> int:
    """End every session of a user, and forget the devices. Returns how many there were. Raises Refused: unknown
    user."""
    with ctx.unit_of_work() as uow:
        if uow.users.get(user_id) is None:
            raise unknown_user()
        ended = end_everything(uow, user_id)
        _note(ctx, uow, "sessions_ended", user_id, by=by, sessions=ended)
    return ended


def end_everything(uow: UnitOfWork, user_id: int) -> int:
    """End all sessions of a user, and make the cookies of all devices worthless by which the user is known."""
    uow.users.forget_devices(user_id)
    return uow.sessions.end_all(user_id)


def _note(ctx: Context, uow: UnitOfWork, action: str, user_id: int, *, by: SignedIn, sessions: int) -> None:
    subject, detail = f"user:{user_id}", {"sessions": sessions}
    uow.audit.add(actor=by.actor, action=action, subject=subject, now=ctx.clock.now(), detail=detail)
    log.info(action, user_id=user_id, by=by.actor, sessions=sessions)


def _views(rows: Sequence[SessionRow], mine: int | None, now: datetime) -> tuple[SessionView, ...]:
    return tuple(
        SessionView(row.id, row.created_at, row.seen_at, row.address, browser_words(row.agent), row.id == mine)
        for row in rows
        if is_alive(row, now)
    )


def unknown_user() -> Refused:
    return Refused("unknown_user", status=404)

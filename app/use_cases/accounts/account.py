"""What users do with their own account: change the password and the language, see their sessions, end all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.access.passwords import check_password
from app.domain.errors import Refused
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.passwords import hash_password, is_right
from app.use_cases.accounts.refusals import note_refused
from app.use_cases.accounts.sign_in import SignedIn, begin_session, hash_of, is_alive
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

LOCALES = ("ja", "en")


@dataclass(frozen=True)
class SessionView:
    began_at: datetime
    seen_at: datetime
    this: bool
    """True: the session with which the user asks."""


@dataclass(frozen=True)
class Account:
    """What a user sees of their own account."""

    password_changed_at: datetime | None
    """None: the user still has the first password."""
    created_at: datetime
    sessions: tuple[SessionView, ...]
    """Sessions that have not ended, the last used first."""


def account_of(ctx: Context, who: SignedIn, *, token: str) -> Account:
    """The user's own account. `token`: that of the session with which the user asks. Raises
    Refused("session_ended")."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        mine = uow.sessions.find(hash_of(token))
        alive = [session for session in uow.sessions.of_user(who.user_id) if is_alive(session, now)]
    if mine is None:
        raise _ended()
    sessions = (SessionView(s.created_at, s.seen_at, this=s.id == mine.id) for s in alive)
    return Account(mine.user.password_changed_at, mine.user.created_at, tuple(sessions))


def change_password(ctx: Context, who: SignedIn, *, current: str, new: str) -> str:
    """Change the password and end all sessions of the user. Returns the token of a new session. Raises Refused with the
    field that is wrong."""
    with ctx.unit_of_work().reading() as uow:
        user = uow.users.get(who.user_id)
    if user is None or not is_right(user.password_hash, current):
        note_refused(ctx, actor=who.actor, action="password_change_failed", subject=who.actor)
        raise _wrong_password()
    check_password(new, login=user.login)
    if new == current:
        message = "いまのパスワードと同じです。別のものにしてください。"
        raise Refused("password_unchanged", message, fields={"password": message})
    hashed, now = hash_password(new), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        held = uow.users.hold(user.id)
        if held is None or held.disabled_at is not None or held.password_hash != user.password_hash:
            raise _wrong_password()
        renew_password(uow, user.id, hashed, now=now)
        token = begin_session(uow, user.id, now=now)
        uow.audit.add(actor=who.actor, action="password_changed", subject=who.actor, now=now)
    log.info("password_changed", user_id=user.id)
    return token


def renew_password(uow: UnitOfWork, user_id: int, hashed: str, *, now: datetime) -> None:
    """Store a new password and end all sessions, so that a stranger who knew the old password is signed out."""
    uow.users.change(user_id, password_hash=hashed, password_changed_at=now)
    uow.sessions.end_all(user_id)


def choose_locale(ctx: Context, who: SignedIn, locale: str) -> None:
    """Store the language of the screens with the account. Raises Refused for a language that Awase does not have."""
    if locale not in LOCALES:
        raise Refused("unknown_locale", "この言語は選べません。")
    with ctx.unit_of_work() as uow:
        uow.users.change(who.user_id, locale=locale)
        moved = {"locale": (who.locale, locale)}
        uow.audit.add(actor=who.actor, action="locale_changed", subject=who.actor, now=ctx.clock.now(), changes=moved)


def sign_out_everywhere(ctx: Context, who: SignedIn) -> int:
    """End every session of this user, also the one with which the user asks. Returns how many there were."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        ended = uow.sessions.end_all(who.user_id)
        detail = {"sessions": ended}
        uow.audit.add(actor=who.actor, action="signed_out_everywhere", subject=who.actor, now=now, detail=detail)
    log.info("signed_out_everywhere", user_id=who.user_id, sessions=ended)
    return ended


def _wrong_password() -> Refused:
    message = "いまのパスワードが違います。"
    return Refused("wrong_password", message, fields={"current": message})


def _ended() -> Refused:
    return Refused("session_ended", "サインインの期限が切れました。もう一度サインインしてください。", status=401)

"""What users do with their own account: change the password and the language, end all sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.brakes import Browser
from app.use_cases.accounts.new_passwords import check_chosen
from app.use_cases.accounts.passwords import hash_password, is_right
from app.use_cases.accounts.proof import check_own_password, wrong_password
from app.use_cases.accounts.sessions import end_everything
from app.use_cases.accounts.sign_in import SignedIn, begin_session, is_alive
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

LOCALES = ("ja", "en")


@dataclass(frozen=True)
class Account:
    """What a user sees of their own account."""

    password_changed_at: datetime | None
    """None: the user still has the first password."""
    created_at: datetime
    sessions: int
    """How many sessions of the user have not ended."""


def account_of(ctx: Context, who: SignedIn, *, token: str) -> Account:
    """The user's own account. `token`: that of the session with which the user asks. Raises
    Refused("session_ended")."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        mine = uow.sessions.find(hash_of(token))
        alive = sum(is_alive(session, now) for session in uow.sessions.of_user(who.user_id))
    if mine is None:
        raise _ended()
    return Account(mine.user.password_changed_at, mine.user.created_at, alive)


def change_password(ctx: Context, who: SignedIn, *, current: str, new: str, browser: Browser) -> str:
    """Change the password and end all sessions of the user. Returns the token of a new session. Raises
    TooManyAttempts; Refused with the field that is wrong."""
    attempt, user = check_own_password(ctx, who, current, browser=browser, action="password_change_failed")
    with ctx.unit_of_work() as uow:
        attempt.was_right(uow, now=ctx.clock.now())
    check_chosen(ctx, new, login=user.login)
    if new == current:
        raise _unchanged()
    return _replace_password(ctx, who, new, was=user.password_hash, browser=browser)


def choose_password(ctx: Context, who: SignedIn, new: str, *, browser: Browser) -> str:
    """Replace a password that somebody else has made up, in the one session that it has opened. Returns the token of a
    new session. Raises Refused."""
    with ctx.unit_of_work().reading() as uow:
        user = uow.users.get(who.user_id)
    if user is None or user.password_good_until is None:
        raise Refused("password_is_own", status=409)
    check_chosen(ctx, new, login=user.login)
    if is_right(ctx.hasher, user.password_hash, new):
        raise _unchanged()
    return _replace_password(ctx, who, new, was=user.password_hash, browser=browser)


def _replace_password(ctx: Context, who: SignedIn, new: str, *, was: str, browser: Browser) -> str:
    """`was`: the hash of the password before. When another one stands there by now, nothing changes."""
    hashed, now = hash_password(ctx.hasher, new), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        held = uow.users.hold(who.user_id)
        if held is None or held.disabled_at is not None or held.password_hash != was:
            raise wrong_password()
        detail = {"sessions": renew_password(uow, who.user_id, hashed, now=now)}
        token = begin_session(uow, who.user_id, now=now, browser=browser)
        uow.audit.add(actor=who.actor, action="password_changed", subject=who.actor, now=now, detail=detail)
    log.info("password_changed", user_id=who.user_id)
    return token


def renew_password(
    uow: UnitOfWork, user_id: int, hashed: str, *, now: datetime, good_until: datetime | None = None
) -> int:
    """Store a new password and end all sessions, so that a stranger who knew the old password is signed out.
    `good_until`: for a password that the user has not chosen. Returns how many sessions there were."""
    uow.users.change(user_id, password_hash=hashed, password_changed_at=now, password_good_until=good_until)
    return end_everything(uow, user_id)


def choose_locale(ctx: Context, who: SignedIn, locale: str) -> None:
    """Store the language of the screens with the account. Raises Refused for a language that Awase does not have."""
    if locale not in LOCALES:
        raise Refused("unknown_locale")
    with ctx.unit_of_work() as uow:
        uow.users.change(who.user_id, locale=locale)
        moved = {"locale": (who.locale, locale)}
        uow.audit.add(actor=who.actor, action="locale_changed", subject=who.actor, now=ctx.clock.now(), changes=moved)


def sign_out_everywhere(ctx: Context, who: SignedIn) -> int:
    """End every session of this user, also the one with which the user asks. Returns how many there were."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        ended = end_everything(uow, who.user_id)
        detail = {"sessions": ended}
        uow.audit.add(actor=who.actor, action="signed_out_everywhere", subject=who.actor, now=now, detail=detail)
    log.info("signed_out_everywhere", user_id=who.user_id, sessions=ended)
    return ended


def _unchanged() -> Refused:
    return Refused("password_unchanged", fields=("password",))


def _ended() -> Refused:
    return Refused("session_ended", status=401)

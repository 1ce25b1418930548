"""A fresh proof: before somebody's rights change, whoever changes them gives the password again.

A session lasts for hours. Whoever finds a browser that its owner has left, or steals its cookie, must not be able to
turn it into a right of their own. A sign-in is a proof itself; it counts for a few minutes.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.storage.access.rows import UserRow
from app.use_cases.accounts.brakes import Attempt, Browser, begin_proof
from app.use_cases.accounts.passwords import is_right
from app.use_cases.accounts.refusals import note_refused
from app.use_cases.accounts.sign_in import SignedIn
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

FRESH = timedelta(minutes=5)


def is_fresh(ctx: Context, who: SignedIn) -> bool:
    """Whether this session has proved within FRESH that its user sits there."""
    return who.proved_at is not None and ctx.clock.now() - who.proved_at <= FRESH


def prove(ctx: Context, who: SignedIn, password: str, *, token: str, browser: Browser) -> None:
    """Make the session with this token fresh, by the user's password. Raises Refused("wrong_password"),
    TooManyAttempts."""
    attempt, _ = check_own_password(ctx, who, password, browser=browser, action="proof_failed")
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        session = uow.sessions.find(hash_of(token))
        if session is None:
            raise wrong_password()
        attempt.was_right(uow, now=now)
        uow.sessions.prove(session.id, now=now)


def check_own_password(
    ctx: Context, who: SignedIn, password: str, *, browser: Browser, action: str
) -> tuple[Attempt, UserRow]:
    """The user whose own password this is, and the attempt, which the caller takes back. It also brakes guessing at a
    browser that its owner left alone. `action`: what the audit trail calls a wrong one. Raises TooManyAttempts,
    Refused("wrong_password")."""
    attempt = begin_proof(ctx, who.user_id, browser)
    with ctx.unit_of_work().reading() as uow:
        user = uow.users.get(who.user_id)
    if user is None or not is_right(ctx.hasher, user.password_hash, password):
        note_refused(ctx, actor=who.actor, action=action, subject=who.actor)
        log.warning(action, user_id=who.user_id, address=browser.address)
        raise wrong_password()
    return attempt, user


def wrong_password() -> Refused:
    return Refused("wrong_password", fields=("current",))

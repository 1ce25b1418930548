"""The first administrator of an installation: made only when there is no user yet, with a password that is shown
once."""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog

from app.domain.access.passwords import new_password
from app.domain.access.roles import Role
from app.use_cases.accounts.api_keys import check_login
from app.use_cases.accounts.passwords import hash_password
from app.use_cases.accounts.users import CLI
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

USUAL_LOGIN = "admin"


@dataclass(frozen=True)
class FirstStart:
    login: str = field(repr=False)
    """The login of an administrator: of the new one, or of the oldest who can sign in."""
    password: str | None = field(repr=False)
    """The new administrator's password. None: there were users already, so no administrator was made."""


def has_users(ctx: Context) -> bool:
    with ctx.unit_of_work().reading() as uow:
        return bool(uow.users.all())


def first_administrator(ctx: Context, *, login: str = USUAL_LOGIN) -> FirstStart:
    """Make the first administrator, unless there are users already. Raises Refused for a text that cannot be a
    login."""
    check_login(login)
    password = new_password()
    hashed, now = hash_password(ctx.hasher, password), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        there = uow.users.held()
        if there:
            able = [user for user in there if user.role == Role.ADMIN and user.disabled_at is None]
            return FirstStart((able or there)[0].login, None)
        user = uow.users.add(login=login, password_hash=hashed, role=Role.ADMIN, now=now)
        uow.audit.add(actor=CLI, action="user_added", subject=f"user:{user.id}", now=now, detail={"role": Role.ADMIN})
    log.info("first_administrator_made", user_id=user.id)
    return FirstStart(login, password)

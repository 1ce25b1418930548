"""The users of the screens, as an administrator sees and changes them: role, disabled or not, a new password.

Each change that takes a right or a password away from a user ends all sessions of that user in the same transaction.
There is always at least one administrator who can sign in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.domain.access.passwords import new_password
from app.domain.access.roles import Permission, Role
from app.domain.errors import Refused
from app.storage.access.audit import CHANGED, Changes
from app.storage.access.rows import UserRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.account import renew_password
from app.use_cases.accounts.passwords import hash_password
from app.use_cases.accounts.sessions import end_everything, unknown_user
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

CLI = "cli"
"""The actor in the audit trail for commands on the command line."""
RESET_GOOD_FOR = timedelta(hours=24)
"""How long a password that somebody else has made up may wait for its one use."""


@dataclass(frozen=True)
class UserView:
    id: int
    login: str = field(repr=False)
    role: Role | None
    """None: a newer version of Awase has written a role that this version does not know. It allows nothing here."""
    created_at: datetime
    last_sign_in_at: datetime | None
    disabled_at: datetime | None


def list_users(ctx: Context) -> list[UserView]:
    """All users, oldest first, the disabled ones included."""
    with ctx.unit_of_work().reading() as uow:
        return [view_of(row) for row in uow.users.all()]


def user_id_of(ctx: Context, login: str) -> int:
    """The id of the user with this login. Raises Refused when no user has it."""
    with ctx.unit_of_work().reading() as uow:
        row = uow.users.by_typed(login)
    if row is None:
        raise unknown_user()
    return row.id


def login_of(ctx: Context, user_id: int) -> str:
    """The login of a user. Raises Refused when there is no such user."""
    with ctx.unit_of_work().reading() as uow:
        row = uow.users.get(user_id)
    if row is None:
        raise unknown_user()
    return row.login


def set_role(ctx: Context, user_id: int, role: str, *, by: str) -> None:
    """Give a user another role. Raises Refused: unknown user or role, or the user is the last administrator."""
    if role not in list(Role):
        raise Refused("invalid_role", roles=tuple(each.value for each in Role))
    with _changing(ctx, user_id) as (uow, user):
        if user.role == role:
            return
        if role != Role.ADMIN:
            _keep_one_administrator(uow, user)
        uow.users.change(user_id, role=role)
        invites = Permission.MANAGE_PEOPLE in Role(role).permissions
        ended = _take_away(uow, user, now=ctx.clock.now(), invites=invites)
        changes = {"role": (user.role, role)}
        _note(ctx, uow, by=by, action="role_changed", user_id=user_id, changes=changes, ended=ended)


def disable(ctx: Context, user_id: int, *, by: str) -> None:
    """Disable a user, who can then no longer sign in. A second call changes nothing. Raises Refused: unknown user, or
    the user is the last administrator."""
    with _changing(ctx, user_id) as (uow, user):
        if user.disabled_at is not None:
            return
        _keep_one_administrator(uow, user)
        now = ctx.clock.now()
        uow.users.change(user_id, disabled_at=now)
        ended = _take_away(uow, user, now=now, invites=False)
        _note(ctx, uow, by=by, action="user_disabled", user_id=user_id, ended=ended)


def enable(ctx: Context, user_id: int, *, by: str) -> None:
    """Let a disabled user sign in again. A second call changes nothing. Raises Refused: unknown user."""
    with _changing(ctx, user_id) as (uow, user):
        if user.disabled_at is not None:
            uow.users.change(user_id, disabled_at=None)
            _note(ctx, uow, by=by, action="user_enabled", user_id=user_id)


def reset_password(ctx: Context, user_id: int, *, by: str) -> str:
    """Give a user a new password that Awase makes up, and return it. Awase keeps only its hash, so it can never show
    the password again. It opens one session, within RESET_GOOD_FOR, in which it has to be changed, except where a
    script has to get by with it (`_stays`). Raises Refused: unknown user."""
    password = new_password()
    hashed, now = hash_password(ctx.hasher, password), ctx.clock.now()
    with _changing(ctx, user_id) as (uow, user):
        good_until = None if _stays(ctx, uow, user, by=by) else now + RESET_GOOD_FOR
        ended = renew_password(uow, user.id, hashed, now=now, good_until=good_until)
        changes = {"password": ("", CHANGED)}
        _note(ctx, uow, by=by, action="password_reset", user_id=user_id, changes=changes, ended=ended)
    return password


def _stays(ctx: Context, uow: UnitOfWork, user: UserRow, *, by: str) -> bool:
    """Whether a password of ours need not be changed: everywhere in the practice house, and for the first administrator
    when the command line asks. Whoever can give commands on the machine has everything anyway, and scripts sign in with
    what such a command has printed."""
    first = min(each.id for each in uow.users.all())
    return bool(ctx.settings.practice_path) or (by == CLI and user.id == first)


def view_of(row: UserRow) -> UserView:
    role = Role(row.role) if row.role in list(Role) else None
    return UserView(row.id, row.login, role, row.created_at, row.last_sign_in_at, row.disabled_at)


@contextmanager
def _changing(ctx: Context, user_id: int) -> Iterator[tuple[UnitOfWork, UserRow]]:
    """A transaction in which no other process changes users. Otherwise two administrators could disable each other at
    the same moment, and none would be left."""
    with ctx.unit_of_work() as uow:
        user = next((each for each in uow.users.held() if each.id == user_id), None)
        if user is None:
            raise unknown_user()
        yield uow, user


def _keep_one_administrator(uow: UnitOfWork, user: UserRow) -> None:
    able = [each.id for each in uow.users.all() if each.role == Role.ADMIN and each.disabled_at is None]
    if able == [user.id]:
        raise Refused("last_administrator", status=409)


def _take_away(uow: UnitOfWork, user: UserRow, *, now: datetime, invites: bool) -> int:
    """Returns how many sessions were ended."""
    if not invites:
        uow.invitations.revoke_of(user.id, now=now)
    return end_everything(uow, user.id)


def _note(
    ctx: Context,
    uow: UnitOfWork,
    *,
    by: str,
    action: str,
    user_id: int,
    changes: Changes | None = None,
    ended: int = 0,
) -> None:
    """`ended`: how many sessions of the user this has ended."""
    detail = {"sessions": ended} if ended else None
    subject, now = f"user:{user_id}", ctx.clock.now()
    uow.audit.add(actor=by, action=action, subject=subject, now=now, detail=detail, changes=changes)
    log.info(action, user_id=user_id, by=by)

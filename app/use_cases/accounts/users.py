"""The users of the screens, as an administrator sees and changes them: role, disabled or not, a new password.

Whatever takes something away from a user ends all their sessions in the same transaction. There is always one
administrator who can sign in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from app.domain.access.passwords import new_password
from app.domain.access.roles import Permission, Role
from app.domain.errors import Refused
from app.storage.access.rows import UserRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.account import renew_password
from app.use_cases.accounts.passwords import hash_password
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

CLI = "cli"
"""The actor of what is done on the command line."""


@dataclass(frozen=True)
class UserView:
    id: int
    login: str = field(repr=False)
    role: Role | None
    """None: a word that a newer version has written. It allows nothing here."""
    created_at: datetime
    last_sign_in_at: datetime | None
    disabled_at: datetime | None


def list_users(ctx: Context) -> list[UserView]:
    """Everybody, oldest first, the disabled included."""
    with ctx.unit_of_work().reading() as uow:
        return [view_of(row) for row in uow.users.all()]


def user_id_of(ctx: Context, login: str) -> int:
    """Raises Refused when nobody has this login."""
    with ctx.unit_of_work().reading() as uow:
        row = uow.users.by_typed(login)
    if row is None:
        raise _unknown()
    return row.id


def set_role(ctx: Context, user_id: int, role: str, *, by: str) -> None:
    """Raises Refused: unknown user or role, or the last administrator."""
    if role not in list(Role):
        raise Refused("invalid_role", f"役割は {'、'.join(Role)} から指定してください。")
    with _changing(ctx, user_id) as (uow, user):
        if user.role == role:
            return
        if role != Role.ADMIN:
            _keep_one_administrator(uow, user)
        uow.users.change(user_id, role=role)
        _take_away(uow, user, now=ctx.clock.now(), invites=Permission.MANAGE_PEOPLE in Role(role).permissions)
        _note(ctx, uow, by=by, action="role_changed", user_id=user_id, detail={"from": user.role, "to": role})


def disable(ctx: Context, user_id: int, *, by: str) -> None:
    """Raises Refused: unknown user, or the last administrator. A second time changes nothing."""
    with _changing(ctx, user_id) as (uow, user):
        if user.disabled_at is not None:
            return
        _keep_one_administrator(uow, user)
        now = ctx.clock.now()
        uow.users.change(user_id, disabled_at=now)
        _take_away(uow, user, now=now, invites=False)
        _note(ctx, uow, by=by, action="user_disabled", user_id=user_id)


def enable(ctx: Context, user_id: int, *, by: str) -> None:
    """Raises Refused: unknown user. A second time changes nothing."""
    with _changing(ctx, user_id) as (uow, user):
        if user.disabled_at is not None:
            uow.users.change(user_id, disabled_at=None)
            _note(ctx, uow, by=by, action="user_enabled", user_id=user_id)


def reset_password(ctx: Context, user_id: int, *, by: str) -> str:
    """A new password of our making; the answer is the only time it is seen. Raises Refused: unknown user."""
    password = new_password()
    hashed = hash_password(password)
    with _changing(ctx, user_id) as (uow, user):
        renew_password(uow, user.id, hashed, now=ctx.clock.now())
        _note(ctx, uow, by=by, action="password_reset", user_id=user_id)
    return password


def view_of(row: UserRow) -> UserView:
    role = Role(row.role) if row.role in list(Role) else None
    return UserView(row.id, row.login, role, row.created_at, row.last_sign_in_at, row.disabled_at)


@contextmanager
def _changing(ctx: Context, user_id: int) -> Iterator[tuple[UnitOfWork, UserRow]]:
    """A transaction in which nobody else changes users: two administrators could each retire the other otherwise."""
    with ctx.unit_of_work() as uow:
        user = next((each for each in uow.users.held() if each.id == user_id), None)
        if user is None:
            raise _unknown()
        yield uow, user


def _keep_one_administrator(uow: UnitOfWork, user: UserRow) -> None:
    able = [each.id for each in uow.users.all() if each.role == Role.ADMIN and each.disabled_at is None]
    if able == [user.id]:
        message = "最後の管理者です。先に、ほかの人を管理者にしてください。"
        raise Refused("last_administrator", message, status=409)


def _take_away(uow: UnitOfWork, user: UserRow, *, now: datetime, invites: bool) -> None:
    uow.sessions.end_all(user.id)
    if not invites:
        uow.invitations.revoke_of(user.id, now=now)


def _note(
    ctx: Context, uow: UnitOfWork, *, by: str, action: str, user_id: int, detail: dict[str, str] | None = None
) -> None:
    uow.audit.add(actor=by, action=action, subject=f"user:{user_id}", now=ctx.clock.now(), detail=detail)
    log.info(action, user_id=user_id, by=by)


def _unknown() -> Refused:
    return Refused("unknown_user", "この利用者はいません。一覧で確認してください。", status=404)

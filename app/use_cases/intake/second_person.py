"""The second person's decision: who may approve or decline what waits for one, and the emergency way.

A run that waits for a second person (`decide_until`) is approved and cancelled as every preview is; here is what that
asks for besides. The emergency way is one administrator with a reason: all administrators are told, and the run shows
for ever that one person has decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.access.roles import Permission, Role
from app.domain.access.second_person import WhyNot, why_not_second
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Connection
from app.domain.settings.names import cleaned
from app.storage.access.rows import UserRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.second_person_notices import tell_decided_alone
from app.use_cases.shared.second_persons import actor_of, entitled_users, expired, no_user

SHORTEST_REASON, LONGEST_REASON = 10, 1000


@dataclass(frozen=True)
class Alone:
    """The emergency way: an administrator who decides alone, and why."""

    administrator: int
    reason: str = field(repr=False)


def check_decision(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, *, by: str, alone: Alone | None
) -> None:
    """Check that this actor may approve the run, if it waits for a second person. The emergency way is stored and told
    in the same transaction. Raises Refused."""
    if run.decide_until is None:
        if alone is not None:
            raise Refused("waits_for_nobody", status=409)
        return
    if run.decide_until <= ctx.clock.now():
        raise expired()
    if alone is not None:
        _decide_alone(ctx, uow, run, connection, by=by, alone=alone)
    elif why := why_not(uow, run, connection, by):
        raise _refusal(why)


def why_not(uow: UnitOfWork, run: RunRow, connection: Connection, by: str) -> WhyNot | None:
    """Why this actor cannot be the second person of the run; None: they can."""
    return why_not_second(
        by,
        first=run.first_by or (),
        switched_off_by=connection.two_persons_off_by,
        entitled=frozenset(actor_of(user) for user in entitled_users(uow)),
    )


def check_decline(run: RunRow, *, by: str) -> None:
    """Check that this actor may decline what waits. Nothing is written by that, so whoever has asked may withdraw it;
    a program decides on nothing that it has not asked for. Raises Refused."""
    if run.decide_until is None or by in (run.first_by or ()) or not by.startswith(("key:", "api")):
        return
    raise _refusal(WhyNot.NO_USER)


def _decide_alone(ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, *, by: str, alone: Alone) -> None:
    administrator = _administrator(uow, alone.administrator)
    reason = checked_reason(alone.reason)
    now: datetime = ctx.clock.now()
    uow.second_persons.keep_reason(run.id, reason)
    detail = {"administrator": actor_of(administrator)}
    uow.audit.add(actor=by, action="decided_alone", subject=f"run:{run.public_id}", now=now, detail=detail)
    tell_decided_alone(ctx, uow, run, connection, administrator, reason)


def checked_reason(reason: str) -> str:
    """Raises Refused: no reason, or too short to tell anybody anything."""
    given = cleaned(reason).strip()
    if not SHORTEST_REASON <= len(given) <= LONGEST_REASON:
        raise Refused("reason_missing", fields=("reason",), shortest=SHORTEST_REASON, longest=LONGEST_REASON)
    return given


def _administrator(uow: UnitOfWork, user_id: int) -> UserRow:
    user = uow.users.get(user_id)
    role = Role(user.role) if user is not None and user.role in list(Role) else None
    if user is None or user.disabled_at is not None or role is None or Permission.DECIDE_ALONE not in role.permissions:
        raise Refused("alone_needs_administrator", status=403)
    return user


def _refusal(why: WhyNot) -> Refused:
    if why is WhyNot.NO_USER:
        return no_user()
    if why is WhyNot.NOT_ENTITLED:
        return Refused("second_person_not_entitled", status=403)
    if why is WhyNot.IS_FIRST:
        return Refused("second_person_is_first", status=403)
    return Refused("second_person_switched_off", status=403)

"""The users who may decide as a second person, and whether an API key may touch what waits for one."""

from __future__ import annotations

from app.domain.access.second_person import first_persons, may_decide_second
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Connection
from app.domain.settings.two_persons import FEWEST_PERSONS, TwoPersons
from app.storage.access.rows import UserRow
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork

ACCOUNTS_SCOPE = "accounts:write"
"""The scope without which an API key may not ask for a change that waits for a second person."""
_KEY = "key:"


def entitled_users(uow: UnitOfWork) -> list[UserRow]:
    """The users whose role lets them decide, oldest first."""
    return [user for user in uow.users.all() if may_decide_second(user.role, disabled=user.disabled_at is not None)]


def actor_of(user: UserRow) -> str:
    return f"user:{user.id}"


def first_of(uow: UnitOfWork, run: RunRow) -> frozenset[str]:
    """Who has asked for what a run plans: whoever started or approved it, and the runs that it repeats or whose stopped
    changes it shows."""
    asked = {run.started_by, run.approved_by, *(run.first_by or ())}
    while run.retried_run_id is not None and (before := uow.runs.get(run.retried_run_id)) is not None:
        run = before
        asked |= {run.started_by, run.approved_by, *(run.first_by or ())}
    return first_persons(asked)


def has_too_few(uow: UnitOfWork, connection: Connection) -> bool:
    """Whether the setting is on and fewer than two users are left who may decide: what has a first person then waits
    for the emergency way."""
    return connection.two_persons is not TwoPersons.OFF and len(entitled_users(uow)) < FEWEST_PERSONS


def lacks_scope(uow: UnitOfWork, by: str) -> bool:
    """Whether the actor is a program whose key lacks ACCOUNTS_SCOPE. A key that is gone has no scopes."""
    if not by.startswith(_KEY):
        return by == "api"
    key = uow.keys.by_prefix(by.removeprefix(_KEY))
    return key is None or ACCOUNTS_SCOPE not in key.scopes


def refuse_without_scope(uow: UnitOfWork, connection: Connection, by: str) -> None:
    """Raises Refused when a program would ask for changes that wait for a second person, with a key that lacks the
    scope for them."""
    if connection.two_persons is not TwoPersons.OFF and lacks_scope(uow, by):
        raise Refused("accounts_scope_missing", status=403, scope=ACCOUNTS_SCOPE)


def no_user() -> Refused:
    return Refused("second_person_no_user", status=403)


def expired() -> Refused:
    return Refused("second_person_expired", status=409)

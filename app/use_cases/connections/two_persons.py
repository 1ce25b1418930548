"""The setting of a connection by which accounts wait for a second person: seen, switched on, switched off.

Whoever switches it off, or to fewer changes, is kept with the connection: that user is not the second person of any
change until somebody else has switched it off.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.settings.connection_settings import Connection
from app.domain.settings.two_persons import USUAL_HOURS, TwoPersons, checked, refuse_too_few
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.actors import Actor, known_actors
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.second_persons import entitled_users, has_too_few


@dataclass(frozen=True)
class TwoPersonsView:
    """`entitled`: how many users may decide; `switched_off_by`: who may not, because they switched it off last."""

    mode: TwoPersons
    hours: int
    has_own_hours: bool
    switched_off_by: Actor | None
    entitled: int
    too_few: bool


def show_two_persons(ctx: Context, connection_key: str) -> TwoPersonsView:
    """Raises Refused for an unknown connection."""
    with ctx.unit_of_work().reading() as uow:
        return view_of(uow, known_connection(uow, connection_key))


def view_of(uow: UnitOfWork, connection: Connection) -> TwoPersonsView:
    by = connection.two_persons_off_by
    return TwoPersonsView(
        mode=connection.two_persons,
        hours=connection.two_persons_hours or USUAL_HOURS,
        has_own_hours=connection.two_persons_hours is not None,
        switched_off_by=known_actors(uow, [by])[by] if by else None,
        entitled=len(entitled_users(uow)),
        too_few=has_too_few(uow, connection),
    )


def set_two_persons(
    ctx: Context, connection_key: str, *, mode: str | None = None, hours: str | int | None = None, by: str
) -> TwoPersonsView:
    """Change the setting; `mode` None keeps it as it is, and so does `hours` None. Raises Refused: an unknown
    connection, a wrong setting, fewer than two users who may decide."""
    with ctx.unit_of_work() as uow:
        uow.users.held()  # nobody is disabled between the count and the setting
        known = known_connection(uow, connection_key)
        uow.connections.hold(known.id)
        connection = uow.connections.get(known.id) or known
        kept = connection.two_persons_hours if hours is None else hours
        wanted, within = checked(connection.two_persons if mode is None else mode, kept)
        refuse_too_few(connection.two_persons, wanted, len(entitled_users(uow)))
        less = wanted.is_less_than(connection.two_persons)
        off_by = by if less else connection.two_persons_off_by
        if (wanted, within) != (connection.two_persons, connection.two_persons_hours):
            uow.connections.set_two_persons(connection.id, wanted, within, off_by=off_by)
            _note(ctx, uow, connection, wanted, within, by=by)
    return show_two_persons(ctx, connection_key)


def connections_with_too_few(ctx: Context) -> list[str]:
    """Names of the connections whose setting is on while fewer than two users may decide."""
    with ctx.unit_of_work().reading() as uow:
        return [connection.name for connection in uow.connections.list_all() if has_too_few(uow, connection)]


def _note(
    ctx: Context, uow: UnitOfWork, connection: Connection, wanted: TwoPersons, within: int | None, *, by: str
) -> None:
    changes = {
        "two_persons": (connection.two_persons.value, wanted.value),
        "hours": (connection.two_persons_hours, within),
    }
    subject, now = f"connection:{connection.key}", ctx.clock.now()
    uow.audit.add(actor=by, action="two_persons_changed", subject=subject, now=now, changes=changes)

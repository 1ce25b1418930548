"""The mails about changes that wait for a second person, each queued in the transaction of its occasion.

They go to the users who may decide, as far as their login is an address; where none of them has one, to the recipients
of the connection's mails.
"""

from __future__ import annotations

from collections.abc import Iterable

from app.domain.access.roles import Permission, Role
from app.domain.access.second_person import able
from app.domain.mail_text.letter import Draft, Words, Writer
from app.domain.mail_text.rendering import letters
from app.domain.mail_text.second_person import decided_alone, second_person_expired, second_person_needed
from app.domain.settings.connection_settings import Connection
from app.domain.settings.recipients import Language, Recipient
from app.storage.access.rows import UserRow
from app.storage.enums import MailKind
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import queue_notice
from app.use_cases.shared.second_persons import actor_of, entitled_users


def tell_second_person_needed(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, *, items: Iterable[str]
) -> None:
    """Queue the one mail about a run that waits. `items`: what waits in it, in words."""
    assert run.decide_until is not None
    told = {actor_of(user): user for user in entitled_users(uow)}
    may = able(first=run.first_by or (), switched_off_by=connection.two_persons_off_by, entitled=frozenset(told))
    to = _readers(told[actor] for actor in sorted(may)) or connection.recipients
    link, things, until = f"{ctx.settings.base_url}/runs/{run.public_id}/confirm", list(items), run.decide_until

    def write(say: Words) -> Draft:
        return second_person_needed(say, connection.name, direction=run.direction, items=things, until=until, link=link)

    _queue(ctx, uow, connection, f"second-person:{run.id}", to=to, write=write)


def tell_second_person_expired(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, *, people: int
) -> None:
    to = _readers(entitled_users(uow)) or connection.recipients
    link = f"{ctx.settings.base_url}/runs/{run.public_id}"

    def write(say: Words) -> Draft:
        return second_person_expired(say, connection.name, direction=run.direction, people=people, link=link)

    _queue(ctx, uow, connection, f"second-person-expired:{run.id}", to=to, write=write)


def tell_decided_alone(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, administrator: UserRow, reason: str
) -> None:
    """Queue the mail that tells all administrators, and the recipients of the connection's mails, of the emergency
    way."""
    administrators = [user for user in uow.users.all() if user.disabled_at is None and _is_administrator(user)]
    to = (*_readers(administrators), *connection.recipients)
    people, at = uow.second_persons.people([run.id]).get(run.id, 0), ctx.clock.now()

    def write(say: Words) -> Draft:
        return decided_alone(
            say,
            connection.name,
            direction=run.direction,
            people=people,
            who=administrator.login,
            reason=reason,
            at=at,
            link=f"{ctx.settings.base_url}/runs/{run.public_id}",
        )

    _queue(ctx, uow, connection, f"decided-alone:{run.id}", to=to, write=write)


def _queue(
    ctx: Context,
    uow: UnitOfWork,
    connection: Connection,
    occasion: str,
    *,
    to: tuple[Recipient, ...],
    write: Writer,
) -> None:
    kind = MailKind.SECOND_PERSON
    mail_id = queue_notice(ctx, uow, connection.id, kind=kind, occasion=occasion) if to else None
    if mail_id is not None:
        uow.mails.keep_letters(mail_id, letters(ctx.wording, to, write))


def _readers(users: Iterable[UserRow]) -> tuple[Recipient, ...]:
    """The users whose login is a mail address, each with the language of their pages."""
    found = (user for user in users if "@" in user.login.strip("@"))
    return tuple(Recipient(user.login, Language.of(user.locale)) for user in found)


def _is_administrator(user: UserRow) -> bool:
    return user.role in list(Role) and Permission.DECIDE_ALONE in Role(user.role).permissions

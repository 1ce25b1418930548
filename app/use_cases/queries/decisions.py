"""What waits for a second person: which connection, how many people, who is first, since when and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.access.second_person import WhyNot, able, why_not_second
from app.domain.enums import Direction
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.actors import Actor, known_actors
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.second_persons import actor_of, entitled_users


@dataclass(frozen=True)
class Decision:
    """`first`: who has asked for it; () for an automatic change. `why_not`: why the person who looks cannot decide;
    None: they can. `nobody_may`: no user can, so that only the emergency way is left."""

    run: str
    connection: str
    company: str
    direction: Direction
    people: int
    first: tuple[Actor, ...]
    since: datetime
    until: datetime
    why_not: WhyNot | None
    nobody_may: bool


def decisions(ctx: Context, *, by: str) -> list[Decision]:
    """Everything that waits, the one that expires first at the beginning, for the actor who looks."""
    with ctx.unit_of_work().reading() as uow:
        runs = uow.second_persons.waiting()
        people = uow.second_persons.people([run.id for run in runs])
        known = {each.id: each for each in uow.connections.list_all()}
        return [
            _decision(uow, run, known[run.connection_id], people.get(run.id, 0), by=by)
            for run in runs
            if run.connection_id in known
        ]


def decision_of(ctx: Context, run_id: str, *, by: str) -> Decision | None:
    """None: the run waits for no second person. Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, run_id)
        connection = uow.connections.get(run.connection_id)
        if run.decide_until is None or connection is None or not uow.second_persons.still_waits(run.id):
            return None
        people = uow.second_persons.people([run.id]).get(run.id, 0)
        return _decision(uow, run, connection, people, by=by)


def _decision(uow: UnitOfWork, run: RunRow, connection: Connection, people: int, *, by: str) -> Decision:
    assert run.decide_until is not None
    first, off_by = tuple(run.first_by or ()), connection.two_persons_off_by
    entitled = frozenset(actor_of(user) for user in entitled_users(uow))
    actors = known_actors(uow, first)
    return Decision(
        run=run.public_id,
        connection=connection.key,
        company=connection.name,
        direction=run.direction,
        people=people,
        first=tuple(actors[actor] for actor in first),
        since=run.created_at,
        until=run.decide_until,
        why_not=why_not_second(by, first=first, switched_off_by=off_by, entitled=entitled),
        nobody_may=not able(first=first, switched_off_by=off_by, entitled=entitled),
    )

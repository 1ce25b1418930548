"""One survey at a time for whoever asks: previews and repetitions that are asked for again are not made again.

Both products let only so many requests through, and everybody shares them. So nobody has two previews of one connection
and direction surveyed at once. The same wish gets the run that is there. Another wish (other people, another day) of a
person takes the place of that person's former preview, which nobody looks at any more. A key, or the command line, may
be several programs: there the other wish is refused, because the first one is still waited for.

A button of 要対応 that is pressed again, by whomever, leads to the run that it has begun, until that is over.

A unique index holds the rule where two requests come at the same moment (`start_run` then asks here again).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.errors import Refused
from app.domain.runs.commands import StartRun
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.beginnings import REPLACED
from app.use_cases.shared.trial_settings import tried_settings

WAITING_PREVIEWS = 10
"""How many previews of one actor, connection and direction wait for an approval; a newer one replaces the oldest."""


@dataclass(frozen=True)
class Settled:
    """`answer`: the run that is there already. `replaced`: former previews that were cancelled; the caller closes
    them."""

    answer: RunRow | None = None
    replaced: tuple[int, ...] = ()


def settle(ctx: Context, uow: UnitOfWork, connection: Connection, command: StartRun) -> Settled:
    """What the request meets, inside the transaction that would store its run. Raises Refused."""
    if command.asked_as is None:
        return Settled()
    if command.from_attention and not command.dry_run:
        return Settled(uow.runs.under_way(connection.id, command.direction, command.asked_as))
    if command.retried_run_id is not None and (repeated := uow.runs.retry_of(command.retried_run_id)):
        return Settled(repeated)
    open_run = uow.runs.open_survey(connection.id, command.direction, command.asked_as)
    if open_run is not None and _is_same(open_run, command):
        return Settled(open_run)
    if open_run is not None and not _gives_way(open_run, command):
        raise _open(open_run)
    former = [open_run.id] if open_run else []
    if command.trial is not None:
        former = uow.trials.waiting(connection.id)  # of both directions
    elif command.retried_run_id is None:
        beyond = WAITING_PREVIEWS - 1
        former += uow.runs.waiting_previews(connection.id, command.direction, command.started_by, beyond=beyond)
    now = ctx.clock.now()
    return Settled(replaced=tuple(run_id for run_id in former if uow.runs.withdraw(run_id, REPLACED, now)))


def _is_same(open_run: RunRow, command: StartRun) -> bool:
    if open_run.trial is not None:
        return tried_settings(open_run.trial) == command.trial
    return command.retried_run_id == open_run.retried_run_id and command.is_same_wish(
        as_of_date=open_run.as_of_date, scope=open_run.scope, acknowledged=open_run.acknowledged
    )


def _gives_way(open_run: RunRow, command: StartRun) -> bool:
    if open_run.trial is not None:
        return True
    return open_run.dry_run and open_run.retried_run_id is None and command.by_one_person


def _open(run: RunRow) -> Refused:
    return Refused("survey_open", status=409, fields={"run": run.public_id}, run=run.public_id)

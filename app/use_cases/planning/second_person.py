"""Lets changes wait for a second person: a run of their own (`stop_changes`) shows them, who is first, and until when.

Who starts another run while a change waits with the same values does not become its first person as well: with two
users in all, nobody would be left to decide. A run that takes another one back waits as a whole, because what it writes
is planned from the target alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.domain.enums import Trigger
from app.domain.mail_text.second_person import ACCOUNTS, INCOMES
from app.domain.planning.stopping import StopReason
from app.domain.planning.two_persons import ACCOUNT, INCOME, covered_by
from app.domain.runs.run_state import RunState
from app.domain.settings.connection_settings import Connection
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.second_person_notices import tell_second_person_needed
from app.use_cases.planning.stop_changes import StoppedPerson, note_stopped, stop
from app.use_cases.shared.second_persons import first_of


@dataclass(frozen=True)
class SecondPersonNeeded:
    """What makes a held run wait for a second person. `first`: who has asked for its changes."""

    connection: Connection
    first: frozenset[str]
    reason: StopReason = StopReason.SECOND_PERSON

    def open_run(self, ctx: Context, uow: UnitOfWork, cause: RunRow) -> RunRow | None:
        """The run that shows such changes of the same first persons already and has time enough left for more."""
        late = ctx.clock.now() + self.connection.second_person_within / 2
        fitting = {
            run.id: run
            for run in uow.second_persons.waiting(self.connection.id)
            if (run.trigger, run.direction, run.as_of_date) == (Trigger.HELD, cause.direction, cause.as_of_date)
            and frozenset(run.first_by or ()) == self.first
            and run.decide_until is not None
            and run.decide_until >= late
        }
        still_open = uow.stopped_changes.open_among(fitting.keys())
        return next((run for run_id, run in fitting.items() if run_id in still_open), None)

    def begin(self, ctx: Context, uow: UnitOfWork, run: RunRow) -> RunRow:
        """Let a run wait that was made for these changes."""
        until = ctx.clock.now() + self.connection.second_person_within
        uow.second_persons.ask(run.id, first=self.first, until=until)
        return uow.runs.get(run.id) or run

    def tell(self, ctx: Context, uow: UnitOfWork, run: RunRow, keys: Collection[str]) -> None:
        tell_second_person_needed(ctx, uow, run, self.connection, items=words_of(keys))


def wait_for_second(
    ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection, people: Sequence[StoppedPerson]
) -> None:
    """Let these pieces wait, inside the caller's transaction, which holds the lock of the connection.

    Who is first: whoever has asked for the run. What an automatic run finds changed again while it waits keeps its
    first persons, so that nobody becomes the second by an edit of their own.
    """
    asked = first_of(uow, run)
    groups: dict[frozenset[str], list[StoppedPerson]] = {}
    for person in people:
        groups.setdefault(asked or _first_before(uow, run, person), []).append(person)
    for first, some in groups.items():
        shown = stop(ctx, uow, run, some, question=SecondPersonNeeded(connection, first))
        if shown is not None and (now := uow.runs.get(run.id)) is not None:
            note_stopped(uow, now, shown)


def _first_before(uow: UnitOfWork, run: RunRow, person: StoppedPerson) -> frozenset[str]:
    rows = uow.stopped_changes.of_pair(run.connection_id, run.direction, person.source_id, None)
    units = {piece.unit for piece in person.pieces}
    runs = {row.run_id for row in rows if row.reason is StopReason.SECOND_PERSON and row.unit in units}
    found = (uow.runs.get(run_id) for run_id in sorted(runs))
    return frozenset(
        actor for each in found if each is not None and each.finished_at is None for actor in each.first_by or ()
    )


def ask_about_undo(ctx: Context, uow: UnitOfWork, run: RunRow, connection: Connection) -> RunRow:
    """Let a preview that takes another run back wait for a second person if it would write what waits for one. Returns
    the run as it is then."""
    covered = covered_by(connection.two_persons)
    if run.undone_run_id is None or run.decide_until is not None or not covered:
        return run
    keys = uow.preview_selection.planned_keys(run.id) & covered
    if not keys:
        return run
    needed = SecondPersonNeeded(connection, first_of(uow, run))
    run = needed.begin(ctx, uow, run)
    needed.tell(ctx, uow, run, keys)
    return run


def ask_about_open_undo(ctx: Context, run_public_id: str) -> None:
    """As `ask_about_undo`, for a preview that is about to be approved: the setting may have been switched on since it
    was made. In a transaction of its own, so that the run waits also when this approval is refused."""
    with ctx.unit_of_work().reading() as uow:
        known = uow.runs.get_by_public_id(run_public_id)
    if known is None or known.undone_run_id is None or known.decide_until is not None:
        return
    with ctx.unit_of_work() as uow:
        run, connection = uow.runs.get(known.id), uow.connections.get(known.connection_id)
        if run is not None and connection is not None and run.state is RunState.PREVIEWED:
            ask_about_undo(ctx, uow, run, connection)


def words_of(keys: Iterable[str]) -> list[str]:
    """What waits, as mails call it: ACCOUNTS, INCOMES or the keys of the items."""
    wanted = frozenset(keys)
    words = [ACCOUNTS] if wanted & ACCOUNT else []
    words += [INCOMES] if wanted & INCOME else []
    return words or sorted(wanted)

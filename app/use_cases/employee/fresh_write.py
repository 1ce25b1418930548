"""Sends the changes of one employee, request by request, each built from a reading made directly before it.

Both vendors replace what a request carries, and neither can be told to write only if nothing has changed. So the
reading that planned the job serves the first request if nothing lies in between, no other request and no wait; before
every other request the target is read once more. What the new reading shows is planned anew: when that is not the plan
of before, nothing is sent, and the job begins again from it. What the answers show beyond what was written becomes a
note.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from app.domain.employee import EmployeeRecord
from app.domain.enums import Step
from app.domain.errors import ItemError, TemporaryError
from app.domain.meanwhile import notes_of_answer, notes_of_window
from app.domain.planning.plan import Change, Note
from app.domain.ports import EmployeeGateway, StepRecorder
from app.domain.settings.connection_settings import MappingOptions
from app.domain.writing import keys_by_step

Replan = Callable[[EmployeeRecord], Sequence[Change]]
"""Target as just read → the changes that a plan from this reading has."""

MOST_MOVES = 3
"""How often one attempt plans anew because the target has moved."""


class MovedSince(Exception):
    """What was to be written is no longer what the target needs. `target`: as it was just read."""

    def __init__(self, target: EmployeeRecord) -> None:
        super().__init__("the target has moved since it was planned")
        self.target = target


class FreshWriter:
    """For one job. `written`: the changes that were sent and taken so far; `notes`: what else was seen; `shown`: the
    target as the answers to all requests show it, () before they were sent."""

    def __init__(self, target: EmployeeGateway, steps: StepRecorder, *, source: EmployeeGateway | None = None) -> None:
        self._target, self._steps, self._source = target, steps, source
        self._source_calls = self._moves = 0
        self._refused: list[ItemError] = []
        self._tried: set[str] = set()
        self._answered: dict[str, object] = {}
        self.written: list[Change] = []
        self.notes: list[Note] = []
        self.shown: tuple[EmployeeRecord, ...] = ()

    def has_read(self) -> None:
        """The target has just been read."""
        self._source_calls = self._source.calls if self._source else 0

    def still_to_do(self, changes: Sequence[Change]) -> tuple[Change, ...]:
        """Without what this job has sent already: whether that stays is for a later run to see."""
        return tuple(change for change in changes if change.key not in self._tried)

    def count_move(self) -> None:
        """The target had moved and is planned anew. Raises TemporaryError when it never stands still."""
        self._moves += 1
        if self._moves > MOST_MOVES:
            raise TemporaryError("keeps_moving")

    def write(
        self, changes: Sequence[Change], current: EmployeeRecord, replan: Replan, *, options: MappingOptions
    ) -> EmployeeRecord:
        """Send the changes, one request per step. Returns the record as the answers show it. Raises MovedSince, and
        after the last request the first ItemError."""
        left = {change.key: change for change in changes}
        for step, keys in keys_by_step(self._target.system, changes).items():
            with self._target.window.permit_ahead():
                current = self._as_planned(current, list(left.values()), replan)
                current = self._send(step, [left.pop(key) for key in keys], current, options)
        after = replace(current, record={**(current.record or {}), **self._answered})
        self.shown = (after,)
        self.end()
        return after

    def end(self) -> None:
        """Raise the first refusal, if there was one."""
        if self._refused:
            raise self._refused[0].said(*(answer for error in self._refused for answer in error.answers))

    def anew(self) -> FreshWriter:
        """A writer for the same job that may send again what was refused."""
        writer = FreshWriter(self._target, self._steps, source=self._source)
        writer.notes, writer._moves = self.notes, self._moves
        return writer

    def _as_planned(self, current: EmployeeRecord, left: Sequence[Change], replan: Replan) -> EmployeeRecord:
        """A fresh reading of the target in which just these changes are still needed. Raises MovedSince."""
        asked = self._source is not None and self._source.calls != self._source_calls
        if not asked and self._target.window.is_fresh(current):
            return current
        now = self._read(current)
        if _plain(self.still_to_do(replan(now))) != _plain(left):
            raise MovedSince(now)
        return now

    def _read(self, current: EmployeeRecord) -> EmployeeRecord:
        with self._target.window.permit_ahead():
            now = self._target.read(current.person.id, month=current.month)
        self.has_read()
        if now is None:  # no proof of a deletion: the next attempt looks into the list
            raise TemporaryError("listed_not_shown")
        schedule = current.person.pay_schedule
        now = replace(now, person=replace(now.person, pay_schedule=schedule), once_only=current.once_only)
        if now.record is None:
            raise MovedSince(now)
        return now

    def _send(
        self, step: Step, changes: Sequence[Change], current: EmployeeRecord, options: MappingOptions
    ) -> EmployeeRecord:
        """One request. What the vendor refuses is kept for the end, because the other requests do not depend on it."""
        assert current.record is not None
        self._tried |= {change.key for change in changes}
        try:
            after = self._target.apply(changes, current, options=options, steps=self._steps)
        except ItemError as error:
            self._refused.append(error)
            return current
        assert after.record is not None
        self.written.extend(changes)
        system, seconds = self._target.system, self._target.window.seconds
        self.notes += notes_of_answer(system, changes, current.record, after.record, options)
        self.notes += notes_of_window(system, step, changes, current.record, options, seconds=seconds)
        self._answered |= {name: value for name, value in after.record.items() if value is not current.record.get(name)}
        return after


def _plain(changes: Sequence[Change]) -> dict[str, tuple[object, ...]]:
    return {change.key: (change.before, change.after, change.raw) for change in changes}

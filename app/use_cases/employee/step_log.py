"""Logs the requests that one job sends: stores each as a row before it leaves, and its result after the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.domain.enums import Direction, Step
from app.domain.error_catalogue.vendor_words import placed
from app.domain.errors import AwaseError, TemporaryError
from app.domain.planning import unsettled
from app.domain.planning.unsettled import Comparison, Memory, sent_unit_of
from app.domain.vendors.answer import VendorAnswer
from app.storage.runs.rows import ClaimedItem
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.lease import Lease, LeaseLost, lease_end


class StepLog:
    """A StepRecorder that stores steps in the database. The row of a create stays open until the link of the created
    employee is stored: one transaction does both.

    With each request the link remembers what it was to write (`domain.planning.unsettled`), so that no run repeats a
    change for ever that does not stay.
    """

    def __init__(self, ctx: Context, item: ClaimedItem, lease: Lease) -> None:
        self._ctx, self._item, self._lease = ctx, item, lease
        self._keys: dict[Step, Sequence[str]] = {}
        self.created_keys: Sequence[str] | None = None
        self.answers: list[VendorAnswer] = []
        """What the vendors said to the requests that they refused."""
        self._link: tuple[int, Direction, Comparison] | None = None

    def remember_at(self, link_id: int, direction: Direction, compared: Comparison) -> None:
        """From now on the link remembers the requests, which write `compared`."""
        self._link = (link_id, direction, compared)

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        self._lease.check()
        self._keys[step] = keys
        with self._ctx.unit_of_work() as uow:
            if not uow.items.renew(self._item.id, self._item.attempt, lease_end(self._ctx)):
                raise LeaseLost
            uow.steps.sending(self._item.id, self._item.attempt, step, keys=keys, now=self._ctx.clock.now())
            self.note_sending(uow, keys)

    def done(self, step: Step) -> None:
        if step is Step.CREATE:
            self.created_keys = self._keys[step]
            return
        with self._ctx.unit_of_work() as uow:
            uow.steps.done(self._item.id, self._item.attempt, step, now=self._ctx.clock.now())
            uow.changes.mark_written(self._item.id, self._keys[step], step=step)
            self.note_answer(uow, self._keys[step], refused=False)

    def failed(self, step: Step, error: AwaseError) -> None:
        error.answers = placed(error.answers, step, self._keys[step])
        self.answers += error.answers
        unknown = isinstance(error, TemporaryError) and error.outcome_unknown
        with self._ctx.unit_of_work() as uow:
            uow.steps.failed(
                self._item.id,
                self._item.attempt,
                step,
                error_code=error.code,
                now=self._ctx.clock.now(),
                unknown=unknown,
            )
            if not unknown:
                self.note_answer(uow, self._keys[step], refused=True)

    def note_sending(self, uow: UnitOfWork, keys: Sequence[str]) -> None:
        """Count the write at the link."""
        if self._link is not None:
            _, _, compared = self._link
            self._change(uow, lambda memory: unsettled.sending(memory, _units(keys), compared, item=self._item.id))

    def note_answer(self, uow: UnitOfWork, keys: Sequence[str], *, refused: bool) -> None:
        self._change(uow, lambda memory: unsettled.answered(memory, _units(keys), refused=refused))

    def _change(self, uow: UnitOfWork, change: Callable[[Memory], Memory]) -> None:
        if self._link is not None:
            link_id, direction, _ = self._link
            uow.links.change_unsettled(link_id, direction, change)


def _units(keys: Sequence[str]) -> frozenset[str]:
    return frozenset(sent_unit_of(key) for key in keys)

"""Logs the requests that one job sends: stores each as a row before it leaves, and what was answered with the next
request or with the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.domain.enums import Direction, Step
from app.domain.error_catalogue.vendor_words import placed
from app.domain.errors import AwaseError, TemporaryError
from app.domain.planning import unsettled
from app.domain.planning.unsettled import Comparison, Memory, sent_unit_of
from app.domain.vendors.answer import VendorAnswer
from app.storage.unit_of_work import UnitOfWork
from app.telemetry import spans
from app.use_cases.employee.outcome import Job
from app.use_cases.shared.item_ledger import ItemLost, Learned
from app.use_cases.shared.lease import Lease, LeaseLost, lease_end


class StepLog:
    """A StepRecorder that stores steps in the database. The row of a create stays open until the link of the created
    employee is stored: one transaction does both.

    With each request the link remembers what it was to write (`domain.planning.unsettled`), so that no run repeats a
    change for ever that does not stay.
    """

    def __init__(self, job: Job, lease: Lease) -> None:
        self._ctx, self._item, self._ledger, self._lease = job.ctx, job.item, job.ledger, lease
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
        try:
            with self._ledger.commit(lease_until=lease_end(self._ctx), learned=self._sending(keys)) as uow:
                uow.steps.sending(self._item.id, self._item.attempt, step, keys=keys, now=self._ctx.clock.now())
        except ItemLost:
            raise LeaseLost from None
        spans.begin("step", step=step)

    def done(self, step: Step) -> None:
        spans.end("step")
        if step is Step.CREATE:
            self.created_keys = self._keys[step]
            return
        keys, now = self._keys[step], self._ctx.clock.now()

        def store(uow: UnitOfWork) -> None:
            uow.steps.done(self._item.id, self._item.attempt, step, now=now)
            uow.changes.mark_written(self._item.id, keys, step=step)

        self._ledger.seen(store)
        for link_id, change in self._answered(keys, refused=False):
            self._ledger.learned(link_id, change)

    def failed(self, step: Step, error: AwaseError) -> None:
        spans.end("step", failed=True, code=error.code)
        error.answers = placed(error.answers, step, self._keys[step])
        self.answers += error.answers
        unknown = isinstance(error, TemporaryError) and error.outcome_unknown
        with self._ledger.commit(learned=() if unknown else self._answered(self._keys[step], refused=True)) as uow:
            uow.steps.failed(
                self._item.id,
                self._item.attempt,
                step,
                error_code=error.code,
                now=self._ctx.clock.now(),
                unknown=unknown,
            )

    def note_created(self, uow: UnitOfWork, keys: Sequence[str]) -> None:
        """Count a create, which was answered, at the link of the created employee."""
        changes = (*self._sending(keys), *self._answered(keys, refused=False))
        if self._link is not None:
            uow.links.change(self._link[0], *(change for _, change in changes))

    def _sending(self, keys: Sequence[str]) -> list[tuple[int, Learned]]:
        """The write as it is counted at the link."""
        return self._at_link(lambda memory, at: unsettled.sending(memory, _units(keys), at, item=self._item.id))

    def _answered(self, keys: Sequence[str], *, refused: bool) -> list[tuple[int, Learned]]:
        return self._at_link(lambda memory, _: unsettled.answered(memory, _units(keys), refused=refused))

    def _at_link(self, change: Callable[[Memory, Comparison], Memory]) -> list[tuple[int, Learned]]:
        if self._link is None:
            return []
        link_id, direction, compared = self._link
        return [(link_id, lambda state: state.remember(direction, lambda memory: change(memory, compared)))]


def _units(keys: Sequence[str]) -> frozenset[str]:
    return frozenset(sent_unit_of(key) for key in keys)

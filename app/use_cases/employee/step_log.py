"""Logs the requests that one job sends: stores each as a row before it leaves, and its result after the answer."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.enums import Step
from app.domain.errors import AwaseError, TemporaryError
from app.storage.runs.rows import ClaimedItem
from app.use_cases.context import Context
from app.use_cases.shared.lease import Lease, LeaseLost, lease_end


class StepLog:
    """A StepRecorder that stores steps in the database. The row of a create stays open until the link of the created
    employee is stored: one transaction does both."""

    def __init__(self, ctx: Context, item: ClaimedItem, lease: Lease) -> None:
        self._ctx, self._item, self._lease = ctx, item, lease
        self._keys: dict[Step, Sequence[str]] = {}
        self.created_keys: Sequence[str] | None = None

    def sending(self, step: Step, keys: Sequence[str]) -> None:
        self._lease.check()
        self._keys[step] = keys
        with self._ctx.unit_of_work() as uow:
            if not uow.items.renew(self._item.id, self._item.attempt, lease_end(self._ctx)):
                raise LeaseLost
            uow.steps.sending(self._item.id, self._item.attempt, step, keys=keys, now=self._ctx.clock.now())

    def done(self, step: Step) -> None:
        if step is Step.CREATE:
            self.created_keys = self._keys[step]
            return
        with self._ctx.unit_of_work() as uow:
            uow.steps.done(self._item.id, self._item.attempt, step, now=self._ctx.clock.now())
            uow.changes.mark_written(self._item.id, self._keys[step], step=step)

    def failed(self, step: Step, error: AwaseError) -> None:
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

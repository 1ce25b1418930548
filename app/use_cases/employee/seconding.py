"""What of one employee's plan a job may write without a second person: before its first write, and after it has created
somebody, a job takes out of its plan what waits for one, whoever has started or approved the run."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.planning.keyed import Fingerprint
from app.domain.planning.plan import Plan
from app.domain.planning.seconding import second_split
from app.domain.planning.stopping import Split, StopReason, pieces_of
from app.domain.planning.two_persons import covered_by
from app.domain.runs.dates import today_in_japan
from app.storage.runs.stopped_changes import StoppedRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.employee.outcome import Job
from app.use_cases.employee.passing import Known, stopped_person
from app.use_cases.planning.second_person import wait_for_second


class Seconding:
    def __init__(self, job: Job, fingerprint: Fingerprint) -> None:
        self._job, self._ctx, self._run = job, job.ctx, job.run
        self._fingerprint = fingerprint
        self._covered = covered_by(job.connection.two_persons)

    def split(self, plan: Plan, known: Known, remembered: Sequence[StoppedRow]) -> Split:
        """Divide the plan. What waits is remembered and shown to people from here on. `remembered`: all that waits of
        the employee, for whatever reason."""
        if not plan.changes or self._was_decided:
            return Split(plan)
        rows = self._of_seconds(remembered)
        if not rows and not any(change.key in self._covered for change in plan.changes):
            return Split(plan)
        found = self._divided(plan, rows, known.target_id)
        if not found.waiting:
            return found
        with self._job.ledger.commit() as uow:
            uow.stopped_changes.lock(self._run.connection_id)
            found = self._divided(plan, self._remembered(uow, known), known.target_id)
            run = uow.runs.get(self._run.id) or self._run
            if found.waiting:
                person = stopped_person(uow, self._job, plan, known, found.waiting)
                wait_for_second(self._ctx, uow, run, self._job.connection, [person])
        return found

    @property
    def _was_decided(self) -> bool:
        """Whether the run shows what waits for a second person, who has decided: it writes what was shown."""
        return self._run.decide_until is not None and self._run.approved_at is not None

    def _divided(self, plan: Plan, rows: Sequence[StoppedRow], target_id: str | None) -> Split:
        """What was decided about another person of the target, to whom the employee was linked before, does not
        count."""
        today = today_in_japan(self._ctx.clock.now())
        return second_split(
            plan,
            pieces_of(plan, today=today, fingerprint=self._fingerprint),
            known=[row.stopped for row in rows if row.target_id in (None, target_id)],
            covered=self._covered,
            target=self._run.direction.target,
            is_automatic=self._run.trigger.is_automatic,
        )

    def _remembered(self, uow: UnitOfWork, known: Known) -> list[StoppedRow]:
        run, source_id = self._run, self._job.item.source_id or ""
        return self._of_seconds(
            uow.stopped_changes.of_pair(run.connection_id, run.direction, source_id, known.target_id)
        )

    def _of_seconds(self, rows: Sequence[StoppedRow]) -> list[StoppedRow]:
        mine = self._run.direction
        return [row for row in rows if row.direction is mine and row.reason is StopReason.SECOND_PERSON]

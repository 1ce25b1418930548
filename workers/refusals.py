"""Refusals: tells of dropped jobs, in the log at once and in the database's counters a little later."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping

import structlog

from app.use_cases.monitoring.refused_jobs import Reason, count_refused_jobs
from app.wiring import get_context
from workers.guard import is_job_id

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 5.0
"""Between two hand-overs: a flood of forged jobs must become neither a flood of transactions nor one of log lines."""


class Refusals:
    """What one worker has refused out of one queue and the shared counters do not know yet."""

    def __init__(self, queue: str) -> None:
        self._queue = queue
        self._new: Counter[Reason] = Counter()
        self._due = 0.0

    def note(self, reason: Reason, job_id: bytes = b"", *, number: int = 1) -> None:
        """Count them, and say the first of its kind since the last hand-over. The log gets the id only if it can be one
        of ours, and nothing of the job itself."""
        said = bool(self._new[reason])
        self._new[reason] += number
        if number and not said:
            told = job_id.decode() if is_job_id(job_id) else None
            log.warning("job_refused", code="job_refused", reason=reason.value, queue=self._queue, job_id=told)

    def hand_over_if_due(self) -> None:
        if time.monotonic() >= self._due:
            self.hand_over()

    def hand_over(self) -> None:
        """Add what is new to the shared counters. While the database does not take it, it is kept."""
        self._due = time.monotonic() + PAUSE_SECONDS
        new = +self._new
        if new and self._count({(self._queue, reason): number for reason, number in new.items()}):
            told = {reason.value: number for reason, number in new.items()}
            log.warning("jobs_refused", queue=self._queue, reasons=told)
            self._new.clear()

    def _count(self, refused: Mapping[tuple[str, Reason], int]) -> bool:
        return count_refused_jobs(get_context(), refused)

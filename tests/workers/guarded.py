"""A worker as in service, with functions of the tests in its table and its refusals in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import redis

from app.use_cases.monitoring.refused_jobs import Reason
from tests.workers import jobs_of_tests
from workers.guard import Functions
from workers.guarded_job import GuardedJob, GuardedQueue
from workers.patient_worker import PatientWorker
from workers.refusals import Refusals

FUNCTIONS = {
    f"tests.workers.jobs_of_tests.{function.__name__}": function
    for function in (jobs_of_tests.note, jobs_of_tests.fail, jobs_of_tests.fail_because_of_another)
}


class JobOfTests(GuardedJob):
    functions = FUNCTIONS


class RefusalsOfTests(Refusals):
    told: ClassVar[Counter[tuple[str, Reason]]] = Counter()

    def _count(self, refused: Mapping[tuple[str, Reason], int]) -> bool:
        self.told.update(refused)
        return True


class QueueOfTests(GuardedQueue):
    job_class = JobOfTests
    refusals_class = RefusalsOfTests


class WorkerOfTests(PatientWorker):
    job_class = JobOfTests
    queue_class = QueueOfTests  # type: ignore[assignment]

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.broken_rounds = 0

    def _after(self, error: Exception) -> None:
        self.broken_rounds += 1
        super()._after(error)


def worker_for(broker: redis.Redis, functions: Functions = FUNCTIONS, *, threads: int = 1) -> WorkerOfTests:
    """A worker that knows these functions."""
    RefusalsOfTests.told.clear()
    kind = type("JobOfThisTest", (GuardedJob,), {"functions": functions})
    worker_kind = type("WorkerOfThisTest", (WorkerOfTests,), {"threads": threads})
    return worker_kind(
        [QueueOfTests("interactive", connection=broker, job_class=kind)], connection=broker, job_class=kind
    )


def take_all(broker: redis.Redis, functions: Functions = FUNCTIONS) -> WorkerOfTests:
    """Let one worker take whatever is in the queue, until it is empty."""
    worker = worker_for(broker, functions)
    worker.work(burst=True, logging_level="CRITICAL")
    return worker


def refused() -> Counter[Reason]:
    """What the last worker has told, by reason."""
    return Counter({reason: number for (_, reason), number in RefusalsOfTests.told.items()})

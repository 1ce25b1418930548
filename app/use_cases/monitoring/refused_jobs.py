"""Jobs that the workers refused: why, and the counter of /metrics that tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import structlog

from app.storage.metrics.counters import labels
from app.storage.outages import OUTAGES
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

COUNTER = "refused_jobs"


class Reason(StrEnum):
    """Why a worker dropped what it found in the broker."""

    JOB_ID = "job_id"
    """An entry of a queue that is no id of a job."""
    FIELDS = "fields"
    """A field that we never write (callbacks, webhooks, dependencies, retries …), or one that is not as we write it."""
    DATA = "data"
    """What is to be called cannot be read: not our compression, not JSON, not the four parts of a call."""
    FUNCTION = "function"
    """The function is none of the named ones."""
    ARGUMENTS = "arguments"
    """The function is ours, its arguments are not whole numbers of the right count."""
    QUEUE = "queue"
    """The job says that it belongs to another queue than the one it stood in."""
    TOO_LARGE = "too_large"
    """A field is larger than any of ours can be."""
    KIND = "kind"
    """A key of the queue holds another kind of value than it should, such as a text in place of a list."""
    REGISTRY = "registry"
    """An entry of a list of jobs that we never use, or that cannot be one of ours."""
    INCOMPLETE = "incomplete"
    """The call is missing. This also happens by itself: when one job is pushed twice, the second worker's notes may
    outlive the hash that the first one has deleted. So it is counted and alarms nobody."""


def count_refused_jobs(ctx: Context, refused: Mapping[tuple[str, Reason], int]) -> bool:
    """Add one worker's refusals, (queue, reason) → how many, to the shared counters. False: the database did not take
    them, so the caller must keep them for the next time."""
    counts = {
        (COUNTER, labels(queue=queue, reason=reason.value)): number for (queue, reason), number in refused.items()
    }
    try:
        with ctx.unit_of_work() as uow:
            uow.counters.add(counts)
    except OUTAGES as error:
        log.warning("refused_jobs_not_counted", kind=type(error).__name__)
        return False
    return True

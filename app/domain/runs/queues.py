"""The two queues and which run goes where, so that a small run never waits behind one of 10,000 people, nor behind a
crowd of previews."""

from __future__ import annotations

INTERACTIVE = "interactive"
"""Small runs, webhooks, manual starts, surveys and mails."""
BULK = "bulk"
"""Large runs. A worker process listens to one queue only, because RQ loses jobs of a worker that listens to two."""
QUEUES = (INTERACTIVE, BULK)

JOB_SECONDS = 900
"""After so many seconds a job is broken off, as the last safety net. Leases and HTTP deadlines end honest jobs long
before."""
SURVEY_SECONDS = 3600
"""The same for a survey: to list 50,000 people takes a quarter of an hour under the vendors' limits, to plan them some
minutes more, and whoever breaks a survey off ends every job beside it."""
FAILURE_SECONDS = 7 * 24 * 3600
"""How long the broker keeps the id of a job that ended with a bug of ours."""


ENDED_KEY = "awase:ended"
"""Where workers tell the broker that they have ended a job; whoever hands out jobs waits there for room."""


def longest_seconds(function: str) -> int:
    """After so many seconds a job of this function is broken off."""
    return SURVEY_SECONDS if function.rpartition(".")[2].startswith("survey_run") else JOB_SECONDS


def queue_for(people: int, *, bulk_from: int) -> str:
    """The queue in which the workers find a run over this many people."""
    return BULK if people >= bulk_from else INTERACTIVE


def looks_at_once(jobs: int) -> int:
    """How many surveys that only look (previews, comparisons) a queue may have in hand at once, of the jobs that it
    does at a time: an eighth, because each holds lists of everybody in memory, and so that jobs of employees, webhooks
    and runs that write find a free thread; at least one, so that a single thread takes them in turn."""
    return max(1, jobs // 8)

"""The two queues and who goes where: nobody waits behind 10,000 people."""

from __future__ import annotations

INTERACTIVE = "interactive"
"""Small runs, webhooks, manual starts, surveys and mails."""
BULK = "bulk"
"""Large runs. One queue per worker process: RQ loses jobs on a worker with two."""
QUEUES = (INTERACTIVE, BULK)


def queue_for(people: int, *, bulk_from: int) -> str:
    """Where a run over this many people is worked on."""
    return BULK if people >= bulk_from else INTERACTIVE

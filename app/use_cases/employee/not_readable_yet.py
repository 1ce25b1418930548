"""A person of whom a webhook has told, whom nobody knows yet, and whom the vendor does not show.

The webhook may be faster than the record it tells of, so the job looks again with growing pauses. A record that was
deleted meanwhile is told by another webhook, and that is the end of it. Without either a person has to look: to end as
変更なし would leave somebody out without a word.
"""

from __future__ import annotations

from datetime import timedelta

from app.domain.errors import TemporaryError
from app.domain.runs.run_state import ItemState
from app.use_cases.employee.outcome import ItemOutcome, Job
from app.use_cases.intake.webhook_intake import deletion_events

PATIENCE = timedelta(minutes=10)
FIRST_PAUSE = timedelta(seconds=5)
BEFORE = timedelta(hours=1)
"""How long before the item a deletion may have been told: webhooks do not keep their order."""


def not_readable_yet(job: Job) -> ItemOutcome:
    """The outcome of an item whose unknown person the source does not show. Raises TemporaryError while there is reason
    to look again."""
    item, system, now = job.item, job.run.direction.source, job.ctx.clock.now()
    with job.ctx.unit_of_work().reading() as uow:
        events, since = deletion_events(system), item.created_at - BEFORE
        deleted = uow.deliveries.people_told_since(job.connection.id, system, since, events=events)
    if item.source_id in deleted:
        return ItemOutcome(ItemState.UNCHANGED)
    waited = now - item.created_at
    if waited >= PATIENCE:
        return ItemOutcome(ItemState.NEEDS_REVIEW, "not_readable_yet")
    pause = min(max(waited, FIRST_PAUSE), PATIENCE - waited)  # each pause is as long as all before it
    raise TemporaryError("not_readable_yet", retry_after=max(pause.total_seconds(), 1.0), counts=False)

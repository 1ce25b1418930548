"""Counters: adds the outcomes of runs and items to the counters of /metrics, which only grow.

The counters are rows of the database (`uow.counters`), so they outlive every process, and every web process shows the
same ones. One process, the leader, adds to them: for each run it compares the totals of now with the totals it has
counted before, and adds the difference, in one transaction with the note of what is counted. So nothing depends on when
a transaction became visible: an item that commits late is in the next difference. Not chosen: a watermark on
`finished_at`. A transaction takes that moment before it commits, so for every lag one may choose, an item that commits
later still would never be counted.

The leader follows a run from the first pass that sees it until `SETTLED` after its end (a worker counts the run's
vendor calls a moment after its last item). It finds runs by their number. It leaves a number behind once it has seen
all runs up to it and they are `SETTLED` old, because a transaction with a lower number may commit after one with a
higher.
"""

from __future__ import annotations

from datetime import timedelta

from app.storage.metrics.counted_work import BUCKETS as BUCKETS
from app.storage.metrics.counted_work import CALLS as CALLS
from app.storage.metrics.counted_work import ENDLESS as ENDLESS
from app.storage.metrics.counted_work import ITEM_SECONDS as ITEM_SECONDS
from app.storage.metrics.counted_work import ITEMS as ITEMS
from app.storage.metrics.counted_work import MILLISECONDS as MILLISECONDS
from app.storage.metrics.counted_work import RUN_SECONDS as RUN_SECONDS
from app.storage.metrics.counted_work import RUNS as RUNS
from app.use_cases.context import Context
from app.use_cases.shared.leading import take_lead
from app.use_cases.shared.process_name import HOLDER

LEADER = "metering"
COUNT_SECONDS = 15.0
"""How often the leader counts: as often as Prometheus usually asks."""
SETTLED = timedelta(minutes=2)
"""Far beyond what any transaction that stores a run takes (a SQLite writer gives up after 20 s)."""
RUNS_AT_ONCE = 100
NEW_RUNS_AT_MOST = 1000
"""How many new runs one pass takes. The first pass over an old database must not keep other periodic jobs waiting."""
_LEASE = timedelta(seconds=60)


def count_once(ctx: Context, *, holder: str = HOLDER) -> int:
    """Make one pass. Returns how many runs it looked at; 0 also when another process leads."""
    if not _lead(ctx, holder):
        return 0
    with ctx.unit_of_work().reading() as uow:
        run_ids = uow.metrics.runs_to_count(limit=NEW_RUNS_AT_MOST)
    for start in range(0, len(run_ids), RUNS_AT_ONCE):
        if not _count(ctx, run_ids[start : start + RUNS_AT_ONCE], holder):
            return 0
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=_LEASE):
            uow.metrics.finish_counting(created_before=now - SETTLED, now=now)
    return len(run_ids)


def _lead(ctx: Context, holder: str) -> bool:
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        return take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=_LEASE)


def _count(ctx: Context, run_ids: list[int], holder: str) -> bool:
    """Count these runs. Reads outside the write lock, so that the write holds it only for a moment. False: another
    process leads by now, and nothing was counted."""
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        totals = uow.metrics.run_totals(run_ids, past_before=now - SETTLED)
    with ctx.unit_of_work() as uow:
        # Taken first: the leader's row stays locked until the commit, so two processes that both believe that they lead
        # add one after the other.
        if not take_lead(ctx, uow, LEADER, holder=holder, now=now, lease=_LEASE):
            return False
        uow.counters.add(uow.metrics.advance(totals))
    return True

"""What a job does when the database goes away under it: it hands its work back as soon as the database answers.

The work would otherwise wait until its lease has ended and the reconciler has found that, although nobody has died. An
outage is no failure of the work: it counts as no attempt, and it is told once, not once per job.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec

import structlog

from app.storage.outages import OUTAGES as OUTAGES
from app.storage.outages import met as met
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

P = ParamSpec("P")
Job = Callable[Concatenate[Context, P], None]

CODE = "database_unavailable"
REST = timedelta(seconds=1)
"""How long handed back work rests: an error that takes an outage's form each time must not keep a worker busy."""
_PAUSE, _LONGEST_PAUSE = 0.1, 1.0


def handing_back(back: Callable[Concatenate[Context, UnitOfWork, P], object]) -> Callable[[Job[P]], Job[P]]:
    """A job after whose end by an outage `back` hands its work back, with the job's own arguments."""

    def decorated(job: Job[P]) -> Job[P]:
        @wraps(job)
        def guarded(ctx: Context, /, *args: P.args, **kwargs: P.kwargs) -> None:
            try:
                job(ctx, *args, **kwargs)
            except OUTAGES as error:
                met(error)
                handed = when_it_answers(ctx, lambda uow: back(ctx, uow, *args, **kwargs))
                log.info("handed_back" if handed else "left_to_reconciler", job=job.__name__, args=args)

        return guarded

    return decorated


def when_it_answers(ctx: Context, store: Callable[[UnitOfWork], object], *, seconds: float | None = None) -> bool:
    """Call `store` in a transaction, again and again until the database has taken it. False: it has not within so many
    seconds (None: within the time of a lease), and then the reconciler does what is left to do."""
    end = time.monotonic() + (ctx.settings.lease_seconds if seconds is None else seconds)
    pause = _PAUSE
    while True:
        try:
            with ctx.unit_of_work() as uow:
                store(uow)
        except OUTAGES as error:
            met(error)
        else:
            return True
        if time.monotonic() + pause > end:
            return False
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)

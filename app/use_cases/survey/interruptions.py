"""A survey that cannot go on: held for a consent, put off, failed, or handed back because the database is away."""

from __future__ import annotations

from datetime import datetime

import structlog

from app.domain.errors import AwaseError, RunError, TemporaryError
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import CONSENT_PAUSE, hold_for_consent
from app.use_cases.shared.backoff import next_try
from app.use_cases.shared.lease import lease_end
from app.use_cases.shared.outages import CODE, REST, met, when_it_answers

log = structlog.get_logger(__name__)


def stop(ctx: Context, run: RunRow, error: RunError) -> None:
    """Hold the run until an administrator has given freee's consent, if that is all it waits for; else the run
    fails."""
    if not error.needs_consent:
        _fail(ctx, run, error)
        return
    hold_for_consent(ctx, run.connection_id)
    postpone(ctx, run, TemporaryError(error.code, retry_after=CONSENT_PAUSE.total_seconds(), counts=False))


def _fail(ctx: Context, run: RunRow, error: AwaseError) -> None:
    """Fail the run with its survey, unless another worker has taken the survey over or finished it."""
    with ctx.unit_of_work() as uow:
        ours = uow.runs.renew_survey(run.id, lease_end(ctx), attempt=run.survey_attempt)
        if ours:
            uow.runs.fail(run.id, error.code, ctx.clock.now())
    log.warning("run_failed" if ours else "survey_taken_over", run_id=run.id, code=error.code)


def renew(ctx: Context, run: RunRow, until: datetime) -> bool:
    with ctx.unit_of_work() as uow:
        return uow.runs.renew_survey(run.id, until, attempt=run.survey_attempt)


def hand_back_claimed(ctx: Context, run: RunRow, error: Exception) -> None:
    """The database went away under the survey: it goes on at the page where it was, as soon as there is one again."""
    met(error)

    def back(uow: UnitOfWork) -> None:
        now, mine = ctx.clock.now(), run.survey_attempt
        uow.runs.postpone_survey(run.id, next_at=now + REST, counts=False, error_code=CODE, now=now, attempt=mine)

    when_it_answers(ctx, back)


def postpone(ctx: Context, run: RunRow, error: TemporaryError) -> None:
    now = ctx.clock.now()
    failures = run.survey_failures + (1 if error.counts else 0)
    if failures >= ctx.settings.max_attempts:
        _fail(ctx, run, error)
        return
    with ctx.unit_of_work() as uow:
        uow.runs.postpone_survey(
            run.id,
            next_at=now + next_try(ctx.settings, failures=failures, retry_after=error.retry_after),
            counts=error.counts,
            error_code=error.code,
            now=now,
            attempt=run.survey_attempt,
        )
    log.info("survey_postponed", run_id=run.id, code=error.code)

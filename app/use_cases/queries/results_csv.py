"""The results of everybody in a run, in portions: a run of 10,000 people is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from app.domain.enums import Direction
from app.use_cases.context import Context
from app.use_cases.queries.person_results import PersonResult, Visibility, person_results
from app.use_cases.shared.run_lookup import find_run

PORTION = 500


def begin_download(ctx: Context, public_id: str, *, by: str) -> tuple[Direction, date]:
    """Note that somebody takes the results along; direction and as-of date for the name of the file. Raises
    Refused("run_not_found")."""
    with ctx.unit_of_work() as uow:
        run = find_run(uow, public_id)
        uow.audit.add(actor=by, action="results_downloaded", subject=f"run:{run.public_id}", now=ctx.clock.now())
    return run.direction, run.as_of_date


def results(ctx: Context, public_id: str, visibility: Visibility) -> Iterator[PersonResult]:
    """Everybody in the order of the run. Each portion is read by itself, so that a slow reader holds no transaction."""
    after: int | None = -1
    while after is not None:
        portion, after = _portion(ctx, public_id, visibility, after=after)
        yield from portion


def _portion(
    ctx: Context, public_id: str, visibility: Visibility, *, after: int
) -> tuple[list[PersonResult], int | None]:
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, public_id)
        connection = uow.connections.get(run.connection_id)
        assert connection is not None  # its runs go with it
        rows = uow.items.page(run.id, after=after, limit=PORTION)
        found = person_results(uow, rows, visibility, settings=ctx.settings, connection=connection)
    return found, rows[-1].position if len(rows) == PORTION else None

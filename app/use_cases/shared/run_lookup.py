"""Finds the run behind a public id, or refuses the id: every use case that is given a run's id asks here."""

from __future__ import annotations

from app.domain.errors import Refused
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork


def find_run(uow: UnitOfWork, public_id: str) -> RunRow:
    """The run with this public id. Raises Refused("run_not_found")."""
    run = uow.runs.get_by_public_id(public_id)
    if run is None:
        raise Refused("run_not_found", status=404)
    return run

"""The run behind an id that was given, or a refusal: one place for everything that takes the id of a run."""

from __future__ import annotations

from app.domain.errors import Refused
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork


def find_run(uow: UnitOfWork, public_id: str) -> RunRow:
    """Raises Refused("run_not_found")."""
    run = uow.runs.get_by_public_id(public_id)
    if run is None:
        raise Refused("run_not_found", "この同期は見つかりません。", status=404)
    return run

"""The ways a run begins, as values: what intake takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.domain.words import Direction, Trigger


@dataclass(frozen=True)
class StartRun:
    """`employees` None means everybody who is offered on the as-of date; otherwise the employee numbers."""

    connection_key: str
    direction: Direction
    as_of_date: date
    employees: tuple[str, ...] | None
    dry_run: bool
    trigger: Trigger
    started_by: str
    """Who: "key:<prefix>", "cli", "user:<id>"; no names, no addresses."""
    idempotency_key: str | None = None
    retried_run_id: int | None = None

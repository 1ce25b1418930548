"""Brings the database to the newest schema, and notes it: the entry's seal covers all entries of before."""

from __future__ import annotations

from collections.abc import Callable

from app.config import Settings
from app.use_cases.context import Context


def upgrade(ctx: Context, migration: Callable[[Settings], None], *, migrated: bool) -> None:
    """`migrated`: the schema is the newest already, so nothing will be noted."""
    migration(ctx.settings)
    if not migrated:
        with ctx.unit_of_work() as uow:
            uow.audit.add(action="database_upgraded", subject="database", now=ctx.clock.now())

"""Conditions over several tables that more than one room asks for."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import aliased

from app.domain.enums import Trigger
from app.storage.tables.automatic_models import BeginningTable
from app.storage.tables.models import RunTable


def held_back() -> ColumnElement[bool]:
    """Whether a run that webhooks fill has to wait: its direction begins with a preview, or the people of that preview
    are being written just now and come first."""
    begins = exists().where(
        BeginningTable.connection_id == RunTable.connection_id, BeginningTable.direction == RunTable.direction
    )
    first = aliased(RunTable)
    at_work = exists().where(
        first.connection_id == RunTable.connection_id,
        first.direction == RunTable.direction,
        first.trigger == Trigger.SCHEDULE,
        first.dry_run,
        first.approved_at.is_not(None),
        first.finished_at.is_(None),
    )
    return begins | at_work

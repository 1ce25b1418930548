"""Conditions over several tables that more than one room asks for."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from app.domain.enums import Trigger
from app.domain.runs.run_state import RunState
from app.storage.enums import OutboxKind
from app.storage.tables.automatic_models import BeginningTable
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable
from app.storage.tables.outgoing_models import OutboxTable


@cache
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


def only_looks(run: Any = RunTable) -> ColumnElement[bool]:
    """Whether the survey of a run writes nothing by itself for somebody who waits: a preview, or a comparison."""
    return or_(run.dry_run, run.trigger == Trigger.SCHEDULE)


def in_hand(run: Any = RunTable) -> ColumnElement[bool]:
    """Whether the broker or a worker has the survey of a run that only looks. One that the broker has lost has a new
    row in the outbox as soon as the reconciler has noticed; a connection that is paused keeps nobody waiting."""
    row = aliased(OutboxTable)
    again = exists().where(row.kind == OutboxKind.SURVEY, row.ref_id == run.id, row.sent_at.is_(None))
    pushed = and_(run.state == RunState.WAITING, run.survey_pushed_at.is_not(None))
    works = select(ConnectionTable.id).where(~ConnectionTable.paused, ~ConnectionTable.needs_consent)
    return and_(
        run.finished_at.is_(None),
        run.ends_as.is_(None),
        only_looks(run),
        or_(pushed, run.state == RunState.SURVEYING),
        ~again,
        run.connection_id.in_(works),
    )


@cache
def waits_its_turn() -> ColumnElement[bool]:
    """Whether an outbox row waits for others of its own: nothing is late. A survey that only looks waits while its
    queue has another one in hand, an item while others of its connection and queue are in hand."""
    own, other = aliased(RunTable), aliased(RunTable)
    looks = exists().where(own.id == OutboxTable.ref_id, only_looks(own))
    before = exists().where(other.queue == OutboxTable.queue, in_hand(other))
    beside = exists().where(
        ItemTable.connection_id == OutboxTable.connection_id, ItemTable.queue == OutboxTable.queue, item_in_hand()
    )
    return or_(
        and_(OutboxTable.kind == OutboxKind.SURVEY, looks, before),
        and_(OutboxTable.kind == OutboxKind.ITEM, beside),
    )


@cache
def item_in_hand() -> ColumnElement[bool]:
    """Whether the broker or a worker has an item."""
    return and_(ItemTable.pushed_at.is_not(None), ItemTable.finished_at.is_(None))

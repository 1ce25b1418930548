"""Stores the result of a survey: its items in portions, the links of equal pairs, and the one transaction that sets the
run going. Each transaction commits only while this worker still holds the survey's lease.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.enums import System, Trigger
from app.domain.mail_text.notices import Expected
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState, RunState
from app.storage.automatic.rows import TroubleRow
from app.storage.enums import OutboxKind
from app.storage.runs.rows import RunRow, WithoutItem
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import add_beginning_notice
from app.use_cases.planning.mass_change import weighed
from app.use_cases.planning.planned_item import ONLY_TARGET_CHANGED, Agreement, PlannedItem, mark_of
from app.use_cases.shared.beginnings import OUTDATED, begun
from app.use_cases.shared.lease import Lease, LeaseLost, lease_end
from app.use_cases.survey.attention import keep_attention, note_attention
from app.use_cases.survey.healing import Healing, mended_people, note_mended
from app.use_cases.survey.lost_hours import lost_hours, note_lost_hours
from app.use_cases.survey.plan_sweep import remember_troubles
from app.use_cases.survey.portions import portions

log = structlog.get_logger(__name__)

QUARANTINED = "quarantined"
"""The reason why automatic runs leave out somebody who ended badly with the same cause again and again."""


@contextmanager
def fenced(ctx: Context, run: RunRow, lease: Lease) -> Iterator[UnitOfWork]:
    """A transaction that commits only while this worker holds the survey. Raises LeaseLost: the run was cancelled, or
    this worker stood still for longer than the lease and another worker took the survey over, whose pages and items
    this one must not touch."""
    lease.check()
    with ctx.unit_of_work() as uow:
        if not uow.runs.renew_survey(run.id, lease_end(ctx), attempt=run.survey_attempt):
            raise LeaseLost
        yield uow


def store(
    ctx: Context,
    run: RunRow,
    planned_items: Sequence[PlannedItem],
    *,
    troubles: Mapping[str, TroubleRow],
    lease: Lease,
    healing: Healing | None = None,
) -> None:
    with fenced(ctx, run, lease) as uow:
        uow.items.clear(run.id)  # portions left by a survey that did not reach its end
    stored: list[tuple[int, PlannedItem]] = []
    for portion in portions(planned_items):
        try:
            stored += _store_portion(ctx, run, portion, lease=lease, healing=healing)
        except IntegrityError:  # another run linked one of them just now (PostgreSQL): the repetition sees it
            stored += _store_portion(ctx, run, portion, lease=lease, healing=healing)
    _set_going(ctx, run, stored, planned_items=planned_items, troubles=troubles, healing=healing)


def _store_portion(
    ctx: Context, run: RunRow, portion: Sequence[PlannedItem], *, lease: Lease, healing: Healing | None
) -> list[tuple[int, PlannedItem]]:
    """Store one portion. Returns the id of each new item that goes on or has ended badly, with its planned item."""
    with_item = [planned_item for planned_item in portion if planned_item.has_item]
    agreed = [] if run.dry_run else _agreed(ctx, portion)  # before the database is held
    with fenced(ctx, run, lease) as uow:
        ids = uow.items.add_many([planned_item.item for planned_item in with_item])
        if not run.dry_run:
            _store_links(uow, run, agreed, ctx=ctx)
            for renewal in filter(None, (planned_item.renewal for planned_item in portion)):
                renewal.store(uow, run.connection_id)
            note_attention(uow, run, portion, dict(zip(map(id, with_item), ids, strict=True)), healing=healing)
            _note_unchanged(uow, run, portion)
    stored = zip(ids, with_item, strict=True)
    return [(each, found) for each, found in stored if found.waits or found.item.state in BAD_ITEM_STATES]


def _set_going(
    ctx: Context,
    run: RunRow,
    stored: Sequence[tuple[int, PlannedItem]],
    *,
    planned_items: Sequence[PlannedItem],
    troubles: Mapping[str, TroubleRow],
    healing: Healing | None,
) -> None:
    now = ctx.clock.now()
    waiting = [(item_id, 0, found.item.queue) for item_id, found in stored if not found.item.state.is_final]
    counted = _without_item(planned_items)
    state = RunState.PREVIEWED if run.dry_run and waiting else RunState.RUNNING
    lost, mended = lost_hours(ctx, run, planned_items), mended_people(run, planned_items, healing)
    with ctx.unit_of_work() as uow:
        attempt, begins = run.survey_attempt, run.is_beginning
        if begins:
            uow.beginnings.lock(run.connection_id)
        total = len(planned_items)
        if not uow.runs.plan_committed(
            run.id, state=state, total=total, now=now, attempt=attempt, without_item=counted
        ):
            raise LeaseLost
        note_lost_hours(ctx, uow, run, lost)
        if run.trigger is Trigger.SCHEDULE:
            remember_troubles(ctx, uow, run, stored, planned_items=planned_items, troubles=troubles)
            _replace_previewed(uow, run, now)
        keep_attention(uow, run, planned_items)
        note_mended(ctx, uow, run, mended)
        if begins and state is RunState.PREVIEWED:
            add_beginning_notice(ctx, uow, run, _expected(uow, run, planned_items))
        elif begins:  # nothing to write for anybody, so there is nothing to approve
            begun(ctx, uow, run, by=run.started_by)
        uow.survey_pages.delete(run.id)
        if state is RunState.RUNNING:
            uow.outbox.add_many(waiting, kind=OutboxKind.ITEM, due_at=now, now=now)
    log.info("survey_done", run_id=run.id, total=total, waiting=len(waiting), state=state.value)


def _expected(uow: UnitOfWork, run: RunRow, planned_items: Sequence[PlannedItem]) -> Expected:
    found = [planned_item for planned_item in planned_items if planned_item.has_item]
    return Expected(
        people=sum(planned_item.waits for planned_item in found),
        consequences=weighed(found),
        questions=sum(planned_item.item.state in BAD_ITEM_STATES for planned_item in found),
        gathered=sum(
            each.gathered for each in uow.beginnings.overview(run.connection_id) if each.mark.direction is run.direction
        ),
    )


def _replace_previewed(uow: UnitOfWork, run: RunRow, now: datetime) -> None:
    """Cancel the earlier sweep runs of this direction that wait for a person: this run has planned the same people
    anew, or has found them mended."""
    for previewed_id in uow.sweeps.previewed(run.connection_id, run.direction, before_run=run.id):
        uow.runs.withdraw(previewed_id, OUTDATED, now)


def _without_item(planned_items: Sequence[PlannedItem]) -> WithoutItem:
    """Who is only counted: the equal ones, and everybody else by the reason why they are left out."""
    found = [planned_item.item for planned_item in planned_items if not planned_item.has_item]
    equal = [item for item in found if item.state is ItemState.UNCHANGED]
    others = [item for item in found if item.state is not ItemState.UNCHANGED]
    reasons = Counter(
        item.error_code or QUARANTINED if item.state is ItemState.LEFT_OUT else QUARANTINED for item in others
    )
    changed = sum(item.error_code == ONLY_TARGET_CHANGED for item in equal)
    return WithoutItem(len(equal), reasons, changed)


@dataclass(frozen=True)
class Agreed:
    """`seen`: the link's baseline; None: there is no link, or it has moved since the plan was made. `now`: the one to
    store."""

    agreement: Agreement
    seen: Mapping[str, Any] | None
    now: Mapping[str, Any] | None


def _agreed(ctx: Context, portion: Sequence[PlannedItem]) -> list[Agreed]:
    agreements = [planned_item.agreement for planned_item in portion if planned_item.agreement is not None]
    with ctx.unit_of_work().reading() as uow:
        links = uow.links.of_ids([each.link_id for each in agreements if each.link_id is not None])
    baselines = {link.id: link.baseline for link in links}
    return [as_agreed(each, baselines) for each in agreements]


def as_agreed(agreement: Agreement, baselines: Mapping[int, Mapping[str, Any]]) -> Agreed:
    """What to store of a pair. `baselines`: link id → its baseline now."""
    if agreement.link_id is None:
        return Agreed(agreement, None, agreement.compared({}))
    seen = baselines.get(agreement.link_id)
    if seen is None or mark_of(seen) != agreement.seen:
        return Agreed(agreement, None, None)  # somebody knows of something later than what this survey has read
    return Agreed(agreement, seen, agreement.compared(seen))


def _store_links(uow: UnitOfWork, run: RunRow, agreed: Sequence[Agreed], *, ctx: Context) -> None:
    """Store links for pairs that are not linked yet and need no write, and what the survey has
    found of the others: baselines that have changed, writes that have arrived."""
    linked = _linked_ids(uow, run, [each.agreement for each in agreed if each.agreement.link_id is None])
    for each in agreed:
        pair = each.agreement
        if pair.link_id is not None:
            _renew(uow, pair.link_id, each)
        elif not {pair.smarthr_id, pair.freee_id} & linked:  # else another run has linked one of the two meanwhile
            now = ctx.clock.now()
            uow.links.create(run.connection_id, pair.smarthr_id, pair.freee_id, now=now, baseline=each.now)


def _note_unchanged(uow: UnitOfWork, run: RunRow, portion: Sequence[PlannedItem]) -> None:
    noted = [planned_item.unchanged for planned_item in portion if planned_item.unchanged is not None]
    if noted:
        uow.links.note_unchanged(run.direction, dict(noted))


def _renew(uow: UnitOfWork, link_id: int, found: Agreed) -> None:
    if found.seen is not None and found.now is not None and found.seen != found.now:
        uow.links.move_baseline(link_id, found.now, seen=found.seen)
    if found.agreement.settled:
        uow.links.settle(link_id, found.agreement.settled)


def _linked_ids(uow: UnitOfWork, run: RunRow, agreements: Sequence[Agreement]) -> frozenset[str]:
    """Who of these pairs is linked by now. Only they are read, however many links the connection has."""
    if not agreements:
        return frozenset()
    people = {
        System.SMARTHR: [agreement.smarthr_id for agreement in agreements],
        System.FREEE: [agreement.freee_id for agreement in agreements],
    }
    links = uow.links.page(run.connection_id, after=None, limit=2 * len(agreements), people=people)
    return frozenset(person_id for link in links for person_id in (link.smarthr_id, link.freee_id))

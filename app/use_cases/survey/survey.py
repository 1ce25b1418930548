"""The survey of a run: list both sides 100 at a time, plan every employee, close the equal items, queue the rest.

A survey reads lists, not single records, so a run in which no employee has changed costs a few dozen calls however
many people there are. It stores each page (encrypted) as it comes, so that it goes on at the page where a crash or a
limit stopped it. It stores its items in portions while the run is SURVEYING, where no worker may claim them; one last
transaction sets the run going.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from app.domain.completeness.listed import Listed
from app.domain.completeness.unreadable import LIST_INCOMPLETE
from app.domain.employee import EmployeeRecord, PaySchedule
from app.domain.enums import System, Trigger
from app.domain.errors import RunError, TemporaryError
from app.domain.planning.mass_change import MassChangeReason
from app.domain.planning.plan import PlanKind
from app.domain.ports import EmployeeGateway
from app.domain.reading import listing_of
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.domain.settings.readability import Listing
from app.storage.automatic.rows import TroubleRow
from app.storage.runs.rows import RunRow
from app.storage.runs.stopped_changes import StoppedRow
from app.storage.unit_of_work import UnitOfWork
from app.telemetry.spans import span
from app.use_cases.context import Context
from app.use_cases.finish import finalise
from app.use_cases.finish.notices import add_unreadable_notice
from app.use_cases.planning.employment_month import read_in_employment
from app.use_cases.planning.hidden_people import HiddenPeople, Told
from app.use_cases.planning.mass_change import more_than_a_day_may, weighed
from app.use_cases.planning.plan_employee import Terms, terms_of_run
from app.use_cases.planning.planned_item import PlannedItem
from app.use_cases.planning.second_person import ask_about_open_undo
from app.use_cases.planning.stop_changes import Stops, is_asked
from app.use_cases.shared.at_home import only_at_home
from app.use_cases.shared.call_counter import counted
from app.use_cases.shared.lease import Lease, LeaseLost, held, lease_end
from app.use_cases.shared.outages import OUTAGES, handing_back
from app.use_cases.shared.told import under_run
from app.use_cases.shared.trial_settings import trigger_of, with_tried
from app.use_cases.survey.change_detection import entries_of, keep_shown
from app.use_cases.survey.healing import Healing
from app.use_cases.survey.interruptions import hand_back_claimed, postpone, renew, stop
from app.use_cases.survey.plan_again import NOBODY, Before, is_the_same_pair, needed_no_other_month, without
from app.use_cases.survey.plan_survey import Everybody, plan_everybody
from app.use_cases.survey.plan_sweep import compare_everybody
from app.use_cases.survey.plan_undo import plan_everybody_undone
from app.use_cases.survey.stop_in_survey import forget_equals, stop_what_waits
from app.use_cases.survey.survey_links import all_links
from app.use_cases.survey.survey_store import fenced, store
from app.use_cases.survey.trial import keep_moved

log = structlog.get_logger(__name__)

T = TypeVar("T")

PATIENCE = 1
"""How often a run waits and lists anew before it goes on with a list that keeps shifting, and says so."""
SETTLED_SECONDS = 4.0
"""Longer than the moment for which somebody new counts as entered during the reading (`smarthr.client`)."""


def _hand_back(ctx: Context, uow: UnitOfWork, run_id: int) -> None:
    uow.runs.queue_unclaimed_survey(run_id, now=ctx.clock.now())


@handing_back(_hand_back)
@only_at_home(None)
def survey_run(ctx: Context, run_id: int) -> None:
    """Survey one run, or go on with its survey. Does nothing when another worker holds the survey or it is over."""
    with ctx.unit_of_work() as uow:
        run = uow.runs.claim_survey(run_id, now=ctx.clock.now(), lease_until=lease_end(ctx))
        connection = uow.connections.get(run.connection_id) if run else None
    if run is None or connection is None:
        return
    try:
        told = span("survey", attempt=run.survey_attempt, **under_run(run))
        with told, held(ctx, lambda until: renew(ctx, run, until)) as lease:
            _survey(ctx, run, connection, lease=lease)
    except LeaseLost:
        log.warning("survey_taken_over", run_id=run.id)
    except TemporaryError as error:
        postpone(ctx, run, error)
    except RunError as error:
        stop(ctx, run, error)
    except OUTAGES as error:
        hand_back_claimed(ctx, run, error)
    finalise.close_run_if_done(ctx, run_id)


def _survey(ctx: Context, run: RunRow, connection: Connection, *, lease: Lease) -> None:
    if run.undone_run_id is not None:
        _survey_undo(ctx, run, connection, lease=lease)
        return
    began = ctx.clock.now()
    source, source_list = _read_everybody(ctx, run, ctx.gateway(connection, run.direction.source), lease=lease)
    target, target_list = _read_everybody(ctx, run, ctx.gateway(connection, run.direction.target), lease=lease)
    both = {run.direction.source: source, run.direction.target: target}
    lists = {run.direction.source: source_list, run.direction.target: target_list}
    incomplete = {system: each for system, each in lists.items() if not each.whole}
    connection, odd = _learn(ctx, run, connection, both, lists=lists, lease=lease)
    with ctx.unit_of_work() as uow:
        links, index = all_links(ctx, uow, connection.id)
        troubles = _troubles(uow, run)
        remembered = uow.stopped_changes.of_connection(connection.id)
        declined = uow.beginnings.declined(connection.id, run.direction)
        standing = uow.healing.standing(connection.id, run.direction)
    terms = _terms(ctx, run, with_tried(connection, run.trial) if run.trial else connection)
    everybody = Everybody(
        connection, source, target, links, index, declined=declined, incomplete=incomplete, odd_masters=odd
    )
    stops = _stops(ctx, run, remembered, terms)

    def healing(by: Terms) -> Healing:
        return Healing(everybody, standing, by.fingerprint)

    def planned(before: Before) -> list[PlannedItem]:
        seen = healing(terms)
        return _planned_items(
            ctx, run, everybody, terms=terms, troubles=troubles, stops=stops, before=before, healing=seen
        )

    planned_items = planned(NOBODY)
    if looks := [planned_item.look for planned_item in planned_items if planned_item.look is not None]:
        everybody = _with_other_months(ctx, run, everybody, looks, lease=lease)
        planned_items = planned(Before(planned_items, needed_no_other_month))
    if any(_may_create(planned_item) for planned_item in planned_items):
        revealed = _with_hidden_people(ctx, run, everybody, since=began, lease=lease)
        if revealed is not everybody:
            everybody = revealed
            planned_items = planned(Before(planned_items, is_the_same_pair))
    raised = _too_many(ctx, run, planned_items) if stops else ()
    if stops and raised:  # the day has no room for all of a kind: none of that kind is written before a person decides
        stops = replace(stops, closed=frozenset(alarm.effect for alarm in raised if alarm.effect))
        planned_items = planned(Before(planned_items, without(stops.closed)))
    if run.trial is not None:
        saved = _terms(ctx, run, connection)
        seen = healing(saved)
        as_saved = _planned_items(
            ctx, run, everybody, terms=saved, troubles={}, stops=None, before=NOBODY, healing=seen
        )
        planned_items = keep_moved(ctx, run, planned_items, as_saved, lease=lease)
    if not run.dry_run:
        stop_what_waits(ctx, run, connection, planned_items, raised=raised, lease=lease)
        forget_equals(ctx, run, everybody, remembered, terms=terms, lease=lease)
    # a trial plans by settings that nobody has saved: what it finds is no news about those who wait
    told = None if run.trial is not None else healing(terms)
    store(ctx, run, planned_items, troubles=troubles, lease=lease, healing=told)


def _terms(ctx: Context, run: RunRow, connection: Connection) -> Terms:
    trigger, signing = trigger_of(run), ctx.keys.signing
    return terms_of_run(
        connection,
        direction=run.direction,
        trigger=trigger,
        as_of_date=run.as_of_date,
        signing=signing,
        municipalities=ctx.municipalities,
    )


def _stops(ctx: Context, run: RunRow, remembered: Sequence[StoppedRow], terms: Terms) -> Stops | None:
    """How plans are divided into what travels and what waits. None: in a preview, and where a person has approved."""
    if run.dry_run or is_asked(run):
        return None
    return Stops(remembered, run.direction, today_in_japan(ctx.clock.now()), terms.fingerprint)


def _too_many(ctx: Context, run: RunRow, planned_items: Sequence[PlannedItem]) -> tuple[MassChangeReason, ...]:
    with ctx.unit_of_work().reading() as uow:
        return more_than_a_day_may(ctx, uow, run.connection_id, weighed(planned_items))


def _may_create(planned_item: PlannedItem) -> bool:
    """Whether the plan would create somebody, or asks only because somebody at the target is hidden."""
    item = planned_item.item
    return item.error_code == "hidden_person" or (planned_item.waits and item.kind == PlanKind.CREATE.value)


def _with_hidden_people(ctx: Context, run: RunRow, everybody: Everybody, *, since: datetime, lease: Lease) -> Everybody:
    """The same people, those whom the target hides with kana and birth date: nobody is created while somebody cannot be
    seen."""
    gateway = ctx.gateway(everybody.connection, run.direction.target)
    index = everybody.link_index
    with counted(ctx, run.id, gateway):
        hidden = HiddenPeople(ctx, everybody.connection, gateway, everybody.sources, index, since, lease)
        target = hidden.reveal(everybody.target)
    return everybody.identified(target) if isinstance(target, Told) else everybody


def _with_other_months(
    ctx: Context, run: RunRow, everybody: Everybody, looks: Iterable[str], *, lease: Lease
) -> Everybody:
    """The same people, and these employees of freee as it shows them in a month of their employment."""
    gateway = ctx.gateway(everybody.connection, System.FREEE)
    in_freee = everybody.source_by_id if run.direction.source is System.FREEE else everybody.target_by_id
    known = {}
    with counted(ctx, run.id, gateway):
        for freee_id in looks:
            lease.check()
            known[freee_id] = read_in_employment(gateway, in_freee[freee_id], run.as_of_date)
    return everybody.in_months(known)


def _survey_undo(ctx: Context, run: RunRow, connection: Connection, *, lease: Lease) -> None:
    """Survey a run that takes another one back. What the target holds decides alone, so the source is not read."""
    gateway = ctx.gateway(connection, run.direction.target)
    listed, found = _read_everybody(ctx, run, gateway, lease=lease)
    listings = _listings({gateway.system: listed}, () if found.whole else (gateway.system,))
    with fenced(ctx, run, lease) as uow:
        connection = _keep_readable(ctx, uow, connection, listings, {})[0]
    with counted(ctx, run.id, gateway):
        planned_items = plan_everybody_undone(ctx, run, connection, listed=listed, gateway=gateway, lease=lease)
    store(ctx, run, planned_items, troubles={}, lease=lease)
    ask_about_open_undo(ctx, run.public_id)


def _planned_items(
    ctx: Context,
    run: RunRow,
    everybody: Everybody,
    *,
    terms: Terms,
    troubles: Mapping[str, TroubleRow],
    stops: Stops | None,
    before: Before,
    healing: Healing,
) -> list[PlannedItem]:
    sweep = partial(compare_everybody, troubles=troubles, healing=healing)
    plan = sweep if run.trigger is Trigger.SCHEDULE else plan_everybody
    now, bulk_from = ctx.clock.now(), ctx.settings.bulk_from
    return plan(run, everybody, terms=terms, now=now, bulk_from=bulk_from, stops=stops, before=before)


def _troubles(uow: UnitOfWork, run: RunRow) -> dict[str, TroubleRow]:
    """Source id → trouble of this employee, for a sweep. {} for a run that a person starts or approves: that run also
    tries the employees in quarantine."""
    if run.trigger is not Trigger.SCHEDULE or run.dry_run:
        return {}
    return {trouble.source_id: trouble for trouble in uow.troubles.of_connection(run.connection_id, run.direction)}


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_everybody(
    ctx: Context, run: RunRow, gateway: EmployeeGateway, *, lease: Lease
) -> tuple[Sequence[EmployeeRecord], Listed]:
    """All people of one system, from the pages already stored and the pages still missing, which are read now, and how
    completely they were listed. A list that has shifted is read again; who stood in one of the readings is there."""
    while True:
        _read_pages(ctx, run, gateway, lease=lease)
        listed = _from_pages(ctx, run, gateway.system, gateway.listed)
        if listed.is_final:
            break
        log.info("list_shifted", run_id=run.id, system=gateway.system.value, readings=listed.readings)
        _read_pages(ctx, run, gateway, lease=lease, again=True)
    if not listed.whole:
        log.warning("list_incomplete", run_id=run.id, system=gateway.system.value, missing=listed.missing)
        if run.survey_failures < PATIENCE:  # perhaps people are just being entered
            with fenced(ctx, run, lease) as uow:
                uow.survey_pages.delete(run.id)
            raise TemporaryError(LIST_INCOMPLETE, retry_after=SETTLED_SECONDS)
    people = _from_pages(ctx, run, gateway.system, lambda rows: gateway.assemble(rows, as_of_date=run.as_of_date))
    return people, listed


def _from_pages(ctx: Context, run: RunRow, system: System, read: Callable[[Iterator[Mapping[str, Any]]], T]) -> T:
    """What is made of all stored rows, which come a few pages at a time."""
    with ctx.unit_of_work().reading() as uow:
        return read(uow.survey_pages.rows(run.id, system))


def _read_pages(ctx: Context, run: RunRow, gateway: EmployeeGateway, *, lease: Lease, again: bool = False) -> None:
    """Read and store the pages still missing. `again`: the list has ended, and is read once more from its beginning."""
    with ctx.unit_of_work() as uow:
        position = uow.survey_pages.cursor(run.id, gateway.system)
    seq, cursor, complete = position.pages, position.next_cursor, position.complete and not again
    while not complete:
        lease.check()
        with counted(ctx, run.id, gateway):
            page = gateway.survey_page(cursor, as_of_date=run.as_of_date)
        with fenced(ctx, run, lease) as uow:
            uow.survey_pages.add(run.id, gateway.system, seq=seq, rows=page.kept, next_cursor=page.next_cursor)
        seq, cursor, complete = seq + 1, page.next_cursor, page.next_cursor is None


def _learn(
    ctx: Context,
    run: RunRow,
    connection: Connection,
    sides: Mapping[System, Sequence[EmployeeRecord]],
    *,
    lists: Mapping[System, Listed],
    lease: Lease,
) -> tuple[Connection, int]:
    """Store what the lists have shown of both systems: visible attributes, pay schedules, positions, employee numbers.
    Returns the connection as it is then, and how many entries of the masters cannot be read."""
    with counted(ctx, run.id, gateway := ctx.gateway(connection, System.SMARTHR)):
        positions = gateway.known_positions() if run.direction.target is System.SMARTHR else None
    schedules = {
        person.pay_schedule.name: person.pay_schedule
        for person in (record.person for record in sides[System.FREEE])
        if person.pay_schedule is not None and person.pay_schedule.name
    }
    incomplete = [system for system, each in lists.items() if not each.whole]
    listings = _listings(sides, incomplete)
    with fenced(ctx, run, lease) as uow:
        learned, moved = _keep_readable(ctx, uow, connection, listings, schedules, positions)
    for system, people in sorted(sides.items()):  # one after the other: of both at once there are too many
        shown = entries_of(ctx, run.connection_id, system, people)
        with fenced(ctx, run, lease) as uow:
            keep_shown(ctx, uow, run, system, shown, ended=lists[system].end, comparable=not moved[system])
    return learned, gateway.odd_masters


def _listings(
    sides: Mapping[System, Sequence[EmployeeRecord]], incomplete: Collection[System]
) -> dict[System, Listing]:
    """What the lists say about the attributes: worked out before the database is held, because it takes a while."""
    return {system: listing_of(people, complete=system not in incomplete) for system, people in sides.items()}


def _keep_readable(
    ctx: Context,
    uow: UnitOfWork,
    connection: Connection,
    listings: Mapping[System, Listing],
    schedules: Mapping[str, PaySchedule],
    positions: Iterable[str] | None = None,
) -> tuple[Connection, Mapping[System, bool]]:
    """Store what the lists have shown of the attributes, and tell people once of those that have gone. Returns the
    connection as it is then, and per system whether the token sees more or less than before.

    The marks are those with which the survey began: a token that was replaced meanwhile has proved nothing yet.
    """
    before = uow.connections.get(connection.id)
    gone = uow.connections.learn(
        connection.id,
        listings,
        schedules,
        positions,
        marks={system: connection.token_mark(system) for system in listings},
        now=ctx.clock.now(),
    )
    add_unreadable_notice(ctx, uow, connection.id, gone)
    learned = uow.connections.get(connection.id)
    assert before is not None and learned is not None
    moved = {system: before.gone(system).keys() != learned.gone(system).keys() for system in listings}
    return learned, moved

"""The survey of a run: list both sides 100 at a time, plan everybody, close the equal ones, queue the rest.

Reads lists, not records: a run in which nobody changed costs a few dozen calls however many people there are. Pages are
kept (encrypted) as they come, so that a survey goes on at the page where a crash or a limit stopped it. Items are kept
in portions while the run is SURVEYING, where no worker may claim them; one last transaction sets the run going.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.errors import AwaseError, RunError, TemporaryError
from app.domain.guard import Alarm, alarms
from app.domain.people import EmployeeRecord
from app.domain.ports import EmployeeGateway
from app.domain.reading import readable_attributes
from app.domain.run_state import ItemState, RunState
from app.domain.settings import Connection
from app.domain.words import System, Trigger
from app.storage.rows import RosterEntry, RunRow, TroubleRow
from app.storage.unit_of_work import UnitOfWork
from app.storage.words import OutboxKind
from app.use_cases import finalise
from app.use_cases.context import Context
from app.use_cases.counting import counted
from app.use_cases.findings import Everybody, Finding, find_everybody
from app.use_cases.guarding import hold, weighed
from app.use_cases.lease import Lease, LeaseLost, held, lease_end
from app.use_cases.notices import CONSENT_PAUSE, hold_for_consent
from app.use_cases.pauses import next_try
from app.use_cases.plan_employee import Terms, terms_of_run
from app.use_cases.shown import entries_of, keep_shown
from app.use_cases.sweep_findings import compare_everybody, remember_troubles
from app.use_cases.undo_findings import find_undone

log = structlog.get_logger(__name__)

PORTION = 500
"""Items stored per transaction: small enough that an arriving webhook never waits long for the database."""


def survey_run(ctx: Context, run_id: int) -> None:
    """Survey one run, or go on with it. Does nothing when somebody else holds it or it is over."""
    with ctx.unit_of_work() as uow:
        run = uow.runs.claim_survey(run_id, now=ctx.clock.now(), lease_until=lease_end(ctx))
        connection = uow.connections.get(run.connection_id) if run else None
    if run is None or connection is None:
        return
    try:
        with held(ctx, lambda until: _renew(ctx, run, until)) as lease:
            _survey(ctx, run, connection, lease=lease)
    except LeaseLost:
        log.warning("survey_taken_over", run_id=run.id)
    except TemporaryError as error:
        _postpone(ctx, run, error)
    except RunError as error:
        _stop(ctx, run, error)
    finalise.close_run_if_done(ctx, run_id)


def _survey(ctx: Context, run: RunRow, connection: Connection, *, lease: Lease) -> None:
    if run.undone_run_id is not None:
        _survey_undo(ctx, run, connection, lease=lease)
        return
    source = _read_everybody(ctx, run, ctx.gateway(connection, run.direction.source), lease=lease)
    target = _read_everybody(ctx, run, ctx.gateway(connection, run.direction.target), lease=lease)
    both = {run.direction.source: source, run.direction.target: target}
    connection = _learn(ctx, run, connection, both, lease=lease)
    with ctx.unit_of_work() as uow:
        links, broken = uow.links.for_connection(connection.id), uow.links.broken(connection.id)
        different = uow.links.different(connection.id)
        troubles = _troubles(uow, run)
    terms = terms_of_run(
        connection,
        direction=run.direction,
        trigger=run.trigger,
        as_of_date=run.as_of_date,
        secret_key=ctx.settings.secret_key,
    )
    everybody = Everybody(connection, source, target, links, broken, different)
    findings = _findings(ctx, run, everybody, terms=terms, troubles=troubles)
    raised = () if run.dry_run or run.acknowledged else alarms(weighed(findings), linked=len(links))
    if raised:  # held before its first write: from here on it is kept as a preview is
        run = replace(run, dry_run=True)
        findings = _findings(ctx, run, everybody, terms=terms, troubles=troubles)
    kana = {record.person.id: f"{record.person.last_name_kana} {record.person.first_name_kana}" for record in source}
    _store(ctx, run, findings, troubles=troubles, kana=kana, raised=raised, lease=lease)


def _survey_undo(ctx: Context, run: RunRow, connection: Connection, *, lease: Lease) -> None:
    """What is taken back is decided by the target alone: the source is not read."""
    gateway = ctx.gateway(connection, run.direction.target)
    listed = _read_everybody(ctx, run, gateway, lease=lease)
    with counted(ctx, run.id, gateway):
        findings = find_undone(ctx, run, connection, listed=listed, gateway=gateway, lease=lease)
    _store(ctx, run, findings, troubles={}, kana={}, lease=lease)


def _findings(
    ctx: Context, run: RunRow, everybody: Everybody, *, terms: Terms, troubles: Mapping[str, TroubleRow]
) -> list[Finding]:
    now, bulk_from = ctx.clock.now(), ctx.settings.bulk_from
    if run.trigger is Trigger.SCHEDULE:
        return compare_everybody(run, everybody, terms=terms, now=now, bulk_from=bulk_from, troubles=troubles)
    return find_everybody(run, everybody, terms=terms, now=now, bulk_from=bulk_from)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_everybody(ctx: Context, run: RunRow, gateway: EmployeeGateway, *, lease: Lease) -> list[EmployeeRecord]:
    """Everybody of one system, from the pages already kept and the ones still missing."""
    with ctx.unit_of_work() as uow:
        position = uow.survey_pages.cursor(run.id, gateway.system)
    seq, cursor, complete = position.pages, position.next_cursor, position.complete
    while not complete:
        lease.check()
        with counted(ctx, run.id, gateway):
            page = gateway.survey_page(cursor, as_of_date=run.as_of_date)
        with _fenced(ctx, run, lease) as uow:
            uow.survey_pages.add(run.id, gateway.system, seq=seq, rows=page.rows, next_cursor=page.next_cursor)
        seq, cursor, complete = seq + 1, page.next_cursor, page.next_cursor is None
    with ctx.unit_of_work() as uow:
        return gateway.assemble(uow.survey_pages.rows(run.id, gateway.system), as_of_date=run.as_of_date)


def _learn(
    ctx: Context,
    run: RunRow,
    connection: Connection,
    sides: dict[System, list[EmployeeRecord]],
    *,
    lease: Lease,
) -> Connection:
    """Keep what the lists have shown of both systems: visible attributes, pay schedules, positions, numbers in use."""
    with counted(ctx, run.id, gateway := ctx.gateway(connection, System.SMARTHR)):
        positions = gateway.known_positions() if run.direction.target is System.SMARTHR else None
    records = [record.record for record in sides[System.SMARTHR] if record.record is not None]
    schedules = {
        person.pay_schedule.name: person.pay_schedule
        for person in (record.person for record in sides[System.FREEE])
        if person.pay_schedule is not None and person.pay_schedule.name
    }
    entries = {system: entries_of(ctx, people) for system, people in sides.items()}
    with _fenced(ctx, run, lease) as uow:
        uow.connections.learn(
            connection.id,
            readable_attributes=readable_attributes(records),
            pay_schedules=schedules,
            known_positions=positions,
        )
        for system, shown in sorted(entries.items()):
            keep_shown(ctx, uow, run, system, shown)
        learned = uow.connections.get(connection.id)
    assert learned is not None
    return learned


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _store(
    ctx: Context,
    run: RunRow,
    findings: Sequence[Finding],
    *,
    troubles: Mapping[str, TroubleRow],
    kana: Mapping[str, str],
    raised: Sequence[Alarm] = (),
    lease: Lease,
) -> None:
    with _fenced(ctx, run, lease) as uow:
        uow.items.clear(run.id)  # portions of a survey that did not get to its end
        if run.dry_run:
            uow.rosters.replace(run.id, [_roster_entry(finding, kana) for finding in findings])
    stored: list[tuple[int, Finding]] = []
    for portion in _portions(findings):
        try:
            stored += _store_portion(ctx, run, portion, lease=lease)
        except IntegrityError:  # another run has linked one of them at this very moment (PostgreSQL): now it is seen
            stored += _store_portion(ctx, run, portion, lease=lease)
    _set_going(ctx, run, stored, findings=findings, troubles=troubles, raised=raised)


def _store_portion(ctx: Context, run: RunRow, portion: Sequence[Finding], *, lease: Lease) -> list[tuple[int, Finding]]:
    """Returns the new items' ids, each with its finding."""
    with_item = [finding for finding in portion if finding.has_item]
    with _fenced(ctx, run, lease) as uow:
        ids = uow.items.add_many([finding.item for finding in with_item])
        if not run.dry_run:
            _store_links(uow, run, portion, ctx=ctx)
    return list(zip(ids, with_item, strict=True))


def _set_going(
    ctx: Context,
    run: RunRow,
    stored: Sequence[tuple[int, Finding]],
    *,
    findings: Sequence[Finding],
    troubles: Mapping[str, TroubleRow],
    raised: Sequence[Alarm],
) -> None:
    now = ctx.clock.now()
    waiting = [(item_id, 0, found.item.queue) for item_id, found in stored if not found.item.state.is_final]
    equal = sum(not found.has_item and found.item.state is ItemState.UNCHANGED for found in findings)
    total = len(stored) + equal
    state = RunState.PREVIEWED if run.dry_run and waiting else RunState.RUNNING
    with ctx.unit_of_work() as uow:
        attempt = run.survey_attempt
        if not uow.runs.plan_committed(run.id, state=state, total=total, now=now, attempt=attempt, equal=equal):
            raise LeaseLost
        if run.trigger is Trigger.SCHEDULE:
            remember_troubles(ctx, uow, run, stored, findings=findings, troubles=troubles)
            _replace_held(uow, run, now)
        if raised:
            hold(ctx, uow, run, raised)
        uow.survey_pages.delete(run.id)
        if state is RunState.RUNNING:
            uow.outbox.add_many(waiting, kind=OutboxKind.ITEM, due_at=now, now=now)
    log.info("survey_done", run_id=run.id, total=total, waiting=len(waiting), state=state.value)


def _replace_held(uow: UnitOfWork, run: RunRow, now: datetime) -> None:
    """What an earlier comparison of this direction was held with, this one has found anew, or found mended."""
    for held_id in uow.sweeps.held(run.connection_id, run.direction, before_run=run.id):
        uow.runs.cancel(held_id, now)


def _roster_entry(finding: Finding, kana: Mapping[str, str]) -> RosterEntry:
    item = finding.item
    return RosterEntry(item.position, item.employee_number, item.name, kana.get(item.source_id or "", "").strip())


def _troubles(uow: UnitOfWork, run: RunRow) -> dict[str, TroubleRow]:
    """Source id → their trouble, for a sweep; a person who starts a run means everybody."""
    if run.trigger is not Trigger.SCHEDULE:
        return {}
    return {trouble.source_id: trouble for trouble in uow.troubles.of_connection(run.connection_id, run.direction)}


def _store_links(uow: UnitOfWork, run: RunRow, portion: Sequence[Finding], *, ctx: Context) -> None:
    """Links of people met for the first time who need no write, and baselines that have moved."""
    agreements = [finding.agreement for finding in portion if finding.agreement is not None]
    linked = _linked_ids(uow, run) if any(agreement.link is None for agreement in agreements) else frozenset()
    for agreement in agreements:
        if agreement.link is None:
            if {agreement.smarthr_id, agreement.freee_id} & linked:
                continue  # another run has met them meanwhile
            uow.links.create(
                run.connection_id,
                agreement.smarthr_id,
                agreement.freee_id,
                now=ctx.clock.now(),
                baseline=agreement.digests,
            )
        elif agreement.link.baseline != agreement.digests:
            uow.links.move_baseline(agreement.link.id, agreement.digests, seen=agreement.link.baseline)


def _linked_ids(uow: UnitOfWork, run: RunRow) -> frozenset[str]:
    links = uow.links.for_connection(run.connection_id)
    return frozenset(person_id for link in links for person_id in (link.smarthr_id, link.freee_id))


def _portions(findings: Sequence[Finding]) -> Iterator[Sequence[Finding]]:
    for start in range(0, len(findings), PORTION):
        yield findings[start : start + PORTION]


# ── interruptions ─────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _fenced(ctx: Context, run: RunRow, lease: Lease) -> Iterator[UnitOfWork]:
    """A transaction that commits only while the survey is ours. Raises LeaseLost: cancelled, or taken over because we
    stood still for longer than the lease, and then somebody else's pages and items are not ours to touch."""
    lease.check()
    with ctx.unit_of_work() as uow:
        if not uow.runs.renew_survey(run.id, lease_end(ctx), attempt=run.survey_attempt):
            raise LeaseLost
        yield uow


def _stop(ctx: Context, run: RunRow, error: RunError) -> None:
    """What only waits for a person's consent is held until it is given; otherwise the run ends here."""
    if not error.needs_consent:
        _fail(ctx, run, error)
        return
    hold_for_consent(ctx, run.connection_id)
    _postpone(ctx, run, TemporaryError(error.code, retry_after=CONSENT_PAUSE.total_seconds(), counts=False))


def _fail(ctx: Context, run: RunRow, error: AwaseError) -> None:
    """The run fails with its survey, unless another survey of it is on its way or through."""
    with ctx.unit_of_work() as uow:
        ours = uow.runs.renew_survey(run.id, lease_end(ctx), attempt=run.survey_attempt)
        if ours:
            uow.runs.fail(run.id, error.code, ctx.clock.now())
    log.warning("run_failed" if ours else "survey_taken_over", run_id=run.id, code=error.code)


def _renew(ctx: Context, run: RunRow, until: datetime) -> bool:
    with ctx.unit_of_work() as uow:
        return uow.runs.renew_survey(run.id, until, attempt=run.survey_attempt)


def _postpone(ctx: Context, run: RunRow, error: TemporaryError) -> None:
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

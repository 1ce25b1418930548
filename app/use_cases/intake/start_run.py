"""Starts a run: checks the request and stores the run in one transaction, without the broker, so nothing stays half
done.

The source is asked before the transaction, and only about numbers that its last listing did not have, so that a user
learns of a typing mistake at once instead of from a mail (`survey.kept_people`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.enums import Direction, System
from app.domain.errors import ItemError, Refused, RunError, TemporaryError
from app.domain.runs.commands import StartRun
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.domain.settings.export_settings import complete
from app.storage.runs.rows import RunRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.one_survey import settle
from app.use_cases.queries.history import get_run
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.second_persons import refuse_without_scope
from app.use_cases.shared.store_run import store_run
from app.use_cases.shared.views import RunView
from app.use_cases.survey.kept_people import numbers_there

log = structlog.get_logger(__name__)

MAX_NUMBERS = 10_000
FARTHEST_BACK = timedelta(days=5 * 366)
FARTHEST_AHEAD = timedelta(days=366)
"""How far an as-of date may lie from today. freee calculates months around today; farther away Awase could read and
write nothing sensible."""
_NUMBERS = ("employees",)
"""How many numbers the text of a refusal names at most."""


class _Raced(Exception):
    """Another request with the same idempotency key, or with the same wish, was stored while this one was being
    checked."""


def start_run(ctx: Context, command: StartRun) -> RunView:
    """Store a run, which the relay then hands to a worker. Raises Refused, and then nothing is stored.

    When the idempotency key was used before: the same request gets the first run, another request is refused with 409.
    A preview that is being surveyed, and a repetition, are not begun a second time (`one_survey`): the view of the run
    that is there says `already`.
    """
    first = _replayed(ctx, command)
    if first is not None:
        return get_run(ctx, first)
    with ctx.unit_of_work().reading() as uow:
        connection = usable_connection(uow, command.connection_key)
        if not command.dry_run:
            refuse_without_scope(uow, connection, command.started_by)
            _check_looked_at(uow, connection, command.direction)
    _check_settings(connection, command)
    _check_date(command.as_of_date, today_in_japan(ctx.clock.now()))
    _check_numbers(command.employees)
    calls = _check_known(ctx, connection, command)
    try:
        public_id, already = _store(ctx, connection, command, calls=calls)
    except _Raced:
        return start_run(ctx, command)
    return replace(get_run(ctx, public_id), already=already)


# ── checks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def usable_connection(uow: UnitOfWork, key: str) -> Connection:
    """The connection, if runs may start on it. Raises Refused."""
    connection = known_connection(uow, key)
    if connection.needs_consent:
        raise Refused("needs_consent", status=409)
    if connection.paused:
        raise Refused("connection_paused", status=409)
    return connection


def _check_looked_at(uow: UnitOfWork, connection: Connection, direction: Direction) -> None:
    """After the database was adopted, somebody first looks at a comparison of this direction. Raises Refused."""
    house = uow.houses.get()
    adopted_at = house.adopted_at if house else None
    if adopted_at is not None and not uow.adoptions.is_looked_at(connection.id, direction, adopted_at):
        raise Refused("compare_first", status=409)


def _check_settings(connection: Connection, command: StartRun) -> None:
    if command.direction.target is System.FREEE and not complete(connection.export_settings):
        raise Refused("export_settings_incomplete", status=409)


def _check_date(as_of_date: date, today: date) -> None:
    if not today - FARTHEST_BACK <= as_of_date <= today + FARTHEST_AHEAD:
        raise Refused("as_of_date_out_of_range", fields=("as_of_date",))


def _check_numbers(numbers: Sequence[str] | None) -> None:
    if numbers is None:
        return
    if not numbers:
        raise Refused("no_employees", fields=_NUMBERS)
    if len(numbers) > MAX_NUMBERS:
        raise Refused("too_many_employees", fields=_NUMBERS, most=MAX_NUMBERS)
    if any(not number.strip() for number in numbers):
        raise Refused("blank_employee_number", fields=_NUMBERS)
    doubled = tuple(number for number, count in Counter(numbers).items() if count > 1)
    if doubled:
        raise Refused("duplicate_employee_number", fields=_NUMBERS, numbers=doubled)


def _check_known(ctx: Context, connection: Connection, command: StartRun) -> dict[System, int]:
    """Check that the source has all named numbers. Returns system → vendor calls that the check took. Raises
    Refused."""
    if command.employees is None:
        return {}
    source = command.direction.source
    unknown = _unknown(ctx, connection, source, command.employees)
    if not unknown:
        return {}
    gateway = ctx.gateway(connection, source)
    try:
        there = numbers_there(ctx, connection, gateway, unknown, as_of_date=command.as_of_date)
    except (TemporaryError, RunError, ItemError) as error:
        log.info("directory_not_refreshed", connection_id=connection.id, code=error.code)
        there = None
    if there is None:
        return {source: gateway.calls}  # accepted: an unknown number ends as E9 in the run
    if unknown := [number for number in unknown if number not in there]:
        raise Refused("unknown_employee_number", fields=_NUMBERS, source=source, numbers=tuple(unknown))
    return {source: gateway.calls}


def _unknown(ctx: Context, connection: Connection, source: System, numbers: Sequence[str]) -> list[str]:
    with ctx.unit_of_work().reading() as uow:
        known = uow.directory.known_numbers(connection.id, source, numbers)
    return [number for number in numbers if number not in known]


# ── storing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _store(ctx: Context, connection: Connection, command: StartRun, *, calls: dict[System, int]) -> tuple[str, bool]:
    """(public id of the run, whether it was there already)."""
    with ctx.unit_of_work() as uow:
        settled = settle(ctx, uow, connection, command)
        run = settled.answer or _stored_run(ctx, uow, connection, command)
        _keep_key(ctx, uow, command, run)
        if settled.answer is None:
            _note(uow, command, run)
        uow.runs.add_calls(run.id, calls)
    for replaced in settled.replaced:
        log.info("preview_replaced", run_id=replaced, by_run_id=run.id)
        close_run_if_done(ctx, replaced)
    if settled.answer is None:
        log.info("run_accepted", run_id=run.id, trigger=run.trigger.value, dry_run=run.dry_run)
    return run.public_id, settled.answer is not None


def _stored_run(ctx: Context, uow: UnitOfWork, connection: Connection, command: StartRun) -> RunRow:
    try:
        return store_run(ctx, uow, connection, command)
    except IntegrityError:  # the same wish came at the same moment (PostgreSQL)
        raise _Raced from None


def _note(uow: UnitOfWork, command: StartRun, run: RunRow) -> None:
    by, now = command.started_by, run.created_at
    detail: dict[str, object] = {"direction": run.direction.value, "dry_run": run.dry_run}
    if command.employees is not None:
        detail["people"] = len(command.employees)
    if command.acknowledged:
        detail["acknowledged"] = True
    uow.audit.add(actor=by, action="run_started", subject=f"run:{run.public_id}", now=now, detail=detail)
    if command.retried_run_id is not None:
        retried = uow.runs.public_ids([command.retried_run_id])[command.retried_run_id]
        detail = {"run": run.public_id}
        uow.audit.add(actor=by, action="run_retried", subject=f"run:{retried}", now=now, detail=detail)


# ── idempotency ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Key:
    key_hash: str
    owner: str
    request_hash: str


def _replayed(ctx: Context, command: StartRun) -> str | None:
    """Public id of the run that this idempotency key has started already, or None. Raises Refused when the key was used
    with another request."""
    if command.idempotency_key is None:
        return None
    key = _key_of(command)
    with ctx.unit_of_work().reading() as uow:
        found = uow.idempotency.find(key.key_hash, key.owner)
        public_id = uow.runs.public_ids([found.run_id])[found.run_id] if found else None
    if found is not None and found.request_hash != key.request_hash:
        raise Refused("idempotency_conflict", status=409)
    return public_id


def _keep_key(ctx: Context, uow: UnitOfWork, command: StartRun, run: RunRow) -> None:
    if command.idempotency_key is None:
        return
    key = _key_of(command)
    if not uow.idempotency.add(
        key.key_hash, key.owner, request_hash=key.request_hash, run_id=run.id, now=ctx.clock.now()
    ):
        raise _Raced


def _key_of(command: StartRun) -> _Key:
    """The idempotency key of a request. It counts per sender, and its request hash covers everything that decides what
    the run does."""
    request = [
        command.connection_key,
        command.direction.value,
        command.as_of_date.isoformat(),
        None if command.employees is None else sorted(command.employees),
        command.dry_run,
        *(["acknowledged"] if command.acknowledged else []),  # a key of an older version still names its request
    ]
    return _Key(
        key_hash=_sha256(command.idempotency_key or ""),
        owner=command.started_by,
        request_hash=_sha256(json.dumps(request, ensure_ascii=False)),
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

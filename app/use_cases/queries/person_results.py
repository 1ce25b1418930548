"""The result of one run for each employee, as much of it as the user who looks may see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from app.config import Settings
from app.domain.display import MASK, show
from app.domain.enums import Direction, System, Trigger
from app.domain.mapping import BY_KEY
from app.domain.planning import exact
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Connection
from app.domain.snapshot import ABSENT, BLANK, FieldState, Unconvertible
from app.domain.vendors.answer import VendorAnswer
from app.storage.enums import ChangeState
from app.storage.runs.rows import ChangeRow, ItemRow, NewNote, StepRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.run_lookup import find_run
from app.use_cases.shared.vendor_answers import answers_in_plain, answers_without_masked
from app.use_cases.shared.vendor_links import vendor_page

PORTION = 500
"""How many employees are read at once, so that a run of 10,000 people is never in memory as a whole."""


@dataclass(frozen=True)
class Visibility:
    """How much the user who looks may see. `people`: numbers, names and values of employees. `masked`: also the values
    that are shown as •••• otherwise, and the vendors' own words without masks."""

    people: bool
    masked: bool


class Holds(StrEnum):
    """What stands in the place of a value."""

    VALUE = "value"
    BLANK = "blank"
    MASKED = "masked"
    UNCONVERTIBLE = "unconvertible"
    ERASED = "erased"  # after the retention time


@dataclass(frozen=True)
class Shown:
    """One value as the page shows it. `text`: a VALUE as people read it, MASK for MASKED, otherwise ""."""

    holds: Holds
    text: str = field(default="", repr=False)


@dataclass(frozen=True)
class ChangeResult:
    key: str
    before: Shown
    after: Shown
    retroactive: bool
    written: bool
    same: bool = False
    """The target held this value already. It is compared before anything is masked, so a masked value that differs is
    never called the same."""


@dataclass(frozen=True)
class PersonResult:
    """One employee's result. Codes are of the error catalogue. For a user who may not see people, only position, state,
    codes and times are filled; the rest is empty."""

    position: int
    number: str
    name: str = field(repr=False)
    state: ItemState
    kind: str
    """PlanKind value: nothing, create, update."""
    error_code: str | None
    answers: tuple[VendorAnswer, ...] = field(repr=False)
    """What the vendors answered to requests that they refused."""
    pay_month: str | None
    """YYYY-MM"""
    attempts: int
    changes: tuple[ChangeResult, ...] = field(repr=False)
    notes: tuple[NewNote, ...]
    steps: tuple[StepRow, ...]
    pages: tuple[tuple[System, str], ...] = field(repr=False)
    """(system, address of the page where a user mends this employee's data), in the order source, target."""
    doubtful_link: bool
    """True: a person has to decide who at the other system this employee is."""
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def changed(self) -> tuple[ChangeResult, ...]:
        """The items that really change."""
        return tuple(change for change in self.changes if not change.same)

    @property
    def kept(self) -> tuple[ChangeResult, ...]:
        """Items that are written again as they are, because they belong to others that change."""
        return tuple(change for change in self.changes if change.same)


def person_results(
    uow: UnitOfWork, rows: Sequence[ItemRow], visibility: Visibility, *, settings: Settings, connection: Connection
) -> list[PersonResult]:
    """Rows → results. Costs two queries at most, however many rows there are."""
    ids = [row.id for row in rows]
    steps = uow.steps.of_items(ids) if ids else {}
    changes = uow.changes.of_items(ids) if ids and visibility.people else {}
    return [_result(row, changes.get(row.id, ()), steps[row.id], visibility, settings, connection) for row in rows]


def _result(
    row: ItemRow,
    changes: Iterable[ChangeRow],
    steps: Iterable[StepRow],
    visibility: Visibility,
    settings: Settings,
    connection: Connection,
) -> PersonResult:
    return PersonResult(
        position=row.position + 1,
        number=row.employee_number if visibility.people else "",
        name=row.name if visibility.people else "",
        state=row.state,
        kind=row.kind,
        error_code=row.error_code,
        answers=_answers(row, changes, visibility),
        pay_month=row.pay_month,
        attempts=row.attempt,
        changes=tuple(change_result(change, visibility, row.direction.target) for change in changes),
        notes=tuple(NewNote(note["code"], note["severity"], note["key"]) for note in row.notes),
        steps=tuple(steps),
        pages=_pages(row, settings, connection) if visibility.people else (),
        doubtful_link=bool(row.candidates),
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _answers(row: ItemRow, changes: Iterable[ChangeRow], visibility: Visibility) -> tuple[VendorAnswer, ...]:
    if not visibility.people:
        return ()
    return answers_in_plain(row) if visibility.masked else answers_without_masked(row, changes)


def change_result(change: ChangeRow, visibility: Visibility, target: System) -> ChangeResult:
    field = BY_KEY.get(change.key)
    return ChangeResult(
        key=change.key,
        before=_before(change, visibility, target),
        after=_shown(change.key, change.after, visibility),
        retroactive=field.retroactive if field else False,
        written=change.state is ChangeState.WRITTEN,
        same=change.same,
    )


def _before(change: ChangeRow, visibility: Visibility, target: System) -> Shown:
    """What the target held; a value without plain form is shown as the target writes it."""
    field = BY_KEY.get(change.key)
    if field is None or change.raw is None or not isinstance(change.before, Unconvertible):
        return _shown(change.key, change.before, visibility)
    if field.masked and not visibility.masked:
        return Shown(Holds.MASKED, MASK)
    return Shown(Holds.VALUE, exact.shown(target, field, change.raw))


def _shown(key: str, state: FieldState | None, visibility: Visibility) -> Shown:
    """A value as this user may see it. A key that this version of Awase does not know is masked, because hiding a value
    is better than showing one that must stay hidden."""
    if state is None:
        return Shown(Holds.ERASED)
    if state is BLANK or state is ABSENT:
        return Shown(Holds.BLANK)
    if isinstance(state, Unconvertible):
        return Shown(Holds.UNCONVERTIBLE)
    if key not in BY_KEY or (BY_KEY[key].masked and not visibility.masked):
        return Shown(Holds.MASKED, MASK)
    return Shown(Holds.VALUE, show(key, state, reveal=True) or "")


def _pages(row: ItemRow, settings: Settings, connection: Connection) -> tuple[tuple[System, str], ...]:
    people = ((row.direction.source, row.source_id), (row.direction.target, row.target_id))
    found = ((system, vendor_page(settings, connection, system, person)) for system, person in people)
    return tuple((system, page) for system, page in found if page is not None)


def begin_download(ctx: Context, public_id: str, *, by: str) -> tuple[Direction, Trigger, date]:
    """Note in the audit trail that a user downloads the results. Returns direction, trigger and as-of date. Raises
    Refused("run_not_found")."""
    with ctx.unit_of_work() as uow:
        run = find_run(uow, public_id)
        uow.audit.add(actor=by, action="results_downloaded", subject=f"run:{run.public_id}", now=ctx.clock.now())
    return run.direction, run.trigger, run.as_of_date


def results(ctx: Context, public_id: str, visibility: Visibility, *, beside: bool = False) -> Iterator[PersonResult]:
    """The results of all employees whom the run is about, in its order; `beside`: of those who were only looked at.

    Each portion is read in a transaction of its own, so that a slow download does not hold one open.
    """
    after: int | None = -1
    while after is not None:
        portion, after = _portion(ctx, public_id, visibility, after=after, beside=beside)
        yield from portion


def _portion(
    ctx: Context, public_id: str, visibility: Visibility, *, after: int, beside: bool
) -> tuple[list[PersonResult], int | None]:
    with ctx.unit_of_work().reading() as uow:
        run = find_run(uow, public_id)
        connection = uow.connections.get(run.connection_id)
        assert connection is not None  # its runs go with it
        chosen = None if run.looked_at is None else not beside
        rows = uow.items.page(run.id, after=after, limit=PORTION, chosen=chosen)
        found = person_results(uow, rows, visibility, settings=ctx.settings, connection=connection)
    return found, rows[-1].position if len(rows) == PORTION else None

"""Who has a number, without a list of everybody: one exact question where the vendor has one, else the people whom the
last survey has kept, brought up to date by the question who has come since.

A company of up to `LISTED_ANEW` people is listed instead, which takes a few calls and misses nobody. What a larger one
does not show until its next survey is that somebody who was there already has got another number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from app.domain.employee import EmployeeRecord, PaySchedule, YearMonth
from app.domain.enums import System
from app.domain.matching.linking import comparable_number
from app.domain.ports import EmployeeGateway
from app.domain.runs.dates import closing_month
from app.domain.settings.connection_settings import Connection
from app.storage.links.rows import DirectoryEntry
from app.use_cases.context import Context
from app.use_cases.survey.change_detection import keep_numbers

LISTED_ANEW = 2_000
"""So many people fit on twenty pages."""
ASKED_ONE_BY_ONE = 20
"""So many exact questions cost no more than the list of a small company."""


def numbers_there(
    ctx: Context, connection: Connection, gateway: EmployeeGateway, numbers: Collection[str], *, as_of_date: date
) -> Collection[str] | None:
    """Which of these numbers, none of which was kept, somebody has by now. None: nobody can tell before the next
    survey. Raises the errors of the gateways."""
    if gateway.asks_by_number and len(numbers) <= ASKED_ONE_BY_ONE:
        return [number for number in numbers if gateway.ids_by_number(number)]
    if _is_small(ctx, connection, gateway):
        people = gateway.directory(as_of_date=as_of_date)
        keep_numbers(ctx, connection.id, gateway.system, people)
        return _among(numbers, people)
    found = _among(numbers, _added(ctx, connection, gateway))
    return found if len(found) == len(numbers) else None


def read_numbered(
    ctx: Context, connection: Connection, gateway: EmployeeGateway, number: str, *, as_of_date: date
) -> Sequence[EmployeeRecord] | None:
    """Those who have this number, each read by itself; of freee without those whom it hides in the month of the as-of
    date. None: a list of everybody is the quicker question, or the only one. Raises the errors of the gateways."""
    if not gateway.asks_by_number and _size(ctx, connection, gateway) <= LISTED_ANEW:
        return None
    with ctx.unit_of_work().reading() as uow:
        kept = uow.directory.ids_numbered(connection.id, gateway.system, number)
    ids = kept if kept and not gateway.asks_by_number else ids_numbered(ctx, connection, gateway, number)
    with ctx.unit_of_work().reading() as uow:
        listed = uow.directory.entries(connection.id, gateway.system, ids)
    found = (gateway.read(each, month=month_of(gateway, listed.get(each), as_of_date)) for each in ids)
    return [each for each in found if each is not None]


def month_of(gateway: EmployeeGateway, listed: DirectoryEntry | None, as_of_date: date) -> YearMonth | None:
    """The month in which a person is read. None: SmartHR, which has none."""
    if gateway.system is System.SMARTHR:
        return None
    schedule = PaySchedule(**listed.schedule) if listed and listed.schedule else None
    return closing_month(as_of_date, schedule)


def ids_numbered(ctx: Context, connection: Connection, gateway: EmployeeGateway, number: str) -> list[str]:
    """Ids of the people who have this number, which nobody had who was kept. Raises the errors of the gateways."""
    if gateway.asks_by_number or _is_small(ctx, connection, gateway):
        return gateway.ids_by_number(number, fresh=False)
    return [each.person.id for each in _added(ctx, connection, gateway) if _among([number], [each])]


def _is_small(ctx: Context, connection: Connection, gateway: EmployeeGateway) -> bool:
    """Whether the system was listed before, and is quickly listed again."""
    return 0 < _size(ctx, connection, gateway) <= LISTED_ANEW


def _size(ctx: Context, connection: Connection, gateway: EmployeeGateway) -> int:
    with ctx.unit_of_work().reading() as uow:
        return uow.directory.size(connection.id, gateway.system)


def _added(ctx: Context, connection: Connection, gateway: EmployeeGateway) -> Sequence[EmployeeRecord]:
    """Who has come since the last list of everybody ended, as far as one question tells. The end stays where it is: it
    is moved only by whoever also keeps who these people are (`employee.newcomers`)."""
    with ctx.unit_of_work().reading() as uow:
        end = uow.directory.end(connection.id, gateway.system)
    added = None if end is None else gateway.added(end.ended)
    return () if added is None else added.people


def _among(numbers: Collection[str], people: Sequence[EmployeeRecord]) -> list[str]:
    there = {comparable_number(each.person.number) for each in people}
    return [number for number in numbers if comparable_number(number) in there]

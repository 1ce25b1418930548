"""The employees who are offered for a run on an as-of date: the list in which a user ticks people before 同期."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from app.domain.employee import EmployeeRecord
from app.domain.enums import Direction, System
from app.domain.errors import ItemError, Refused, RunError, Sentence, TemporaryError
from app.domain.matching.linking import comparable_number
from app.domain.matching.selection import offer
from app.domain.settings.connection_settings import Connection
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection
from app.use_cases.shared.views import OfferedEmployee
from app.use_cases.survey.change_detection import keep_numbers
from app.use_cases.survey.kept_people import read_numbered


def offered_employees(
    ctx: Context, connection_key: str, *, direction: Direction, as_of_date: date, number: str | None = None
) -> list[OfferedEmployee]:
    """List the source now and return the offered employees by employee number. `number`: only those who have it, for
    which a large source is not listed. Raises Refused: unknown connection, or the source does not answer."""
    source = direction.source
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
    people = _shown(ctx, connection, source, as_of_date, number)
    linked = _linked(ctx, connection, source, people if number is not None else None)
    numbers = Counter(record.person.number for record in people)
    offers = [(record.person, offer(record.person, as_of_date)) for record in people]
    return sorted(
        (
            OfferedEmployee(
                employee_number=person.number,
                source_id=person.id,
                hired_on=person.hired_on,
                resigned_on=person.resigned_on,
                linked=person.id in linked,
                warning=offered.warning or _number_warning(person.number, numbers),
            )
            for person, offered in offers
            if offered.offered
        ),
        key=lambda employee: (employee.employee_number, employee.source_id),
    )


def _linked(ctx: Context, connection: Connection, source: System, people: Sequence[EmployeeRecord] | None) -> set[str]:
    """Ids of the people of the source who have a partner. `people`: only they are looked at; None: everybody."""
    with ctx.unit_of_work().reading() as uow:
        if people is None:
            pairs = uow.links.pairs(connection.id)
            return {smarthr if source is System.SMARTHR else freee for _, smarthr, freee in pairs}
        ids = {source: [record.person.id for record in people]}
        links = uow.links.page(connection.id, after=None, limit=max(1, len(people)), people=ids)
        return {link.id_in(source) for link in links}


def _number_warning(number: str, numbers: Counter[str]) -> str | None:
    return "E8" if not number or numbers[number] > 1 else None


def _shown(
    ctx: Context, connection: Connection, source: System, as_of_date: date, number: str | None
) -> Sequence[EmployeeRecord]:
    gateway = ctx.gateway(connection, source)
    try:
        if number is not None:
            found = read_numbered(ctx, connection, gateway, number, as_of_date=as_of_date)
            if found is not None:
                return found
        people = gateway.directory(as_of_date=as_of_date)
    except TemporaryError as error:
        raise Refused(error.code, told=Sentence(f"causes.{error.code}.message"), status=503) from error
    except (RunError, ItemError) as error:
        raise Refused(error.code, told=Sentence(f"causes.{error.code}.message"), status=409) from error
    keep_numbers(ctx, connection.id, source, people)
    if number is None:
        return people
    wanted = comparable_number(number)
    return [each for each in people if wanted and comparable_number(each.person.number) == wanted]

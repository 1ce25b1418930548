"""Compares two people, one of each system, read anew: shows a user what they need to decide whether both are one
person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from app.domain.employee import EmployeeRecord, PaySchedule
from app.domain.enums import System
from app.domain.errors import AwaseError
from app.domain.matching.linking import comparable_kana, comparable_number
from app.domain.reading import name_of
from app.domain.runs.dates import closing_month, today_in_japan
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.ids import is_id
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import known_connection


class Visibility(StrEnum):
    """What a system shows of a person."""

    SHOWN = "shown"
    HIDDEN = "hidden"  # listed, but without a record in this month (freee: the person joins later or has left)
    GONE = "gone"
    AWAY = "away"  # the system did not answer


class FieldMatch(StrEnum):
    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"  # one side does not show it


class LinkStatus(StrEnum):
    """The relation between these two people now."""

    LINKED = "linked"
    BROKEN = "broken"  # they were linked until one of them was deleted
    DIFFERENT = "different"  # a person has said that they are two people
    TAKEN = "taken"  # one of them is linked to a third person
    NONE = "none"


@dataclass(frozen=True)
class Seen:
    """What one system shows of one person. `code`: of the error catalogue, when the system is AWAY."""

    system: System
    id: str
    visibility: Visibility
    record: EmployeeRecord | None = field(repr=False)
    code: str | None = None


@dataclass(frozen=True)
class Compared:
    """One line of the comparison. `key`: what it compares ("number", "name", "kana", "birth_date", "hired_on",
    "resigned_on")."""

    key: str
    smarthr: str | date | None = field(repr=False)
    freee: str | date | None = field(repr=False)
    field_match: FieldMatch


@dataclass(frozen=True)
class Pair:
    seen: Mapping[System, Seen]
    link_status: LinkStatus
    taken: tuple[System, ...]
    """The systems whose person is linked to a third person."""
    lines: tuple[Compared, ...]

    @property
    def may_join(self) -> bool:
        there = all(each.visibility in (Visibility.SHOWN, Visibility.HIDDEN) for each in self.seen.values())
        return there and self.link_status not in (LinkStatus.LINKED, LinkStatus.TAKEN)


def compare_pair(ctx: Context, connection_key: str, *, smarthr_id: str, freee_id: str) -> Pair:
    """Ask both systems for the two people now. A system that does not answer is shown as AWAY and raises no error.
    Raises Refused("unknown_connection")."""
    ids = {System.SMARTHR: smarthr_id, System.FREEE: freee_id}
    with ctx.unit_of_work().reading() as uow:
        connection = known_connection(uow, connection_key)
        links = uow.links.page(connection.id, after=None, limit=2, people={s: [each] for s, each in ids.items()})
        broken = {(link.smarthr_id, link.freee_id) for link in uow.links.broken(connection.id)}
        different = uow.links.different(connection.id)
        entry = uow.directory.entries(connection.id, System.FREEE, [freee_id]).get(freee_id)
    pair = (smarthr_id, freee_id)
    taken = tuple(system for system in System if any(link.id_in(system) == ids[system] for link in links))
    if any((link.smarthr_id, link.freee_id) == pair for link in links):
        link_status, taken = LinkStatus.LINKED, ()
    elif taken:
        link_status = LinkStatus.TAKEN
    else:
        link_status = (
            LinkStatus.BROKEN if pair in broken else LinkStatus.DIFFERENT if pair in different else LinkStatus.NONE
        )
    schedule = PaySchedule(**entry.schedule) if entry and entry.schedule else None
    seen = {system: _look(ctx, connection, system, ids[system], schedule) for system in System}
    return Pair(seen, link_status, taken, tuple(_lines(seen)))


def is_an_id(system: System, person_id: str) -> bool:
    """Whether this text could be the id of a person in this system at all."""
    return is_id(person_id) and (system is System.SMARTHR or person_id.isdecimal())


def _look(ctx: Context, connection: Connection, system: System, person_id: str, schedule: PaySchedule | None) -> Seen:
    if not is_an_id(system, person_id):
        return Seen(system, person_id, Visibility.GONE, None)
    try:
        record = _read(ctx, connection, system, person_id, schedule)
    except AwaseError as error:
        return Seen(system, person_id, Visibility.AWAY, None, error.code)
    if record is None:
        return Seen(system, person_id, Visibility.GONE, None)
    return Seen(system, person_id, Visibility.SHOWN if record.record is not None else Visibility.HIDDEN, record)


def _read(
    ctx: Context, connection: Connection, system: System, person_id: str, schedule: PaySchedule | None
) -> EmployeeRecord | None:
    """Read one person. Where a listing has shown the person's pay schedule, freee is asked for the month that follows
    from it, because to find a person without knowing the month costs a list of all employees."""
    today = today_in_japan(ctx.clock.now())
    gateway = ctx.gateway(connection, system)
    if system is System.FREEE and schedule is not None:
        record = gateway.read(person_id, month=closing_month(today, schedule))
        if record is not None and record.record is not None:
            return record
    return gateway.find(person_id, as_of_date=today)


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_SHOWN: Mapping[str, Callable[[EmployeeRecord], str | date | None]] = {
    "number": lambda each: each.person.number,
    "name": name_of,
    "kana": lambda each: f"{each.person.last_name_kana} {each.person.first_name_kana}".strip(),
    "birth_date": lambda each: each.person.birth_date,
    "hired_on": lambda each: each.person.hired_on,
    "resigned_on": lambda each: each.person.resigned_on,
}
_COMPARED: Mapping[str, Callable[[EmployeeRecord], str | date | None]] = {
    **_SHOWN,
    "number": lambda each: comparable_number(each.person.number),
    "name": lambda each: "".join(name_of(each).split()),
    "kana": lambda each: comparable_kana(each.person),
}


def _lines(seen: Mapping[System, Seen]) -> list[Compared]:
    return [
        Compared(
            key,
            smarthr=_of(seen[System.SMARTHR].record, shown),
            freee=_of(seen[System.FREEE].record, shown),
            field_match=_field_match(key, seen),
        )
        for key, shown in _SHOWN.items()
    ]


def _of(record: EmployeeRecord | None, shown: Callable[[EmployeeRecord], str | date | None]) -> str | date | None:
    return None if record is None else shown(record) or None


def _field_match(key: str, seen: Mapping[System, Seen]) -> FieldMatch:
    records = [each.record for each in seen.values()]
    if None in records:
        return FieldMatch.UNKNOWN
    one, other = (_of(record, _COMPARED[key]) for record in records)
    if key != "resigned_on" and None in (one, other):  # no 退職年月日 says something too: the person has not left
        return FieldMatch.UNKNOWN
    return FieldMatch.SAME if one == other else FieldMatch.DIFFERENT

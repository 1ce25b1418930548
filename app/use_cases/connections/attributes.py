"""What a SmartHR access token may read and write: asked of SmartHR before Awase keeps the token, and shown per item.

Whether the token may read an attribute shows in SmartHR's answers: an employee had a value; or the attribute's name was
missing from every answer; or no employee had a value, and then the attribute is empty or hidden from the token, which
look the same (smarthr-api.md trap 15). Whether the token may write an attribute cannot be known beforehand: SmartHR
does not document what it does with an attribute that the token may not write, and a trial would be a write. So writing
is unknown until a run has written the item.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.domain.employee import Record
from app.domain.error_catalogue.catalogue import message_of, remedy_of
from app.domain.errors import AwaseError, Refused, TemporaryError
from app.domain.mapping import FIELDS
from app.domain.reading import attribute_of, readable_attributes
from app.domain.runs.dates import today_in_japan
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import find_connection

PAGES = 3
"""How many lists of 100 people a check reads at most. It stops earlier when every attribute has shown a value."""
_SUBDOMAIN, _TOKEN = "smarthr_subdomain", "smarthr_token"
ATTRIBUTES = frozenset(attribute_of(path) for row in FIELDS for path in row.smarthr.paths)
_OF_THE_SUBDOMAIN = frozenset({"smarthr_subdomain_inactive", "unreachable", "E20"})
_SHAPES = frozenset({"E18", "E19", "plan_limit", "ip_not_permitted", "maintenance", "rate_limited"})


class Reading(StrEnum):
    YES = "yes"
    NO = "no"  # we asked for it, and it was missing for every employee
    UNKNOWN = "unknown"  # null for every employee: empty, or hidden from the token


class Writing(StrEnum):
    PROVEN = "proven"  # SmartHR has taken a write of it from us
    UNKNOWN = "unknown"
    NEVER = "never"  # Awase does not write what it cannot read


@dataclass(frozen=True)
class TokenCheck:
    """What SmartHR has shown to a token. `seen`: attributes with a value; `missing`: attributes in no answer; `people`:
    how many employees the check has read."""

    seen: frozenset[str]
    missing: frozenset[str]
    employment_types: frozenset[str]
    people: int

    def stored(self) -> dict[str, Any]:
        lists = {"seen": self.seen, "missing": self.missing, "employment_types": self.employment_types}
        return {**{name: sorted(value) for name, value in lists.items()}, "people": self.people}

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> TokenCheck:
        seen, missing, kinds = (frozenset(stored[name]) for name in ("seen", "missing", "employment_types"))
        return cls(seen, missing, kinds, stored["people"])


@dataclass(frozen=True)
class AttributeRow:
    """What the token may do with one item of FIELDS."""

    key: str
    reading: Reading
    writing: Writing


def try_token(ctx: Context, subdomain: str, token: str) -> TokenCheck:
    """Ask SmartHR for employees with this token. Writes nothing, neither at SmartHR nor here. Raises
    Refused("smarthr_<cause>") naming the field that the administrator has to correct."""
    today = today_in_japan(ctx.clock.now())
    rows: list[Record] = []
    try:
        gateway = ctx.smarthr_of(subdomain, token)
        page = gateway.survey_page(None, as_of_date=today)
        rows.extend(page.rows)
        for _ in range(PAGES - 1):
            if page.next_cursor is None or readable_attributes(rows) >= ATTRIBUTES:
                break
            page = gateway.survey_page(page.next_cursor, as_of_date=today)
            rows.extend(page.rows)
    except AwaseError as error:
        raise _unusable(error) from error
    return _told_by(rows)


def check_token_again(ctx: Context, connection_key: str) -> TokenCheck:
    """Check the token of a connection once more and store what SmartHR shows to it now. Raises Refused."""
    connection = find_connection(ctx, connection_key)
    check = try_token(ctx, connection.smarthr_subdomain, ctx.tokens.smarthr_token(connection.id))
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        uow.connections.learn_token(
            connection.id,
            seen=check.seen,
            missing=check.missing,
            employment_types=check.employment_types,
            now=now,
        )
    return check


def attribute_rows(seen: frozenset[str], missing: frozenset[str], *, written: frozenset[str]) -> list[AttributeRow]:
    """Every item in the order of FIELDS. `written`: keys of items that SmartHR has taken from us before."""
    found = []
    for row in FIELDS:
        names = {attribute_of(path) for path in row.smarthr.paths}
        reading = Reading.YES if names & seen else Reading.NO if names <= missing else Reading.UNKNOWN
        if row.key in written:
            writing = Writing.PROVEN
        else:
            writing = Writing.NEVER if reading is Reading.NO else Writing.UNKNOWN
        found.append(AttributeRow(row.key, reading, writing))
    return found


def _told_by(rows: list[Record]) -> TokenCheck:
    there = frozenset(name for row in rows for name in row)
    kinds = (row.get("employment_type") for row in rows)
    names = {str(kind["name"]) for kind in kinds if isinstance(kind, Mapping) and kind.get("name")}
    return TokenCheck(
        seen=readable_attributes(rows) & ATTRIBUTES,
        missing=ATTRIBUTES - there if rows else frozenset(),
        employment_types=frozenset(names),
        people=len(rows),
    )


def _unusable(error: AwaseError) -> Refused:
    cause = error.code if error.code in _SHAPES | _OF_THE_SUBDOMAIN else _other(error)
    field = _SUBDOMAIN if cause in _OF_THE_SUBDOMAIN or isinstance(error, TemporaryError) else _TOKEN
    message = f"{message_of(error.code)}{remedy_of(error.code)}"
    status = 503 if isinstance(error, TemporaryError) else 422
    return Refused(f"smarthr_{cause}", message, status=status, fields={field: message})


def _other(error: AwaseError) -> str:
    return "away" if isinstance(error, TemporaryError) else "refused"

"""What a SmartHR access token may read and write: asked of SmartHR before Awase keeps the token, and shown per item.

Whether the token may read an attribute shows in SmartHR's answers: an employee had a value; or the attribute's name
was missing from every answer; or no employee had a value, and then the attribute is empty or hidden from the token,
which look the same, because SmartHR answers null for both: where it had values before, a person is asked. Whether the
token may write an attribute cannot be known beforehand: SmartHR does not document what it does with an attribute that
the token may not write, and a trial would be a write. So writing is unknown until a run has written the item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from app.domain.employee import EmployeeRecord, Record
from app.domain.enums import System
from app.domain.errors import AwaseError, Refused, Sentence, TemporaryError
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.beginning import BeginReason, shows_more
from app.domain.ports import EmployeeGateway
from app.domain.reading import attribute_in, attribute_of, attributes_of, items_under, listing_of, readable_attributes
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.domain.settings.readability import Listing, Standing, Standings
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.finish.notices import add_unreadable_notice, things_under
from app.use_cases.shared.beginnings import all_directions, begin_with_preview
from app.use_cases.shared.connection_lookup import find_connection

PAGES = 3
"""How many lists of 100 people a check reads at most. It stops earlier when every attribute has shown a value."""
_SUBDOMAIN, _TOKEN = "smarthr_subdomain", "smarthr_token"
WITNESSES = 3
"""How many people a check reads beside the lists, for attributes that few people have."""
ATTRIBUTES = attributes_of(System.SMARTHR)
_OF_THE_SUBDOMAIN = frozenset({"smarthr_subdomain_inactive", "unreachable", "E20"})
_SHAPES = frozenset({"E18", "E19", "plan_limit", "ip_not_permitted", "maintenance", "rate_limited", "vendor_silent"})


class Reading(StrEnum):
    YES = "yes"
    GONE = "gone"  # it had values, and is shown for nobody any more: a person is asked why
    CLEARED = "cleared"  # a person has answered that it was emptied for everybody
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
    listing: Listing | None = field(default=None, compare=False)

    def as_listing(self) -> Listing:
        """What the check says about the attributes. A stored check no longer knows who showed them."""
        return self.listing or Listing(dict.fromkeys(self.seen, ""), missing=self.missing, complete=False)

    def stored(self) -> dict[str, Any]:
        lists = {"seen": self.seen, "missing": self.missing, "employment_types": self.employment_types}
        return {**{name: sorted(value) for name, value in lists.items()}, "people": self.people}

    @classmethod
    def of_stored(cls, stored: Mapping[str, Any]) -> TokenCheck:
        seen, missing, kinds = (frozenset(stored[name]) for name in ("seen", "missing", "employment_types"))
        return cls(seen, missing, kinds, stored["people"])


@dataclass(frozen=True)
class GoneAttribute:
    """An attribute that had values and is shown for nobody any more. `missing`: not even its name, so that it cannot
    have been emptied. `keys`: of the items under it; `things`: the same, a bank account as one (BANK)."""

    system: System
    name: str
    keys: tuple[str, ...]
    things: tuple[str, ...]
    since: datetime | None
    missing: bool


@dataclass(frozen=True)
class AttributeRow:
    """What the token may do with one item of FIELDS."""

    key: str
    reading: Reading
    writing: Writing


def try_token(ctx: Context, subdomain: str, token: str, *, known: Standings = MappingProxyType({})) -> TokenCheck:
    """Ask SmartHR for employees with this token. Writes nothing, neither at SmartHR nor here. `known`: the attributes
    that have been shown before; where the first lists do not show one, somebody who had a value is read. Raises
    Refused("smarthr_<cause>") naming the field that the administrator has to correct."""
    today = today_in_japan(ctx.clock.now())
    rows: list[Record] = []
    kept: list[Record] = []
    try:
        gateway = ctx.smarthr_of(subdomain, token)
        page = gateway.survey_page(None, as_of_date=today)
        rows.extend(page.rows)
        kept.extend(page.kept)
        for _ in range(PAGES - 1):
            if page.next_cursor is None or readable_attributes(rows) >= ATTRIBUTES:
                break
            page = gateway.survey_page(page.next_cursor, as_of_date=today)
            rows.extend(page.rows)
            kept.extend(page.kept)
        complete = page.next_cursor is None and gateway.listed(kept).whole
        people = list(gateway.assemble(rows, as_of_date=today))
        if not complete:
            people += _witnesses(gateway, known, seen=readable_attributes(rows))
    except AwaseError as error:
        raise _unusable(error) from error
    return _told_by(people, listing_of(people, complete=complete))


def check_token_again(ctx: Context, connection_key: str) -> TokenCheck:
    """Check the token of a connection once more and store what SmartHR shows to it now. Raises Refused."""
    connection = find_connection(ctx, connection_key)
    token, known = ctx.tokens.smarthr_token(connection.id), connection.standings.get(System.SMARTHR, {})
    check = try_token(ctx, connection.smarthr_subdomain, token, known=known)
    with ctx.unit_of_work() as uow:
        keep_check(ctx, uow, connection.id, check, by=connection.token_mark(System.SMARTHR))
    return check


def keep_token(ctx: Context, uow: UnitOfWork, before: Connection, token: str, check: TokenCheck) -> None:
    """Store another token of the same tenant, which a check has found to work. Where it shows more than Awase could
    read until now, the automatic sync begins anew, with a preview."""
    uow.beginnings.lock(before.id)
    uow.connections.set_smarthr_token(before.id, token)
    uow.links.try_again(before.id)  # the new token may be allowed what the former one was not
    if shows_more(before, check.seen):
        begin_with_preview(ctx, uow, before.id, all_directions(before, BeginReason.TOKEN_SHOWS_MORE))


def keep_check(ctx: Context, uow: UnitOfWork, connection_id: int, check: TokenCheck, *, by: str | None = None) -> None:
    """Store what a check has shown, and tell people once of attributes that have gone. `by`: the mark of the token that
    was checked; None: the present one."""
    gone = uow.connections.learn_token(
        connection_id, check.as_listing(), employment_types=check.employment_types, by=by, now=ctx.clock.now()
    )
    add_unreadable_notice(ctx, uow, connection_id, {System.SMARTHR: gone})


def gone_items(connection: Connection) -> list[GoneAttribute]:
    """The attributes of both systems about which a person is asked."""
    return [
        GoneAttribute(system, name, keys, tuple(things_under(system, [name])), standing.gone_at, standing.missing)
        for system in System
        for name, standing in sorted(connection.gone(system).items())
        if (keys := items_under(system, [name]))
    ]


def answer_cleared(ctx: Context, who: str, connection_key: str, attribute: str) -> None:
    """Take a person's answer that the values of an attribute were deleted for everybody on purpose. Its blanks count
    from now on, until a value appears again or another token is given; so automatic sync begins anew, with a preview.
    Raises Refused when nobody has asked."""
    connection = find_connection(ctx, connection_key)
    system = next((system for system in System if attribute in connection.gone(system)), None)
    with ctx.unit_of_work() as uow:
        uow.beginnings.lock(connection.id)
        if system is None or not uow.connections.answer_cleared(connection.id, system, attribute):
            raise Refused("nothing_asked", status=409)
        erasing = {
            each: BeginReason.CLEARED_FOR_ALL for each in connection.automatic.directions if each.source is system
        }
        begin_with_preview(ctx, uow, connection.id, erasing)
        subject, detail = f"connection:{connection_key}", {"attribute": attribute}
        uow.audit.add(actor=who, action="attribute_cleared", subject=subject, now=ctx.clock.now(), detail=detail)


def attribute_rows_of(connection: Connection, *, written: frozenset[str]) -> list[AttributeRow]:
    """Every item of a connection in the order of FIELDS, with what is known of the present token."""
    rows = attribute_rows(connection.readable_attributes, connection.missing_attributes, written=written)
    standings = connection.standings.get(System.SMARTHR, {})
    return [replace(row, reading=_asked(standings.get(_name_of(row.key))) or row.reading) for row in rows]


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


def _name_of(key: str) -> str:
    return attribute_in(System.SMARTHR, BY_KEY[key])


def _asked(standing: Standing | None) -> Reading | None:
    if standing is None or standing.gone_at is None:
        return None
    return Reading.CLEARED if standing.cleared else Reading.GONE


def _witnesses(gateway: EmployeeGateway, known: Standings, *, seen: frozenset[str]) -> list[EmployeeRecord]:
    """A few people who had a value of attributes that the lists have not shown."""
    ids = {each.witness for name, each in known.items() if name not in seen} - {""}
    found = [gateway.read(person_id, month=None) for person_id in sorted(ids)[:WITNESSES]]
    return [person for person in found if person is not None]


def _told_by(people: Sequence[EmployeeRecord], listing: Listing) -> TokenCheck:
    kinds = ((person.record or {}).get("employment_type") for person in people)
    names = {str(kind["name"]) for kind in kinds if isinstance(kind, Mapping) and kind.get("name")}
    return TokenCheck(
        seen=listing.shown,
        missing=listing.missing,
        employment_types=frozenset(names),
        people=len(people),
        listing=listing,
    )


def _unusable(error: AwaseError) -> Refused:
    cause = error.code if error.code in _SHAPES | _OF_THE_SUBDOMAIN else _other(error)
    field = _SUBDOMAIN if cause in _OF_THE_SUBDOMAIN or isinstance(error, TemporaryError) else _TOKEN
    status = 503 if isinstance(error, TemporaryError) else 422
    return Refused(f"smarthr_{cause}", told=Sentence(f"causes.{error.code}"), status=status, fields=(field,))


def _other(error: AwaseError) -> str:
    return "away" if isinstance(error, TemporaryError) else "refused"

"""People found by what somebody has typed: their number, or their name or kana, begins with it.

The database tries the token of what was typed on the digests of each person of one list; no name leaves it, and nobody
is loaded but whom the page shows (`domain.matching.name_search`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, ColumnElement, LargeBinary, and_, false, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction

from app.domain.enums import System
from app.domain.matching.name_search import DIGEST_BYTES, carries
from app.storage.tables.models import DirectoryTable

CARRIES = "awase_carries"


@dataclass(frozen=True)
class Sought:
    """`number`: in comparable form, "" for none; `tokens`: what digests were made by → the token of the name; with
    neither nobody is found. `known`: by what they must have been made to be found at all."""

    number: str = field(repr=False)
    tokens: Mapping[str, bytes] = field(repr=False)
    known: frozenset[str] = field(repr=False)


class _Carries(GenericFunction[bool]):
    """(token, person's id, digests) → whether the digests have the one that the token makes for this person."""

    type = Boolean()
    inherit_cache = True
    name = CARRIES


@compiles(_Carries, "postgresql")
def _on_postgresql(element: _Carries, compiler: Any, **options: Any) -> str:
    token, person_id, digests = (compiler.process(each, **options) for each in element.clauses)
    digest = f"substring(sha256({token} || convert_to({person_id}, 'UTF8')) from 1 for {DIGEST_BYTES})"
    return f"(position({digest} in {digests}) > 0)"


def teach_sqlite(connection: Any) -> None:
    """Give a new connection of the driver the function that PostgreSQL has by itself."""
    connection.create_function(CARRIES, 3, _carries, deterministic=True)


def _carries(token: bytes, person_id: str, digests: bytes | None) -> bool:
    return digests is not None and carries(token, person_id, digests)


def in_list(connection_id: int, system: System) -> ColumnElement[bool]:
    return and_(DirectoryTable.connection_id == connection_id, DirectoryTable.system == system)


def is_named(sought: Sought) -> ColumnElement[bool]:
    """Of a row of the directory: whether the name or kana begins with what is looked for."""
    row = DirectoryTable
    each = (
        and_(row.names_by == made_by, _Carries(literal(token, LargeBinary), row.person_id, row.name_digests))
        for made_by, token in sought.tokens.items()
    )
    return or_(false(), *each)


def is_sought(sought: Sought) -> ColumnElement[bool]:
    """The same, or the number does."""
    if not sought.number:
        return is_named(sought)
    return or_(DirectoryTable.employee_number.startswith(sought.number, autoescape=True), is_named(sought))


def is_nameless(sought: Sought) -> ColumnElement[bool]:
    """Of a row of the directory: whether the search cannot know the name, because an older release or a key that is
    gone has made its digests, or because they were erased."""
    return or_(DirectoryTable.names_by.is_(None), DirectoryTable.names_by.not_in(sought.known))

"""Names that the export settings take from freee, as freee holds them now.

freee lists neither 締め日支払い日 groups nor 勤務・賃金設定. The name of the first stands in each employee's record, so
groups that somebody has can be read; the name of the second is shown nowhere and can only be typed.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from app.domain.enums import System
from app.domain.runs.dates import today_in_japan
from app.domain.settings.connection_settings import Connection
from app.use_cases.context import Context
from app.use_cases.shared.connection_lookup import find_connection

PAGES = 5
"""Of 100 employees each, while somebody waits for the page."""


@dataclass(frozen=True)
class HeldNames:
    """`complete` False: freee has more employees than were read, so there may be further groups."""

    names: tuple[str, ...]
    complete: bool

    def nearest(self, typed: str) -> str | None:
        """The name that was probably meant; None when none is close."""
        plain = {_plain(name): name for name in self.names}
        found = difflib.get_close_matches(_plain(typed), plain, n=1)
        return plain[found[0]] if found else None


def held_schedules(ctx: Context, key: str) -> HeldNames:
    """The 締め日支払い日 groups that people at freee have. Raises Refused for an unknown connection, and the errors of
    freee."""
    gateway = ctx.gateway(find_connection(ctx, key), System.FREEE)
    names, complete = gateway.known_pay_schedules(as_of_date=today_in_japan(ctx.clock.now()), pages=PAGES)
    return HeldNames(tuple(sorted(names)), complete)


def stored_schedules(connection: Connection) -> frozenset[str]:
    """The names in the export settings as they are saved."""
    kept = [connection.export_settings, *connection.export_settings_by_type.values()]
    return frozenset(each.pay_schedule_name for each in kept if each is not None)


def to_check(ctx: Context, key: str, typed: Collection[str]) -> frozenset[str]:
    """Those of the typed names that are not saved already. Raises Refused for an unknown connection."""
    return frozenset(name for name in typed if name) - stored_schedules(find_connection(ctx, key))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).replace(" ", "").casefold()

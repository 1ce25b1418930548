"""The clocks of the hosts, for operators: by how much each is off the database's, as its processes have told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context
from app.use_cases.shared.leading import is_skewed
from app.use_cases.shared.views import ClockView
from app.use_cases.upkeep.heartbeat import living


def clocks(ctx: Context, uow: UnitOfWork) -> tuple[ClockView, ...]:
    """Of every living process that knows how wrong the clock of its host is."""
    return tuple(
        ClockView(each.name, each.clock_skew, is_skewed(each.clock_skew))
        for each in living(ctx, uow)
        if each.clock_skew is not None
    )


def skew_by_host(seen: Iterable[ClockView]) -> Mapping[str, float]:
    """Host → the largest skew that one of its processes has measured."""
    found: dict[str, float] = {}
    for each in seen:
        if abs(each.skew_seconds) >= abs(found.get(each.host, 0.0)):
            found[each.host] = each.skew_seconds
    return found

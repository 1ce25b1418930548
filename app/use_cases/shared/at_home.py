"""The gate: whatever begins work asks here first whether this database belongs to this installation.

A copy takes what comes in (webhooks, people who sign in), shows what is there, and begins nothing: no run, no job, no
periodic work, no mail. Behind this gate stands a second one, before each request that changes something at a vendor
(`Household.require`), for whatever should ever be forgotten here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from app.domain.errors import Refused
from app.use_cases.context import Context

P = ParamSpec("P")
R = TypeVar("R")
ADOPTER = "house"
"""Who has asked for the comparisons that follow an adoption."""
MARK = "only_at_home"
"""An attribute of what is not done while the house rests."""
Work = Callable[Concatenate[Context, P], R]


def rests(ctx: Context) -> bool:
    """Whether this process begins nothing, because the database is a copy or the process has no identity."""
    return ctx.household.standing().rests


def check_at_home(ctx: Context) -> None:
    """Raises Refused while the house rests."""
    if rests(ctx):
        raise resting()


def resting() -> Refused:
    return Refused("house_rests", status=503)


def only_at_home(otherwise: R) -> Callable[[Work[P, R]], Work[P, R]]:
    """Work that is not done while the house rests; then `otherwise` is the answer."""

    def decorated(work: Work[P, R]) -> Work[P, R]:
        @wraps(work)
        def guarded(ctx: Context, /, *args: P.args, **kwargs: P.kwargs) -> R:
            return otherwise if rests(ctx) else work(ctx, *args, **kwargs)

        guarded.__dict__[MARK] = True
        return guarded

    return decorated

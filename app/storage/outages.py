"""Outages of the database: which errors say that it is away, restarting, locked or full, and are no bug of ours."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.logs import DATABASE

OUTAGES = (OperationalError, InterfaceError, PoolTimeout)


def met(error: BaseException) -> None:
    """Tell of an outage, once for all that meet it in this process."""
    DATABASE.met(type(getattr(error, "orig", None) or error).__name__)

"""The heartbeat: every process that works with stored values tells that it lives, and which keys it knows and uses.

`flask secrets rotate` begins to use a key only when every living process knows it. Who has not told of itself for
`SILENT_SECONDS` counts as ended; who ends in order says so. With each beat the process takes the time of the database.
"""

from __future__ import annotations

import os
import socket
import threading
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.storage.enums import KeyKind
from app.storage.unit_of_work import UnitOfWork
from app.storage.upkeep.keys_in_use import ProcessRow
from app.use_cases.context import Context
from app.use_cases.shared.outages import OUTAGES, met
from app.use_cases.upkeep.homekeeping import SILENT_SECONDS as SILENT_SECONDS
from app.use_cases.upkeep.homekeeping import Homekeeping
from app.use_cases.upkeep.timekeeping import Timekeeping

log = structlog.get_logger(__name__)

BEAT_SECONDS = 10.0
NOT_GIVEN = "not-given"
"""In place of a key's id: at the first look some stored value was under a key that nobody has given."""


def beat(ctx: Context, name: str, *, since: datetime, clock_skew: float | None = None) -> None:
    """Tell once. `since`: when the process began; `clock_skew`: how wrong the clock of its host is."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        note_keys(ctx, uow)
        uow.processes.beat(
            name,
            known={ring.kind.value: list(ring.ids) for ring in ctx.keys.rings},
            using={ring.kind.value: ring.in_use.id for ring in ctx.keys.rings},
            started_at=since,
            now=now,
            clock_skew=clock_skew,
            house=ctx.household.mark,
        )


def note_keys(ctx: Context, uow: UnitOfWork) -> None:
    """Note the keys that this process uses. The very first note looks besides whether these are the right keys."""
    first = {ring.kind for ring in ctx.keys.rings if uow.key_uses.note(ring, ctx.clock.now())}
    if KeyKind.ENCRYPTION in first and not uow.rotation.opens_newest():
        uow.key_uses.note_missing(KeyKind.ENCRYPTION, NOT_GIVEN, ctx.clock.now())


def living(ctx: Context, uow: UnitOfWork) -> list[ProcessRow]:
    return uow.processes.living(ctx.clock.now() - timedelta(seconds=SILENT_SECONDS))


class Heartbeat:
    """The beats of one process, in a thread of their own, so that a long job delays none."""

    def __init__(self, ctx: Context, part: str) -> None:
        """`part`: what the process is, in the words of the Procfile."""
        self._ctx, self._since = ctx, ctx.clock.now()
        self.name = f"{part}@{socket.gethostname()}:{os.getpid()}"
        self._time = Timekeeping(ctx)
        self._home = Homekeeping(ctx)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        return self.begin()

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> Heartbeat:
        """Tell at once, so that nobody overlooks a process that has just begun, and then again and again."""
        self._try()
        self._thread.start()
        return self

    def end(self) -> None:
        """Say that the process ends."""
        self._ended.set()
        self._thread.join(BEAT_SECONDS)
        try:
            with self._ctx.unit_of_work() as uow:
                uow.processes.gone(self.name)
        except OUTAGES as error:
            met(error)
        except SQLAlchemyError as error:
            log.warning("heartbeat_missed", kind=type(error).__name__)

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._try()

    def _try(self) -> None:
        try:
            skew = self._time.keep()
            self._home.keep()
            beat(self._ctx, self.name, since=self._since, clock_skew=skew)
        except OUTAGES as error:
            met(error)
        except SQLAlchemyError as error:
            log.warning("heartbeat_missed", kind=type(error).__name__)

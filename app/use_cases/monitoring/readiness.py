"""Readiness: whether Awase can store a webhook (database, migrations), and hand its work on (broker).

A check is a row of CHECKS. Each is looked at by a thread of its own, at most once in a second and never twice at a
time, and nobody waits longer for it than PATIENCE_SECONDS: strangers may ask as often as they like.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.domain.errors import TemporaryError
from app.storage.vault import LOCKED
from app.use_cases.context import Context
from app.use_cases.upkeep.homekeeping import others_of
from app.use_cases.upkeep.secrets_status import lacks_a_needed_key, locked_values

MOST_COUNTED = 1_000

log = structlog.get_logger(__name__)

OK = "ok"
AHEAD = "ahead"
"""A newer version has migrated the database. Migrations only add, so this version works on until it is replaced."""
KEPT_SECONDS = 1.0
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Check:
    """`needed`: without it no webhook can be stored. `look` returns "ok", or one word for what is wrong. `stores`: the
    words with which a webhook can be stored all the same."""

    name: str
    needed: bool
    look: Callable[[Context], str]
    stores: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Finding:
    name: str
    needed: bool
    word: str

    @property
    def ok(self) -> bool:
        return self.word == OK


@dataclass(frozen=True)
class Readiness:
    findings: tuple[Finding, ...]

    @property
    def status(self) -> str:
        """ "unavailable": no webhook can be stored. "degraded": webhooks are stored, other work waits."""
        wrong = [each for each in self.findings if not each.ok]
        return OK if not wrong else "unavailable" if any(each.needed for each in wrong) else "degraded"


class ReadinessWatch:
    """The checks of one process."""

    def __init__(self, ctx: Context, checks: Sequence[Check] | None = None) -> None:
        self._watched = [_Watched(ctx, check) for check in (CHECKS if checks is None else checks)]

    def readiness(self) -> Readiness:
        """What the checks have found within the last second."""
        for each in self._watched:
            each.begin()
        return Readiness(tuple(each.finding() for each in self._watched))


class _Watched:
    """One check, its last finding, and the look that is under way."""

    def __init__(self, ctx: Context, check: Check) -> None:
        self._ctx, self._check = ctx, check
        self._news = threading.Condition()
        self._word, self._found_at = "", 0.0
        self._began_at: float | None = None

    def begin(self) -> None:
        """Begin a look, unless one is under way or the last one is fresh."""
        with self._news:
            if self._began_at is not None or self._is_fresh():
                return
            self._began_at = time.monotonic()
        threading.Thread(target=self._look, name=f"ready-{self._check.name}", daemon=True).start()

    def finding(self) -> Finding:
        """The finding; "no_answer" when the look has been under way for too long."""
        with self._news:
            if self._began_at is not None:
                left = self._began_at + PATIENCE_SECONDS - time.monotonic()
                self._news.wait_for(lambda: self._began_at is None, timeout=max(left, 0.0))
            word = self._word if self._began_at is None else "no_answer"
        return Finding(self._check.name, self._check.needed and word not in self._check.stores, word)

    def _is_fresh(self) -> bool:
        return bool(self._word) and time.monotonic() - self._found_at < KEPT_SECONDS

    def _look(self) -> None:
        word = "failed"
        try:
            word = self._check.look(self._ctx)
        except Exception as error:  # noqa: BLE001 - a check that fails is a finding, and its text may quote values
            log.error("readiness_check_failed", check=self._check.name, error=type(error).__name__)
        with self._news:
            self._word, self._found_at, self._began_at = word, time.monotonic(), None
            self._news.notify_all()


# ── the checks ────────────────────────────────────────────────────────────────────────────────────────────────────


def database_state(ctx: Context) -> tuple[bool, bool]:
    """(the database answers, its tables have what this version of the code needs)."""
    try:
        with ctx.unit_of_work().reading() as uow:
            return True, uow.metrics.is_migrated()
    except SQLAlchemyError:
        return False, False


def is_ahead(ctx: Context) -> bool:
    """Whether a newer version has migrated the database. Raises what a database raises that does not answer."""
    with ctx.unit_of_work().reading() as uow:
        return uow.metrics.migration_state() == AHEAD


def _database(ctx: Context) -> str:
    """Whether a webhook could be stored now: it writes as much as one needs, and commits."""
    reachable, migrated = database_state(ctx)
    if not (reachable and migrated):
        return OK if reachable else "unreachable"  # what is missing is told by the check of the migrations
    try:
        with ctx.unit_of_work() as uow:
            uow.proofs.store()
    except SQLAlchemyError as error:
        log.warning("nothing_can_be_stored", kind=type(error).__name__)
        return "refuses_writes"
    return OK


def _migrations(ctx: Context) -> str:
    try:
        with ctx.unit_of_work().reading() as uow:
            return uow.metrics.migration_state()
    except SQLAlchemyError:
        return "unknown"


def _broker(ctx: Context) -> str:
    try:
        return OK if ctx.job_queue.takes_writes() else "refuses_writes"
    except TemporaryError:
        return "unreachable"


def _keys(ctx: Context) -> str:
    """Whether everything stored can be read. Locked values are looked for only where a key is missing, and then not at
    every question."""
    try:
        with ctx.unit_of_work().reading() as uow:
            missing = lacks_a_needed_key(ctx, uow)
        locked = missing and ctx.keys.remembered(lambda: sum(locked_values(ctx, most=MOST_COUNTED).values()))
    except SQLAlchemyError:
        return OK  # what is wrong with the database is told by its own check
    return LOCKED if locked else OK


def _house(ctx: Context) -> str:
    """Whether this process is at home in its database, and no other house lives there. Webhooks are stored anyway."""
    try:
        standing = ctx.household.standing()
        if standing.rests:
            return standing.value
        return "two_houses" if others_of(ctx) else OK
    except SQLAlchemyError:
        return OK  # what is wrong with the database is told by its own check


CHECKS: tuple[Check, ...] = (
    Check("database", True, _database),
    Check("migrations", True, _migrations, stores=frozenset({AHEAD})),
    Check("broker", False, _broker),
    Check("keys", False, _keys),
    Check("house", False, _house),
)

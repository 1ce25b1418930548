"""The five tasks, and what has to have happened for each. Pure.

The house itself has done a sync and a preview before anybody came: what was there then (`Before`) ticks nothing off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SYNC, MEND, MASS, UNDO, AUTOMATIC = "sync", "mend", "mass_change", "undo", "automatic"
ENDED = ("succeeded", "partly_failed")
BY_PEOPLE = ("manual", "api")
MANY_ACCOUNTS = 10
"""Nearly all of the sample file. Awase asks from 4 on, in a company of more than 400 people from 1 % of them."""
Run = Mapping[str, Any]


@dataclass(frozen=True)
class Before:
    """The ids of the runs that had written, and of all runs that there were, before the guide began."""

    ended: frozenset[str] = frozenset()
    there: frozenset[str] = frozenset()

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Before:
        known = list(runs)
        return cls(
            frozenset(each["id"] for each in known if has_written(each)),
            frozenset(each["id"] for each in known),
        )


@dataclass(frozen=True)
class Seen:
    """What Awase shows. `runs`: newest first, as its API lists them. `troubled` and `written`: run id → the numbers of
    the employees whom it left with a failure or a question, or wrote. `accounts`: run id → of how many employees it
    would write the bank account, or has written it."""

    runs: tuple[Run, ...]
    troubled: Mapping[str, frozenset[str]]
    written: Mapping[str, frozenset[str]]
    accounts: Mapping[str, int]


def done(seen: Seen, before: Before) -> frozenset[str]:
    """The tasks that have happened."""
    return frozenset(name for name, has_happened in TASKS.items() if has_happened(seen, before))


def has_written(run: Run) -> bool:
    """Whether the run has ended and written somebody; one that began as a preview (`dry_run`) may have, too."""
    return run["state"] in ENDED and run["counts"]["succeeded"] > 0


def _new(seen: Seen, before: Before) -> list[Run]:
    """The runs that have written since the guide began."""
    return [each for each in seen.runs if has_written(each) and each["id"] not in before.ended]


def _synced(seen: Seen, before: Before) -> bool:
    return any(each["trigger"] in BY_PEOPLE and not each["undone_run"] for each in _new(seen, before))


def _mended(seen: Seen, before: Before) -> bool:
    """Whether somebody whom a run had left in trouble was written by a later one."""
    new = {each["id"] for each in _new(seen, before)}
    troubled: set[str] = set()
    for run in reversed(seen.runs):
        if run["id"] in new and not run["undone_run"] and troubled & seen.written.get(run["id"], frozenset()):
            return True
        troubled |= seen.troubled.get(run["id"], frozenset())
    return False


def _stopped(seen: Seen, before: Before) -> bool:
    """Whether Awase has shown a change of more bank accounts than it writes without a question."""
    new = (each for each in seen.runs if each["id"] not in before.there and not each["undone_run"])
    return any(seen.accounts.get(each["id"], 0) >= MANY_ACCOUNTS for each in new)


def _undone(seen: Seen, before: Before) -> bool:
    return any(each["undone_run"] for each in _new(seen, before))


def _automatic(seen: Seen, before: Before) -> bool:
    return any(each["trigger"] == "webhook" for each in _new(seen, before))


TASKS: Mapping[str, Callable[[Seen, Before], bool]] = {
    SYNC: _synced,
    MEND: _mended,
    MASS: _stopped,
    UNDO: _undone,
    AUTOMATIC: _automatic,
}
"""In the order in which they are done."""

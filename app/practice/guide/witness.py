"""Who looks whether the tasks have happened: by Awase's own API, as any program would; what was seen stays seen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from app.practice.guide.tasks import TASKS, Before, Run, Seen, done, has_written
from app.practice.house.demo import Api
from app.practice.vendor_kit.private_files import write_private

TROUBLE = ("failed", "needs_review", "conflict")
MOST_RUNS = 100
_RESTS = ("succeeded", "partly_failed", "failed", "cancelled", "previewed")


class Person(NamedTuple):
    """One employee of a run. `has_account`: the run would write the bank account, or has written it."""

    number: str
    has_account: bool


class Witness:
    """Looks at the runs of one connection. `file`: what was there before, and when each task was seen done."""

    def __init__(self, api: Api, connection: str, file: Path) -> None:
        self._api = api
        self._connection = connection
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[Person, ...]] = {}
        self.before = Before()
        self.done: dict[str, str] = {}

    def begin(self) -> None:
        """Note what there is already, at the first start of a house. Raises DemoError, requests.RequestException."""
        if not self._recall():
            self.before = Before.of(self._runs())
            self._note()

    def look(self) -> dict[str, str]:
        """Task → when it was first seen done. Raises DemoError, requests.RequestException."""
        with self._lock:
            runs = self._runs()
            seen = self._seen(runs)
            new = [name for name in done(seen, self.before) if name not in self.done]
            if new:
                self.done |= dict.fromkeys(new, datetime.now(UTC).isoformat(timespec="seconds"))
                self._note()
            return dict(self.done)

    def start_again(self) -> None:
        """Take all ticks off: what there is now counts as having been there before."""
        with self._lock:
            self.before, self.done = Before.of(self._runs()), {}
            self._note()

    def _runs(self) -> list[Run]:
        found: list[Run] = self._api.get("/api/v1/runs", limit=MOST_RUNS, connection=self._connection)["items"]
        return found

    def _seen(self, runs: list[Run]) -> Seen:
        wrote = {run["id"]: self._people(run, "succeeded") for run in runs if has_written(run)}
        planned = {run["id"]: self._people(run, "waiting") for run in runs if run["state"] == "previewed"}
        troubled = {run["id"]: [who for state in TROUBLE for who in self._people(run, state)] for run in runs}
        accounts = {name: sum(who.has_account for who in people) for name, people in (wrote | planned).items()}
        return Seen(tuple(runs), _numbers(troubled), _numbers(wrote), accounts)

    def _people(self, run: Run, state: str) -> tuple[Person, ...]:
        """The run's employees in this state, chosen or only looked at; of a run that rests they are asked for once."""
        if not run["counts"][state] and not (run.get("looked_at") or {}).get(state):
            return ()
        key = (f"{run['id']}/{run['state']}", state)
        if key in self._known:
            return self._known[key]
        items = self._api.pages(f"/api/v1/runs/{run['id']}/items", state=state)
        people = tuple(Person(each["employee_number"], _has_account(each)) for each in items)
        if run["state"] in _RESTS:
            self._known[key] = people
        return people

    def _recall(self) -> bool:
        """Take over what the file holds; False without one that can be read."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            self.before = Before(frozenset(kept["ended"]), frozenset(kept["there"]))
            self.done = {name: str(kept["done"][name]) for name in TASKS if name in kept["done"]}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        return True

    def _note(self) -> None:
        kept = {"ended": sorted(self.before.ended), "there": sorted(self.before.there), "done": self.done}
        write_private(self._file, json.dumps(kept))


def _numbers(by_run: Mapping[str, Iterable[Person]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(who.number for who in people) - {""} for name, people in by_run.items()}


def _has_account(item: Mapping[str, Any]) -> bool:
    return any(str(change["key"]).startswith("bank_") for change in item["changes"])

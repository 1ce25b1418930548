"""From an edit on one practice screen to the write in the other vendor's request log, while nothing else is to do."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.practice.house.connecting import flask
from tests.chaos.house import House
from tests.chaos.parts import Vendor, wait_for
from tests.storm.outside import load
from tests.storm.people import Person

PATIENCE_SECONDS = 90
TARGETS = {"default": 15.0, "0": 3.0}
"""Quiet window → the median that is wanted, in seconds."""


def measure(house: House, people: Sequence[Person], *, edits: int, quiet: Any) -> dict[str, dict[str, Any]]:
    """Window → both directions' figures. `quiet`: waits until nothing is queued. Everybody is in both systems."""
    found = {}
    for window in TARGETS:
        flask(house.env, "connection", "set-automatic", house.connection, "--quiet-seconds", window)
        quiet()
        time.sleep(2)  # the web process remembers a connection's settings for this long
        before = load()
        seconds: dict[str, list[float]] = {"smarthr_to_freee": [], "freee_to_smarthr": []}
        for turn in range(edits):
            person = people[turn % len(people)]
            for direction, taken in seconds.items():
                taken.append(_one(house, person, direction, turn=turn + (100 if window == "0" else 0)))
                quiet()
        found[window] = {
            **{direction: figures(taken) for direction, taken in seconds.items()},
            "load": [before, load()],
        }
    return found


def figures(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "edits": len(seconds),
        "median": round(statistics.median(seconds), 2),
        "min": round(min(seconds), 2),
        "max": round(max(seconds), 2),
    }


def _one(house: House, person: Person, direction: str, *, turn: int) -> float:
    """Seconds from the moment the screen has taken the edit (asked for just before) to the first write over there."""
    parts = ("070", f"9{turn:03d}", f"{'1' if direction == 'smarthr_to_freee' else '2'}{turn:03d}")
    person.worker = replace(person.worker, phone=parts)
    there = house.freee if direction == "smarthr_to_freee" else house.smarthr
    place = f"/employees/{person.employee_id}/" if there is house.freee else f"/crews/{person.crew_id}"
    tail = Tail(there)
    edited = time.time()
    if direction == "smarthr_to_freee":
        house.smarthr.ask("PUT", f"crews/{person.number}", {"tel_number": "-".join(parts)})
    else:
        month = max(_employee(house, person)["rules"]["profile_rule"])
        phone = dict(zip(("phone1", "phone2", "phone3"), parts, strict=True))
        edited = time.time()
        house.freee.ask("POST", f"employees/{person.employee_id}", {"profile_rule": phone, "pay_month": month})
    wait_for(lambda: tail.wrote(place) is not None, seconds=PATIENCE_SECONDS, what="the write on the other side")
    written = tail.wrote(place)
    assert written is not None
    return written - edited


def _employee(house: House, person: Person) -> Mapping[str, Any]:
    return next(each for each in house.freee.state()["employees"] if each["num"] == person.number)


class Tail:
    """What a vendor's request log has got since now."""

    def __init__(self, vendor: Vendor) -> None:
        self._file = vendor.log
        self._from = vendor.log.stat().st_size if vendor.log.exists() else 0

    def wrote(self, place: str) -> float | None:
        """When the first write arrived whose path holds `place`."""
        with self._file.open("rb") as log:
            log.seek(self._from)
            whole = log.read().rpartition(b"\n")[0]
        rows = [json.loads(line) for line in whole.splitlines()]
        hits = [row["epoch"] for row in rows if row.get("method") in ("PUT", "PATCH") and place in f"{row['path']}/"]
        return min(hits, default=None)

"""The beginning of the automatic sync in a house of processes, approved through the API as a program would."""

from __future__ import annotations

import time
from contextlib import suppress

from app.practice.house.demo import Api, DemoError


def begin_outside(api: Api, *, seconds: float = 180) -> None:
    """Wait for the previews with which the automatic sync of every connection begins, and approve them. One that has
    nothing to write begins by itself."""
    end = time.monotonic() + seconds
    while marks := [mark for each in api.get("/api/v1/connections")["items"] for mark in each["beginnings"]]:
        assert time.monotonic() < end, f"no preview after {seconds} s: {marks}"
        for run in filter(None, (mark["run"] for mark in marks)):
            with suppress(DemoError):  # a newer preview has taken its place
                api.post(f"/api/v1/runs/{run}/approve", {"acknowledge_mass_change": True})
        time.sleep(0.5)

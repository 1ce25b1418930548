"""Jobs that only the tests queue: one that takes its time, one that fails, one that notes that it ran."""

from __future__ import annotations

import time
from pathlib import Path

RAN: list[int] = []
SECRET = "架空の山田さんの口座 7654321"


def note(number: int) -> None:
    RAN.append(number)


def fail(_number: int) -> None:
    raise KeyError(SECRET)


def fail_because_of_another(number: int) -> None:
    try:
        fail(number)
    except KeyError as error:
        raise RuntimeError(SECRET) from error


def slowly(folder: str) -> None:
    """Says that it has begun, waits for the file `go`, says that it has ended."""
    place = Path(folder)
    (place / "begun").touch()
    for _ in range(600):
        if (place / "go").exists():
            (place / "ended").touch()
            return
        time.sleep(0.05)

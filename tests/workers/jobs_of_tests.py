"""Jobs that only the tests queue: one that fails, one that notes that it ran."""

from __future__ import annotations

from pathlib import Path as Path  # an attack of the tests reaches it by way of this module

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

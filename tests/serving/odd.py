"""An application for the tests of the web processes: it answers 202, and some addresses do something odd."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import structlog

log = structlog.get_logger("tests")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("202 Accepted", [("Content-Length", "0")])
    if environ["PATH_INFO"] == "/last":
        log.warning("working_on_the_last")
        time.sleep(1)
        return Last()
    return [b""]


class Last:
    """An answer after which one more line is written: the process ends in the next moment."""

    def __iter__(self) -> Iterator[bytes]:
        yield b""

    def close(self) -> None:
        log.info("the_last_is_answered")

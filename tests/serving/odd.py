"""An application for the tests of the web processes: it answers 202, and some addresses do something odd.

`python -m tests.serving.odd PORT`: the web processes with it, of which one that hangs is noticed soon.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import structlog

from app.config import Settings
from app.logs import configure_logging
from app.web.serving.processes import Parent, listen

SOON_SECONDS = 5.0
log = structlog.get_logger("tests")


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("202 Accepted", [("Content-Length", "0")])
    if environ["PATH_INFO"] == "/last":
        log.warning("working_on_the_last")
        time.sleep(1)
        return Last()
    if environ["PATH_INFO"] == "/hang":
        re.match(r"(a+)+$", "a" * 60 + "b")  # takes longer than the universe, and holds the interpreter
    return [b""]


class Last:
    """An answer after which one more line is written: the process ends in the next moment."""

    def __iter__(self) -> Iterator[bytes]:
        yield b""

    def close(self) -> None:
        log.info("the_last_is_answered")


if __name__ == "__main__":
    configure_logging("INFO")
    listening = listen("127.0.0.1", int(sys.argv[1]))
    sys.exit(Parent(f"{__spec__.name}:app", Settings.from_env(), listening, 2, silent_seconds=SOON_SECONDS).run())

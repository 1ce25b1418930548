"""Logs of every process: JSON lines on stderr with ids, states and keys; never a value, a name or an address."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_LAST: list[structlog.typing.Processor] = [
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(ensure_ascii=False),
]


def configure_logging(level: str) -> None:
    """One JSON object per line, of ours and of the libraries'. Standard output stays free for what commands answer."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, *_LAST],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )
    handler = _StderrHandler()
    own = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[own, *_LAST], foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.getLogger("rq").setLevel(max(number, logging.WARNING))  # two lines a job say nothing ours do not
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))  # two lines each time the revision is asked
    logging.getLogger("urllib3").setLevel(max(number, logging.INFO))  # its DEBUG lines hold queries: numbers, codes


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Looks standard error up at each line: a command runner may put another stream in its place."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: Any) -> None:
        return None


def _to_stderr(*_names: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)

"""What a job may be. Pure: takes the raw hash of a job out of Redis, gives the call it stands for, or refuses.

Whoever can write to Redis can write any hash. RQ turns much of one into action: it imports the function and the
callbacks, calls methods of what it unpacks, sends webhooks, queues dependents and repetitions, and ends its worker when
a number is none. Here nothing is imported, resolved or decoded beyond JSON of a few hundred bytes; the hash has to be
exactly as `app.adapters.job_queue` writes it, so a field we do not know is refused as well.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import signature
from typing import Any

from rq.exceptions import NoSuchJobError
from rq.job import JobStatus

from app.domain.runs.queues import QUEUES
from app.use_cases.monitoring.refused_jobs import Reason

Functions = Mapping[str, Callable[..., object]]
"""The name under which a job is queued → the function. All parameters are whole numbers."""

MOST_BYTES = 1000
"""Of one field. Ours have less than 200."""
MOST_FIELDS = 40
_GREATEST = 2**63 - 1
_JOB_ID = re.compile(rb"[A-Za-z0-9_-]{1,100}")
_WHOLE = re.compile(rb"[0-9]{1,9}")
_MOMENT = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_WORD = re.compile(rb"[ -~]*")


class Refused(NoSuchJobError):
    """This is no job of ours. To RQ it is a job that does not exist, which RQ passes over wherever it fetches one."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True)
class Call:
    """A job that may run: which function, with which numbers."""

    function: str
    args: tuple[int, ...]
    origin: str
    status: JobStatus
    created_at: datetime
    enqueued_at: datetime | None


def _one_of(*allowed: str) -> Callable[[bytes], bool]:
    known = frozenset(each.encode() for each in allowed)
    return lambda value: value in known


def _moment_or_empty(value: bytes) -> bool:
    return not value or _moment(value) is not None


def _moment(value: bytes) -> datetime | None:
    if not _MOMENT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.decode()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _whole(value: bytes) -> bool:
    return _WHOLE.fullmatch(value) is not None


def _word(value: bytes) -> bool:
    return _WORD.fullmatch(value) is not None


FIELDS: dict[str, Callable[[bytes], bool]] = {
    "data": lambda _value: True,  # read by `_function_and_args`
    "origin": _one_of(*QUEUES),
    "status": _one_of(*(status.value for status in JobStatus)),
    "description": _word,
    "worker_name": _word,
    "created_at": lambda value: _moment(value) is not None,
    **dict.fromkeys(("enqueued_at", "started_at", "ended_at", "last_heartbeat"), _moment_or_empty),
    **dict.fromkeys(("timeout", "result_ttl", "failure_ttl"), _whole),
    **dict.fromkeys(
        ("success_callback_name", "failure_callback_name", "stopped_callback_name", "group_id"), _one_of("")
    ),
}
"""Every field of a job that we push, run or fail → whether a value can be ours. Of the numbers only the form counts:
another version of ours may set others, and what is used is always this version's own."""


def is_job_id(raw: bytes) -> bool:
    return _JOB_ID.fullmatch(raw) is not None


def call_of(fields: Mapping[str, bytes], functions: Functions) -> Call:
    """The call for which the hash stands. Raises Refused."""
    if "data" not in fields:
        raise Refused(Reason.INCOMPLETE)
    if any(len(value) > MOST_BYTES for value in fields.values()):
        raise Refused(Reason.TOO_LARGE)
    if not all(name in FIELDS and FIELDS[name](value) for name, value in fields.items()):
        raise Refused(Reason.FIELDS)
    if not {"origin", "status", "created_at"} <= fields.keys():
        raise Refused(Reason.FIELDS)
    function, args = _function_and_args(fields["data"], functions)
    return Call(
        function,
        args,
        origin=fields["origin"].decode(),
        status=JobStatus(fields["status"].decode()),
        created_at=_moment(fields["created_at"]) or datetime.now(UTC),
        enqueued_at=_moment(fields.get("enqueued_at", b"")),
    )


def _function_and_args(data: bytes, functions: Functions) -> tuple[str, tuple[int, ...]]:
    match _json(data):
        case [str(function), None, list(args), dict(by_name)] if not by_name:
            pass
        case _:
            raise Refused(Reason.DATA)
    if function not in functions:
        raise Refused(Reason.FUNCTION)
    if not _fit(args, functions[function]):
        raise Refused(Reason.ARGUMENTS)
    return function, tuple(args)


def _json(data: bytes) -> Any:
    """What the few bytes say. They may unfold to a few only: a small text can be packed that would fill the memory."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(data, MOST_BYTES)
        if not unpacking.eof or unpacking.unused_data:
            raise Refused(Reason.DATA)
        return json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        raise Refused(Reason.DATA) from None


def _fit(args: Sequence[object], function: Callable[..., object]) -> bool:
    # type() and not isinstance(): to Python, true is a whole number.
    return len(args) == len(signature(function).parameters) and all(
        type(each) is int and 0 <= each <= _GREATEST for each in args
    )

"""Faults on the wire: which request they hit and what the caller gets instead of the true answer."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GARBAGE = b'\x00\xff\xfe{"id": \x80 <html>'
MID_BODY = "mid_body"
SILENT = "silent"


class BadFault(ValueError):
    """A fault rule that cannot be applied; the text names the wrong part."""


@dataclass(frozen=True)
class Fault:
    """One rule. Without `nth` and `times` it stays until removed.

    `method` None = any; `path` is a regular expression searched in the path without the query.
    `nth`: from the nth matching request on (1-based, counted since the rule was added); alone it hits only that one.
    `times`: hits that many requests, then rests.
    `status` `body` `headers`: answered instead of the true answer (body: a text, or any other value as JSON).
    `delay`: seconds before the request is carried out; alone the true answer follows late. `late`: seconds between
    carrying it out and its answer. `drip`: seconds over which the bytes spread.
    `cut`: True or "mid_body" = half of the body, then the connection is closed; "silent" = closed without a byte.
    `garbage`: bytes that are not JSON, declared as JSON. `after`: the request is carried out first, its answer is lost
    (alone: silent cut; with status/body/cut/garbage: replaced by that).
    """

    method: str | None = None
    path: str = ""
    nth: int | None = None
    times: int | None = None
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    late: float = 0.0
    drip: float = 0.0
    cut: bool | str = False
    garbage: bool = False
    after: bool = False

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Fault:
        """A rule as posted to /_practice/faults. Raises BadFault for unknown keys and impossible values."""
        unknown = set(raw) - {each.name for each in fields(cls)}
        if unknown:
            raise BadFault(f"unknown keys: {', '.join(sorted(unknown))}")
        fault = cls(**raw)
        fault.check()
        return fault

    def check(self) -> None:
        try:
            re.compile(self.path)
        except (re.error, TypeError) as error:
            raise BadFault(f"path is not a regular expression: {error}") from error
        for name in ("nth", "times"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise BadFault(f"{name} must be a whole number from 1")
        if self.status is not None and not (isinstance(self.status, int) and 200 <= self.status <= 599):
            raise BadFault("status must be 200..599")
        if self.cut not in (True, False, MID_BODY, SILENT):
            raise BadFault("cut must be true, false, 'mid_body' or 'silent'")
        if not all(isinstance(each, (int, float)) and each >= 0 for each in (self.delay, self.late, self.drip)):
            raise BadFault("delay, late and drip are seconds, not negative")

    @property
    def kind(self) -> str:
        """One word for the request log."""
        if self.garbage:
            return "garbage"
        if self.cut:
            return "cut"
        if self.after and self.status is None and self.body is None:
            return "lost_answer"
        return "answer" if self.replaces_answer else "slow"

    @property
    def replaces_answer(self) -> bool:
        return self.status is not None or self.body is not None or self.garbage

    @property
    def cuts(self) -> str | None:
        """How the connection is closed, if it is."""
        if self.cut:
            return SILENT if self.cut == SILENT else MID_BODY
        return SILENT if self.after and not self.replaces_answer else None


class FaultTable:
    """The rules in force, in the order they were added; the first that is due hits. The wire does the locking."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []

    def add(self, fault: Fault) -> None:
        self._rules.append(_Rule(fault, re.compile(fault.path)))

    def clear(self) -> None:
        self._rules.clear()

    def pick(self, method: str, path: str) -> Fault | None:
        """The fault for this request, or None. Every rule that matches counts the request; one of them is used up."""
        due = [rule for rule in self._rules if rule.sees(method, path) and rule.is_due]
        if not due:
            return None
        due[0].fired += 1
        return due[0].fault

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {"method": r.fault.method, "path": r.fault.path, "kind": r.fault.kind, "seen": r.seen, "fired": r.fired}
            for r in self._rules
        ]


@dataclass
class _Rule:
    fault: Fault
    pattern: re.Pattern[str]
    seen: int = 0
    fired: int = 0

    def sees(self, method: str, path: str) -> bool:
        wanted = self.fault.method
        matches = (wanted is None or wanted.upper() == method) and self.pattern.search(path) is not None
        self.seen += matches
        return matches

    @property
    def is_due(self) -> bool:
        last = self.fault.times or (1 if self.fault.nth else None)
        return self.seen >= (self.fault.nth or 1) and (last is None or self.fired < last)


@dataclass
class Answer:
    """A whole answer, held back so that it can be replaced, cut or dripped."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def faulty_answer(fault: Fault, true: Answer | None) -> Answer:
    """What the caller is told: the fault's own answer, or the true one when the fault has none."""
    if true is not None and not fault.replaces_answer:
        return true
    if fault.garbage:
        body, kind = GARBAGE, "application/json"
    elif isinstance(fault.body, str):
        body, kind = fault.body.encode(), "text/html; charset=utf-8"
    else:
        body = b"" if fault.body is None else json.dumps(fault.body, ensure_ascii=False).encode()
        kind = "application/json"
    headers = {"Content-Type": kind, **fault.headers, "Content-Length": str(len(body))}
    status = HTTPStatus(fault.status or 200) if (fault.status or 200) in set(HTTPStatus) else None
    line = f"{status.value} {status.phrase}" if status else f"{fault.status} Unknown"
    return Answer(line, list(headers.items()), body)


def send(answer: Answer, fault: Fault, environ: WSGIEnvironment, *, start_response: StartResponse) -> Iterable[bytes]:
    """Put the answer on the wire as the fault wants it: at once, in drips, by half, or not at all."""
    if fault.cuts == SILENT:
        close_connection(environ)
        return []
    start_response(answer.status, answer.headers)
    if fault.cuts == MID_BODY:
        return _half(answer.body, environ)
    return _drips(answer.body, fault.drip) if fault.drip else [answer.body]


def close_connection(environ: WSGIEnvironment) -> None:
    """Close the caller's connection under the server's feet. Raises ConnectionError, which ends the request there."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("cut by a practice fault")


def _half(body: bytes, environ: WSGIEnvironment) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    close_connection(environ)


def _drips(body: bytes, seconds: float, pieces: int = 20) -> Iterator[bytes]:
    size = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), size):
        time.sleep(seconds / pieces)
        yield body[start : start + size]

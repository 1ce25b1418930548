"""HttpWriteWindow: what lies between the latest reading of one person and the write that is built from it.

A write replaces what it carries, so it has to be built from a reading made directly before it. What comes in between (a
wait, another request) is what this module sees.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from app.adapters.http import HttpClient
from app.domain.employee import EmployeeRecord, Record

DIRECTLY = 1.0
"""Seconds between the answer of a reading and the write that is built from it: our own transactions need less."""


class HttpWriteWindow:
    """The port `WriteWindow` over one client."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._record: Record | None = None
        self._calls = 0
        self._sent_at = self._answered_at = 0.0

    def opens(self, record: Record | None) -> None:
        """The client's latest request has brought this record of one person."""
        self._record, self._calls = record, self._http.calls
        self._sent_at, self._answered_at = self._http.sent_at, self._http.answered_at

    def is_fresh(self, employee: EmployeeRecord) -> bool:
        is_latest = employee.record is not None and employee.record is self._record and self._calls == self._http.calls
        return is_latest and time.monotonic() - self._answered_at <= DIRECTLY

    def permit_ahead(self) -> AbstractContextManager[None]:
        return self._http.permit_ahead()

    @property
    def seconds(self) -> float:
        return self._http.answered_at - self._sent_at

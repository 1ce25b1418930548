"""HttpClient: the one door to a vendor; only this module knows timeouts, statuses, retries and permits.

It uses `requests`, with a few lines of our own for what that lacks (cap on the body, total deadline, permits). It
repeats reads and never writes. Not chosen: urllib3's Retry (it cannot ask for a permit before each attempt and would
sit out a server's Retry-After inside the worker) and requests-ratelimiter (it knows one process only).

Errors and logs carry no query and no body, because these hold personal data. `detail` names only the kind of fault.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
import structlog
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError
from urllib3.exceptions import TimeoutError as NoTime

from app.adapters.answers import (
    Answer,
    AnswerSchema,
    Response,
    from_between,
    load_answer,
    retry_after,
    server_time,
    within_an_hour,
)
from app.adapters.paths import check_path
from app.adapters.vendor_session import VendorSession
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.domain.ports import RateLimiter
from app.domain.runs import deadline
from app.failpoints import failpoint
from app.telemetry.spans import just_ended

__all__ = [
    "Answer",
    "Classify",
    "HttpClient",
    "Query",
    "Response",
    "VendorSession",
    "bearer",
    "retry_after",
    "server_time",
    "within_an_hour",
]

RETRY_PAUSES = (0.3, 1.0)
"""Upper ends of the jittered pauses before the second and third attempt of a read, in seconds."""
TOTAL_DEADLINE = 60.0
"""Seconds one answer may take in all, because a dripping body never trips the timeout between two bytes."""
_CHUNK = 65536

log = structlog.get_logger(__name__)

Query = Mapping[str, str | int]
_FAULTS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.InvalidHeader,  # an answer with two Content-Lengths
    HTTPError,
    TimeoutError,
)
"""What a request raises when no answer comes, or one that HTTP does not know."""
_SILENCE = (requests.Timeout, NoTime, TimeoutError)
Classify = Callable[[Response], AwaseError]
"""A vendor's reading of an answer that is not a success."""
BeforeWrite = Callable[[], None]
"""Raises TemporaryError where this process may change nothing outside."""


def always() -> None:
    """For clients of which somebody else decides whether they may write."""


class HttpClient:
    """One vendor's API for one connection, used by one thread. `calls` counts all requests sent, repeated ones too."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Callable[[], Mapping[str, str]],
        classify: Classify,
        limiter: RateLimiter,
        limiter_key: str,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout: tuple[float, float] = (3.0, 20.0),
        deadline: float = TOTAL_DEADLINE,
        retry_pauses: tuple[float, ...] = RETRY_PAUSES,
        max_bytes: int = 20_000_000,
        before_write: BeforeWrite = always,
    ) -> None:
        """`headers` is called before every request (the token may be a new one). `timeout`: connect, read seconds.
        `before_write` is called before every request that may change something, and raises where none may leave."""
        self.calls = 0
        self.sent_at = self.answered_at = 0.0  # of the latest request, on the monotonic clock
        self._permits_ahead = 0
        self._base_url = base_url.rstrip("/")
        self._headers = headers
        self._classify = classify
        self._limiter = limiter
        self._limiter_key = limiter_key
        self._session = session or VendorSession()
        self._sleep = sleep
        self._timeout = timeout
        self._deadline = deadline
        self._retry_pauses = retry_pauses
        self._max_bytes = max_bytes
        self._before_write = before_write

    def send(
        self,
        method: str,
        path: str,
        *,
        is_read: bool,
        query: Query | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        answer: AnswerSchema | None = None,
    ) -> Any:
        """Make one API call and return its answer, parsed by the schema `answer` (None without one).

        `path` holds no query, and nothing that would have to be quoted (`app.adapters.paths`). Raises the error that
        `classify` makes of a refusal; for the rest TemporaryError "unreachable", "unreadable_answer", "not_the_vendor",
        "rate_limited" (no permit soon) or "vendor_silent" (it answers nobody at present). A write that may have
        happened raises with `outcome_unknown`.
        """
        return self.exchange(method, path, is_read=is_read, query=query, body=body, form=form, answer=answer).payload

    def exchange(
        self,
        method: str,
        path: str,
        *,
        is_read: bool,
        query: Query | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        answer: AnswerSchema | None = None,
    ) -> Answer:
        """Make one API call as `send` does, and return its status and headers as well."""
        check_path(path)
        if not is_read:
            self._before_write()
        pauses = iter(self._retry_pauses if is_read else ())
        while True:
            self._take_permit()
            result = self._attempt(method, path, is_read=is_read, query=query, body=body, form=form)
            if isinstance(result, Response):
                return Answer(result.status, result.headers, load_answer(result, answer))
            pause = next(pauses, None)
            if pause is None or not _worth_repeating(result):
                raise result
            self._sleep(pause * random.uniform(0.3, 1.0))  # noqa: S311 - jitter, not a secret

    @contextmanager
    def permit_ahead(self) -> Iterator[None]:
        """Wait for the permit of one request now: inside the block one more request leaves without a wait. So no wait
        lies between a reading and the write that is built from it. Raises TemporaryError as `send` does."""
        before = self._permits_ahead
        self._book_permit()
        self._permits_ahead += 1
        try:
            yield
        finally:
            self._permits_ahead = min(self._permits_ahead, before)

    def _take_permit(self) -> None:
        if not self._permits_ahead:
            self._book_permit()
            return
        self._permits_ahead -= 1
        self._refuse_wait(-self._limiter.closed_for(self._limiter_key))

    def _book_permit(self) -> None:
        """Sleep until the booked permit. When the wait would be longer than the limiter's patience, or the job has
        taken too long, raise TemporaryError instead, so that the worker is free for other work."""
        if deadline.is_over():
            raise TemporaryError("item_too_long")
        wait = self._limiter.reserve(self._limiter_key)
        if wait > 0:
            self._sleep(wait)
            # While this worker slept, the vendor may have told another worker to stop.
            wait = -self._limiter.closed_for(self._limiter_key)
        self._refuse_wait(wait)

    def _refuse_wait(self, wait: float) -> None:
        if wait < 0:
            silent = self._limiter.silent_for(self._limiter_key)
            raise TemporaryError("vendor_silent" if silent else "rate_limited", retry_after=-wait, counts=False)

    def _attempt(
        self,
        method: str,
        path: str,
        *,
        is_read: bool,
        query: Query | None,
        body: Any,
        form: Mapping[str, str] | None,
    ) -> Response | AwaseError:
        """Send one request: returns a success, or the error that the answer or the fault means."""
        to_send = {"Accept": "application/json", "User-Agent": "awase", **self._headers()}
        started = self.sent_at = time.monotonic()
        status, headers, fault = 0, requests.structures.CaseInsensitiveDict[str](), ""
        self.calls += 1
        request, answered = self._limiter.sent(self._limiter_key), None
        try:
            failpoint(f"before_{method}", path, error=requests.ConnectionError)
            with self._session.request(
                method,
                self._base_url + path,
                params=query,
                json=body,
                data=form,
                headers=to_send,
                auth=_no_auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                verify=True,
            ) as raw:
                status, headers = raw.status_code, raw.headers
                content = self._read_body(raw, until=started + self._deadline)
                answered = True
                failpoint(f"after_{method}", path, error=requests.ConnectionError)
        except _Oversized:
            fault, answered = "answer too large", True
            return TemporaryError("unreadable_answer", fault, outcome_unknown=not is_read)
        except _FAULTS as error:
            fault = type(error).__name__
            answered = False if isinstance(error, _SILENCE) else None
            return TemporaryError("unreachable", fault, outcome_unknown=not is_read and _may_have_left(error))
        finally:
            self.answered_at = time.monotonic()
            self._limiter.ended(self._limiter_key, request, answered=answered)
            self._log(method, path, status=status, headers=headers, started=started, fault=fault)
        return self._judge(Response(method, path, status, headers, content, is_read))

    def _read_body(self, raw: requests.Response, *, until: float) -> bytes:
        """The decoded body. `read1` returns what one receive brought, so the loop sees the deadline between drips."""
        content = bytearray()
        while chunk := raw.raw.read1(_CHUNK, decode_content=True):
            content += chunk
            if len(content) > self._max_bytes:
                raise _Oversized
            if time.monotonic() > until:
                raise TimeoutError
        return bytes(content)

    def _judge(self, response: Response) -> Response | AwaseError:
        if 200 <= response.status < 300:
            return response
        # A redirect is never followed, because it would carry the token to an unknown host. Neither vendor sends one.
        error = from_between(response) if response.status < 400 else self._classify(response)
        if isinstance(error, TemporaryError):
            self._complete(error, response)
        return error

    def _complete(self, error: TemporaryError, response: Response) -> None:
        """Add to an error what every vendor's temporary refusal means: a closed connection is closed for all workers,
        and after a fault of the server in the middle of a write it is unknown whether the write was carried out."""
        if error.closes_connection:
            error.retry_after = within_an_hour(error.retry_after)
            self._limiter.close(self._limiter_key, error.retry_after)
        elif response.status >= 500 and not response.is_read:
            error.outcome_unknown = True

    def _log(
        self, method: str, path: str, *, status: int, headers: Mapping[str, str], started: float, fault: str
    ) -> None:
        went_well = not fault and 200 <= status < 300
        system, seconds = self._limiter_key.partition(":")[0], time.monotonic() - started
        just_ended(
            "vendor call",
            seconds=seconds,
            failed=not went_well,
            system=system,
            method=method,
            path=path,
            status=status or None,
        )
        write = log.warning if not went_well else log.debug if method == "GET" else log.info
        write(
            "vendor call",
            system=system,
            method=method,
            path=path,
            status=status,
            seconds=round(seconds, 3),
            request_id=(headers.get("X-Request-Id") or headers.get("X-Freee-Request-ID") or "")[:100],
            fault=fault,
        )


class _Oversized(Exception):
    """The answer is larger than any honest answer."""


def bearer(token: str) -> dict[str, str]:
    """The Authorization header. Raises RunError("E18") for text that no HTTP header can carry.

    The check stands here because `requests` would print the token in its own error.
    """
    if not token or not token.isascii() or any(c.isspace() or not c.isprintable() for c in token):
        raise RunError("E18", "the stored token is not a token")
    return {"Authorization": f"Bearer {token}"}


def _worth_repeating(error: AwaseError) -> bool:
    """Whether a read may be tried again at once: the server is unreachable or faulty, and has not asked us to wait."""
    return (
        isinstance(error, TemporaryError)
        and error.code != "unreadable_answer"
        and error.counts
        and not error.closes_connection
        and error.retry_after is None
    )


def _may_have_left(error: Exception) -> bool:
    """Whether the request may have reached the vendor: False only when no connection was made at all."""
    if isinstance(error, requests.ConnectTimeout):
        return False
    cause = error.args[0] if error.args else None
    return not (isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError))


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request as it is. With an `auth`, `requests` does not put a ~/.netrc entry in place of our token."""
    return request

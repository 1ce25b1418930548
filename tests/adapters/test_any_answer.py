"""Any status, any body, any headers: never anything but our own errors, and no fact without the vendor's own form."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from app.adapters.answers import Response, retry_after, within_an_hour
from app.adapters.freee import errors as freee
from app.adapters.freee.oauth import InvalidGrant, NotHeard, _token_refusal
from app.adapters.http import HttpClient
from app.adapters.smarthr import client as smarthr_client
from app.adapters.smarthr import errors as smarthr
from app.adapters.smarthr.schemas import CrewSchema
from app.config import Settings
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.use_cases.shared.backoff import LONGEST_SECONDS, next_try
from tests.adapters.canned import CannedServer, OpenLimiter, Reply, answer, raw
from tests.properties import examples

SETTINGS = Settings.from_env({"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "an-invented-encryption-key"})
PATHS = {
    "smarthr": ("/v1/crews", "/v1/crews/1f0c6c0e", "/v1/job_titles", "/v1/webhooks", "/v1/webhooks/7"),
    "freee": (
        "/api/v1/users/me",
        "/api/v1/companies/1/employees",
        "/api/v1/employees",
        "/api/v1/employees/5",
        "/api/v1/employees/5/profile_rule",
    ),
}
CLASSIFY = {"smarthr": smarthr.classify, "freee": freee.classify}
WORDS = st.sampled_from(
    (
        "code",
        "type",
        "message",
        "messages",
        "errors",
        "error",
        "status",
        "status_code",
        "detail",
        "title",
        "error_description",
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(("Not Found", "forbidden", "権限")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=8,
)
ANY_BODY = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        (b"", b"   ", b"null", b"[]", b"{}", b"<html>Forbidden</html>", b"[" * 5000, b"9" * 5000, b"\xff\xfe")
    ),
    VALUES.map(lambda value: json.dumps(value).encode()),
)
WILD = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        (
            *("", " ", "nan", "-nan", "inf", "-inf", "1e999", "-5", "0", "0.0001", "9" * 400, "9" * 5000, "1_000", "٣"),
            *("5, 7", "nan, 5", "soon", "Fri, 20 Nov 2026 03:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"),
            *("Fri, 31 Dec 9999 23:59:59 -2359", "2026-11-20T03:12:30.5Z", "0001-01-01T00:00:00+23:59", "9999-12-31"),
            *('<x>; rel="next"', "<", ";", "<x>; rel", "application/json; charset=nonsense", "text/html; charset=\x00"),
        )
    ),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        (
            *(
                "Retry-After",
                "Date",
                "Content-Type",
                "Location",
                "Link",
                "Content-Encoding",
                "x-total-count",
                "x-per-page",
            ),
            *("x-rate-limit-remaining", "x-rate-limit-reset", "x-intensive-rate-limit-remaining", "RateLimit-Reset"),
            *("x-intensive-rate-limit-reset", "X-RateLimit-Reset", "X-RateLimit-Remaining", "RateLimit"),
        )
    ),
    WILD,
    max_size=5,
)
STATUSES = st.integers(400, 599) | st.sampled_from((400, 401, 403, 404, 405, 407, 408, 409, 413, 422, 429, 500, 503))


def is_own(vendor: str, body: bytes) -> bool:
    """Whether a body has a form that the vendor documents, judged here by itself and generously."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(told, dict):
        return False
    if vendor == "smarthr":
        return {"code", "type"} <= told.keys()
    return {"status_code", "errors"} <= told.keys() or bool({"message", "messages", "code"} & told.keys())


@pytest.mark.parametrize("vendor", CLASSIFY)
@given(data=st.data(), status=STATUSES, body=ANY_BODY, headers=HEADERS, is_read=st.booleans())
@examples(300)
def test_no_answer_becomes_a_fact_without_the_vendors_own_form(
    vendor: str, data: st.DataObject, status: int, body: bytes, headers: dict[str, str], is_read: bool
) -> None:
    path = data.draw(st.sampled_from(PATHS[vendor]))
    method = "GET" if is_read else data.draw(st.sampled_from(("POST", "PUT", "PATCH", "DELETE")))
    error = CLASSIFY[vendor](Response(method, path, status, CaseInsensitiveDict(headers), body, is_read))
    assert isinstance(error, AwaseError)
    if is_own(vendor, body):
        return
    assert isinstance(error, TemporaryError), (status, body)
    assert 0 <= within_an_hour(error.retry_after) <= 3600
    if not is_read and status < 500 and body.strip():
        assert error.outcome_unknown or status == 429


@given(status=STATUSES, body=ANY_BODY, headers=HEADERS)
@examples(300)
def test_no_refusal_of_the_token_endpoint_is_believed_in_a_strange_form(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    """And none of them but a fault of the server leaves open whether the refresh token is spent: the next try tells."""
    error = _token_refusal(Response("POST", "/public_api/token", status, CaseInsensitiveDict(headers), body, False))
    assert isinstance(error, AwaseError)
    if b'"error"' in body or is_own("freee", body):
        return
    assert isinstance(error, TemporaryError)
    assert isinstance(error, NotHeard) or status >= 500 or not error.outcome_unknown


@pytest.mark.parametrize("status", [400, 401])
def test_the_token_endpoints_own_word_is_believed(status: int) -> None:
    def refusal(body: Any) -> AwaseError:
        content = json.dumps(body).encode()
        return _token_refusal(Response("POST", "/public_api/token", status, CaseInsensitiveDict(), content, False))

    assert isinstance(refusal({"error": "invalid_grant", "error_description": "…"}), InvalidGrant)
    assert isinstance(refusal({"error": "invalid_client"}), RunError)
    assert isinstance(refusal({"error": {"code": 401}}), TemporaryError)


@given(headers=HEADERS, status=st.sampled_from((401, 403, 429, 500, 503)), failures=st.integers(0, 9))
@examples(300)
def test_whatever_a_header_asks_for_the_next_try_has_a_time(
    headers: dict[str, str], status: int, failures: int
) -> None:
    response = Response("GET", "/v1/crews", status, CaseInsensitiveDict(headers), b"", True)
    wished = retry_after(response)
    assert wished is None or not math.isnan(wished)
    pause = next_try(SETTINGS, failures=failures, retry_after=wished)
    assert 0 < pause.total_seconds() <= 1.1 * LONGEST_SECONDS + 0.1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("5, 7", 7.0),
        ("nan, 5", 5.0),
        ("nan", None),
        ("", None),
        ("   ", None),
        ("soon", None),
        ("Fri, 20 Nov 2026 03:02:00 GMT", 120.0),
        ("Fri, 31 Feb 2026 03:02:00 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    date = "Fri, 20 Nov 2026 03:00:00 GMT"
    headers = CaseInsensitiveDict({"Retry-After": text, "Date": date})
    assert retry_after(Response("GET", "/", 503, headers, b"")) == seconds


@pytest.mark.parametrize("wished", [float("nan"), float("inf"), float("-inf"), -5.0, 0.0, 1e300])
def test_no_wish_breaks_the_backoff(wished: float) -> None:
    pause = next_try(SETTINGS, failures=3, retry_after=wished)
    assert 0.5 < pause.total_seconds() <= 1.1 * LONGEST_SECONDS + 0.1


# ── on the wire ───────────────────────────────────────────────────────────────────────────────────────────────────


def lines(*headers: bytes, status: bytes = b"200 OK", body: bytes = b"[]") -> Reply:
    """An answer whose head is sent as it stands."""
    head = b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"Connection: close", b"", body])
    return lambda connection: connection.sendall(head)


ODD: dict[str, Reply] = {
    "Location that is no address": lines(b"Location: http://[::1", status=b"302 Found"),
    "Location that is no text": lines(b"Location: \xff\xfe\x80", status=b"301 Moved"),
    "Location without a scheme": lines(b"Location: //:99999/\x01", status=b"307 Temporary"),
    "redirect with a broken body": lines(
        b"Location: /x", b"Content-Encoding: gzip", status=b"302 Found", body=b"no gzip"
    ),
    "two lengths": lines(b"Content-Length: 2", b"Content-Length: 7", b"Content-Type: application/json"),
    "a length that is no number": lines(b"Content-Length: many", body=b"<html>"),
    "a negative length": lines(b"Content-Length: -7", body=b"<html>"),
    "a length too long": lines(b"Content-Length: 4000"),
    "gzip that is none": lines(b"Content-Encoding: gzip", body=b"[]"),
    "half a gzip": raw(gzip.compress(b"[]" * 500)[:20], headers={"Content-Encoding": "gzip"}),
    "chunks that are none": lines(b"Transfer-Encoding: chunked", body=b"zz\r\n[]"),
    "a status nobody knows": lines(status=b"999 Odd", body=b"<html>"),
    "a status without a number": lines(status=b"OK", body=b"<html>"),
    "switching protocols": lines(status=b"101 Switching", body=b""),
    "no content": lines(status=b"204 No Content", body=b""),
    "a charset nobody knows": lines(b"Content-Type: text/html; charset=nonsense", body=b"<html>"),
    "a header without a colon": lines(b"this is no header", status=b"403 Forbidden", body=b"<html>"),
    "a thousand headers": lines(*(b"X-%d: 1" % nth for nth in range(1000)), body=b"<html>"),
    "a header without end": lines(b"X: " + b"x" * 100_000, body=b"<html>"),
    "a cookie of nonsense": lines(b"Set-Cookie: =;;;\xff; expires=never", status=b"401 No", body=b"<html>"),
}


def http_client(vendor: CannedServer) -> HttpClient:
    return HttpClient(
        vendor.url,
        headers=dict,
        classify=smarthr.classify,
        limiter=OpenLimiter(),
        limiter_key="smarthr:awase-renshu",
        timeout=(0.5, 0.3),
        retry_pauses=(0.01, 0.02),
    )


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "write"])
@pytest.mark.parametrize("odd", ODD)
def test_nothing_odd_on_the_wire_is_more_than_a_doubt(vendor: CannedServer, odd: str, is_read: bool) -> None:
    vendor.will(ODD[odd])
    schema = CrewSchema(many=True)
    with pytest.raises(TemporaryError) as caught:
        http_client(vendor).send("GET" if is_read else "POST", "/v1/crews", is_read=is_read, answer=schema)
    assert caught.value.outcome_unknown is not is_read
    assert caught.value.counts


def test_a_deletion_is_not_believed_to_a_sign_in_page(vendor: CannedServer) -> None:
    vendor.will(raw(b"<html>Sign in</html>"), raw(b"", status=204))
    client = smarthr_client.SmartHRClient(http_client(vendor))
    with pytest.raises(TemporaryError) as caught:
        client.delete_webhook("7")
    assert (caught.value.code, caught.value.outcome_unknown) == ("not_the_vendor", True)
    client.delete_webhook("7")


@pytest.mark.parametrize(
    ("headers", "has_next"),
    [
        ({"x-total-count": "9" * 5000}, False),
        ({"x-total-count": "-1"}, False),
        ({"x-total-count": "nan", "x-per-page": "0"}, False),
        ({"x-total-count": "٣"}, False),
        ({"x-total-count": "1", "x-per-page": "0"}, False),
        ({"x-total-count": "101", "x-per-page": "0"}, True),
        ({"Link": '<x>; rel="next"'}, True),
        ({"Link": "<"}, False),
        ({"Link": ";;;=,,<>"}, False),
    ],
)
def test_headers_of_a_list(vendor: CannedServer, headers: dict[str, str], has_next: bool) -> None:
    sent = {name: text.encode().decode("latin-1") for name, text in headers.items()}
    vendor.will(answer([{"id": "c-1"}], headers=sent))
    client = smarthr_client.SmartHRClient(http_client(vendor))
    assert client.list_crews(1).has_next is has_next


@given(reset=WILD, date=WILD)
@examples(200)
def test_a_429_of_freee_waits_a_sane_time_whatever_its_reset_says(reset: str, date: str) -> None:
    headers = CaseInsensitiveDict({"X-RateLimit-Reset": reset, "Date": date})
    error = freee.classify(Response("GET", "/api/v1/employees", 429, headers, b"", True))
    assert isinstance(error, TemporaryError)
    assert 1 <= within_an_hour(error.retry_after) <= 3600


def test_the_vendors_own_clock_counts() -> None:
    headers = CaseInsensitiveDict(
        {"X-RateLimit-Reset": "2026-11-20T03:02:00Z", "Date": "Fri, 20 Nov 2026 03:00:00 GMT"}
    )
    error = freee.classify(Response("GET", "/api/v1/employees", 429, headers, b"", True))
    assert isinstance(error, TemporaryError) and error.retry_after == 120.0

"""The door to a vendor against a server that does everything wrong: every fault is named and bounded."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
import structlog
from marshmallow import EXCLUDE, Schema, fields

from app.adapters.http import HttpClient, Response, bearer, retry_after, within_an_hour
from app.adapters.masking import MASK, mask_secrets, vendor_text
from app.domain.errors import AwaseError, ItemError, RunError, TemporaryError
from app.domain.runs import deadline
from tests.adapters.canned import CannedServer, OpenLimiter, Reply, answer, drip, raw, reset, self_signed, silence

TOKEN = "shr_0000_" + "a1" * 16


class ThingSchema(Schema):
    class Meta:
        unknown = EXCLUDE

    id = fields.String(required=True)
    size = fields.Integer(strict=True, allow_none=True)


def classify(response: Response) -> AwaseError:
    """A vendor who says 400 for a bad value, 403 for a bad token, 429 with Retry-After, and fails above."""
    if response.status == 429:
        return TemporaryError("E21", retry_after=retry_after(response), counts=False, closes_connection=True)
    if response.status >= 500:
        return TemporaryError("E22", retry_after=retry_after(response))
    return RunError("E19") if response.status == 403 else ItemError("E17", vendor_text(response.text))


IMPATIENT = (3.0, 0.3)
"""For what does not answer. Anything else has time enough on a busy machine."""


def client(vendor: CannedServer | str, **changes: object) -> HttpClient:
    options: dict[str, object] = {
        "headers": lambda: bearer(TOKEN),
        "classify": classify,
        "limiter": OpenLimiter(),
        "limiter_key": "smarthr:awase-renshu",
        "timeout": (3.0, 3.0),
        "retry_pauses": (0.01, 0.02),
    }
    url = vendor if isinstance(vendor, str) else vendor.url
    return HttpClient(url + "/api", **(options | changes))  # type: ignore[arg-type]


def get(subject: HttpClient) -> object:
    return subject.send("GET", "/v1/things/7", is_read=True, answer=ThingSchema())


def post(subject: HttpClient) -> object:
    return subject.send("POST", "/v1/things", is_read=False, body={"name": "七"}, answer=ThingSchema())


def failure(call: Callable[[], object]) -> TemporaryError:
    with pytest.raises(TemporaryError) as caught:
        call()
    return caught.value


# ── what goes out, what comes back ────────────────────────────────────────────────────────────────────────────────


def test_a_read_sends_token_query_and_parses(vendor: CannedServer) -> None:
    vendor.will(answer({"id": "7", "size": None, "more": [1]}, headers={"X-Total-Count": "1"}))
    subject = client(vendor)
    got = subject.exchange("GET", "/v1/things", is_read=True, query={"page": 2, "q": "佐 藤"}, answer=ThingSchema())
    assert got.payload == {"id": "7", "size": None}
    assert got.headers["x-total-count"] == "1"
    (seen,) = vendor.seen
    assert (seen.method, seen.target) == ("GET", "/api/v1/things?page=2&q=%E4%BD%90+%E8%97%A4")
    assert seen.headers["authorization"] == f"Bearer {TOKEN}"
    assert seen.body == b""
    assert subject.calls == 1


def test_a_write_sends_json(vendor: CannedServer) -> None:
    vendor.will(answer({"id": "7"}, status=201))
    assert post(client(vendor)) == {"id": "7"}
    assert json.loads(vendor.seen[0].body) == {"name": "七"}
    assert vendor.seen[0].headers["content-type"] == "application/json"


def test_a_form_is_sent_as_a_form(vendor: CannedServer) -> None:
    vendor.will(raw(b"", status=204))
    assert client(vendor).send("POST", "/token", is_read=False, form={"grant_type": "x y"}) is None
    assert vendor.seen[0].body == b"grant_type=x+y"


def test_headers_are_asked_anew_for_every_attempt(vendor: CannedServer) -> None:
    tokens = iter(["one", "two"])
    vendor.will(raw(b"", status=502), answer({"id": "7"}))
    get(client(vendor, headers=lambda: bearer(next(tokens))))
    assert [seen.headers["authorization"] for seen in vendor.seen] == ["Bearer one", "Bearer two"]


def test_netrc_does_not_replace_the_token(
    vendor: CannedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    vendor.will(answer({"id": "7"}))
    get(client(vendor))
    assert vendor.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_compressed_and_chunked_answers_are_read(vendor: CannedServer) -> None:
    packed = gzip.compress(b'{"id": "7"}')
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    vendor.will(
        raw(packed, headers={"Content-Encoding": "gzip"}),
        lambda c: c.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
            + chunked
        ),
    )
    assert get(client(vendor)) == get(client(vendor)) == {"id": "7"}


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "トークン"])
def test_a_token_no_header_can_carry_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(RunError) as caught:
        bearer(token)
    assert caught.value.code == "E18"
    assert not token or token not in str(caught.value)


# ── faults: reads are repeated, writes never ──────────────────────────────────────────────────────────────────────

TRANSIENT: dict[str, Reply] = {
    "500": raw(b'{"code":5}', status=500),
    "502 in HTML": raw(b"<html>Bad gateway</html>", status=502),
    "503 empty": raw(b"", status=503),
    "reset": reset(),
    "silence": silence(1.0),
    "cut body": raw(b'{"id": "7', length=400),
    "not HTTP": lambda connection: connection.sendall(b"220 smtp.example ESMTP\r\n"),
    "closed at once": lambda connection: connection.close(),
    "broken gzip": raw(b"not gzip", headers={"Content-Encoding": "gzip"}),
}


def patience(fault: str) -> dict[str, object]:
    return {"timeout": IMPATIENT} if fault == "silence" else {}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_read_survives_two_faults(vendor: CannedServer, fault: str) -> None:
    vendor.will(TRANSIENT[fault], TRANSIENT[fault], answer({"id": "7"}))
    subject = client(vendor, **patience(fault))
    assert get(subject) == {"id": "7"}
    assert subject.calls == len(vendor.seen) == 3


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_read_ends_after_three(vendor: CannedServer, fault: str) -> None:
    vendor.will(TRANSIENT[fault])
    subject = client(vendor, **patience(fault))
    error = failure(lambda: get(subject))
    assert error.code in ("E22", "unreachable")
    assert error.counts
    assert not error.outcome_unknown
    assert subject.calls == 3


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_write_is_never_repeated_and_may_have_happened(vendor: CannedServer, fault: str) -> None:
    vendor.will(TRANSIENT[fault], answer({"id": "7"}))
    error = failure(lambda: post(client(vendor, **patience(fault))))
    assert error.outcome_unknown
    assert len(vendor.seen) == 1


UNREADABLE: dict[str, Reply] = {
    "invalid JSON": raw(b'{"id": "7"'),
    "HTML with 200": raw(b"<html>Sign in</html>"),
    "empty": raw(b""),
    "error body with 200": answer({"code": 5, "type": "internal_server_error", "message": "x", "errors": None}),
    "list for object": answer([{"id": "7"}]),
    "wrong type": answer({"id": "7", "size": "large"}),
    "NaN": raw(b'{"id": "7", "size": NaN}'),
    "not UTF-8": raw('{"id": "七"}'.encode("cp932")),
    "nested without end": raw(b"[" * 200_000),
    "number without end": raw(b'{"id": "7", "size": ' + b"9" * 5000 + b"}"),
    "redirect": raw(b"", status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    "redirect that keeps the method": raw(b"", status=307, headers={"Location": "/api/v1/other"}),
    "too large": raw(b" " * 3000 + b'{"id": "7"}'),
    "too large by its own word": raw(b" " * 10, length=10**12),
    "bomb": raw(gzip.compress(b" " * 5_000_000 + b'{"id": "7"}'), headers={"Content-Encoding": "gzip"}),
}


NOT_OWN = {"HTML with 200", "empty", "redirect", "redirect that keeps the method"}
"""What no vendor sends with such a status: something between has answered."""


@pytest.mark.parametrize("is_read", [True, False], ids=["read", "write"])
@pytest.mark.parametrize("fault", UNREADABLE)
def test_an_unreadable_answer_is_named_and_not_repeated(vendor: CannedServer, fault: str, is_read: bool) -> None:
    vendor.will(UNREADABLE[fault])
    subject = client(vendor, max_bytes=6000 if fault == "number without end" else 2000)
    if fault == "nested without end":
        subject = client(vendor)
    error = failure(lambda: get(subject) if is_read else post(subject))
    if fault != "too large by its own word":
        assert error.code == ("not_the_vendor" if fault in NOT_OWN else "unreadable_answer")
        assert len(vendor.seen) == (3 if fault.startswith("redirect") and is_read else 1)
    assert error.outcome_unknown is not is_read


def test_wrong_fields_are_named_without_their_values(vendor: CannedServer) -> None:
    class PeopleSchema(Schema):
        people = fields.List(fields.Nested(ThingSchema))

    vendor.will(answer({"people": [{"id": "7"}, {"size": "佐藤花子"}]}))
    error = failure(lambda: client(vendor).send("GET", "/v1/p", is_read=True, answer=PeopleSchema()))
    assert error.detail == "fields: people.id, people.size"


def test_a_dripping_body_ends_at_the_deadline(vendor: CannedServer) -> None:
    vendor.will(drip(b" " * 1000, every=0.05))
    started = time.monotonic()
    error = failure(lambda: post(client(vendor, deadline=0.4)))
    assert time.monotonic() - started < 2
    assert (error.code, error.outcome_unknown) == ("unreachable", True)


def test_nobody_listens_so_nothing_was_written() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(lambda: post(client(f"http://127.0.0.1:{port}")))
    assert (error.code, error.outcome_unknown) == ("unreachable", False)


def test_an_unknown_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    certificate = self_signed(tmp_path)
    vendor = CannedServer(certificate=certificate)
    vendor.will(answer({"id": "7"}))
    session = requests.Session()
    session.verify = False
    try:
        assert failure(lambda: get(client(vendor, session=session))).code == "unreachable"
        assert vendor.seen == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert get(client(vendor)) == {"id": "7"}
    finally:
        vendor.close()


@pytest.mark.parametrize(("status", "kind"), [(400, ItemError), (403, RunError), (404, ItemError)])
def test_refusals_are_the_vendors_to_name_and_final(vendor: CannedServer, status: int, kind: type[AwaseError]) -> None:
    vendor.will(raw(b"{}", status=status))
    with pytest.raises(kind):
        get(client(vendor))
    assert len(vendor.seen) == 1


# ── permits and waits ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (None, 60),
        ("0", 1),
        ("-5", 1),
        ("99999", 3600),
        ("1e400", 3600),
        ("nan", 60),
        ("soon", 60),
        ("in the past", 1),
        ("as a date", 120),
    ],
)
def test_429_closes_the_connection_for_all_and_costs_no_attempt(
    vendor: CannedServer, header: str | None, seconds: float
) -> None:
    now = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    dates = {"as a date": now + timedelta(minutes=2), "in the past": now - timedelta(days=1)}
    sent = format_datetime(dates[header], usegmt=True) if header in dates else header
    headers = {"Date": format_datetime(now, usegmt=True)} | ({"Retry-After": sent} if sent else {})
    vendor.will(raw(b"", status=429, headers=headers))
    limiter = OpenLimiter()
    error = failure(lambda: get(client(vendor, limiter=limiter)))
    assert len(vendor.seen) == 1
    assert limiter.closed == [("smarthr:awase-renshu", seconds)]
    assert (error.retry_after, error.counts, error.outcome_unknown) == (seconds, False, False)


def test_a_server_that_asks_for_patience_gets_it(vendor: CannedServer) -> None:
    vendor.will(raw(b"", status=503, headers={"Retry-After": "30"}))
    error = failure(lambda: get(client(vendor)))
    assert (len(vendor.seen), error.retry_after) == (1, 30.0)


def test_every_attempt_takes_a_permit(vendor: CannedServer) -> None:
    limiter = OpenLimiter()
    vendor.will(raw(b"", status=500))
    failure(lambda: get(client(vendor, limiter=limiter)))
    assert limiter.reserved == ["smarthr:awase-renshu"] * 3


def test_a_short_wait_is_slept_through(vendor: CannedServer) -> None:
    vendor.will(answer({"id": "7"}))
    started = time.monotonic()
    get(client(vendor, limiter=OpenLimiter(0.2)))
    assert vendor.seen[0].at - started >= 0.2


def test_a_long_wait_frees_the_worker_without_a_call(vendor: CannedServer) -> None:
    subject = client(vendor, limiter=OpenLimiter(-45.0))
    error = failure(lambda: post(subject))
    assert (error.code, error.retry_after, error.counts, error.outcome_unknown) == ("rate_limited", 45.0, False, False)
    assert subject.calls == 0
    assert vendor.seen == []


def test_closed_while_waiting_means_no_call(vendor: CannedServer) -> None:
    limiter = OpenLimiter(0.05)
    limiter.close("smarthr:awase-renshu", 20)
    error = failure(lambda: get(client(vendor, limiter=limiter)))
    assert (error.code, error.retry_after) == ("rate_limited", 20)
    assert vendor.seen == []


def test_within_an_hour() -> None:
    assert [within_an_hour(s) for s in (None, 0.2, 5, 10**9)] == [60.0, 1.0, 5, 3600.0]


# ── nothing personal leaves ───────────────────────────────────────────────────────────────────────────────────────


def test_neither_logs_nor_errors_hold_values_or_tokens(vendor: CannedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    query = {"emp_code": "E-4711", "q": "佐藤花子"}
    vendor.will(
        raw(b"", status=500, headers={"X-Request-Id": "req-1"}),
        silence(1.0),
        raw('{"id": 佐藤花子'.encode()),
    )
    with structlog.testing.capture_logs() as logs:
        error = failure(
            lambda: client(vendor, timeout=IMPATIENT).send(
                "GET", "/v1/crews/c-1", is_read=True, query=query, answer=ThingSchema()
            )
        )
    everything = repr(logs) + repr(error)
    for secret in ("E-4711", "佐藤", TOKEN, "emp_code", "%E4"):
        assert secret not in everything
    assert [(entry["status"], entry["path"], entry["fault"]) for entry in logs] == [
        (500, "/v1/crews/c-1", ""),
        (0, "/v1/crews/c-1", "ReadTimeout"),
        (200, "/v1/crews/c-1", ""),
    ]
    assert logs[0]["request_id"] == "req-1"


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        "0123456789abcdef0123456789abcdef",
        "Bearer abc.def-ghi",
        "Basic c29tZW9uZTo=",
        "ab" * 32,
        "refresh_token=short1",
    ],
)
def test_tokens_are_masked_in_any_text(secret: str) -> None:
    masked = mask_secrets(f"token {secret} was refused; crew 1f0c6c0e-3b0f-4c39-9d7e-0d5a7a5b1c11")
    assert secret not in masked
    assert MASK in masked
    assert masked.endswith("1f0c6c0e-3b0f-4c39-9d7e-0d5a7a5b1c11")


def test_vendor_text_keeps_the_fault_and_loses_the_values() -> None:
    text = "業務内容は30文字以内で入力してください。\n「hanako@example.com」 090-1234-5678 １２３４５６７ 2026-04-01"
    assert vendor_text(text) == f"業務内容は30文字以内で入力してください。 「{MASK}」 {MASK} {MASK} {MASK}"
    assert len(vendor_text("あ" * 5000)) == 300


def test_permits_taken_ahead_leave_no_wait_between_two_calls(vendor: CannedServer) -> None:
    """Both permits are waited for first; then the two calls leave without asking for another one."""
    limiter = OpenLimiter(0.2)
    subject = client(vendor, limiter=limiter)
    vendor.will(answer({"id": "1"}), answer({"id": "1"}), answer({"id": "1"}))
    with subject.permit_ahead():
        with subject.permit_ahead():
            assert (len(limiter.reserved), len(vendor.seen)) == (2, 0)
            get(subject)
        post(subject)
    assert (len(limiter.reserved), len(vendor.seen)) == (2, 2)
    get(subject)
    assert len(limiter.reserved) == 3


def test_a_permit_that_was_not_used_is_no_permit_for_later(vendor: CannedServer) -> None:
    limiter = OpenLimiter()
    subject = client(vendor, limiter=limiter)
    vendor.will(answer({"id": "1"}))
    with subject.permit_ahead():
        pass
    get(subject)
    assert len(limiter.reserved) == 2


def test_a_vendor_that_was_closed_since_gets_no_call_in_spite_of_a_permit(vendor: CannedServer) -> None:
    limiter = OpenLimiter()
    subject = client(vendor, limiter=limiter)
    with subject.permit_ahead():
        limiter.close("smarthr:awase-renshu", 20)
        error = failure(lambda: post(subject))
    assert (error.code, error.retry_after, error.outcome_unknown) == ("rate_limited", 20, False)
    assert vendor.seen == []


# ── silence ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_limiter_learns_how_every_request_ended(vendor: CannedServer) -> None:
    limiter = OpenLimiter()
    subject = client(vendor, limiter=limiter, retry_pauses=(), timeout=IMPATIENT)
    vendor.will(answer({"id": "7"}), answer({}, status=500), silence(1.0))
    get(subject)
    failure(lambda: get(subject))
    failure(lambda: get(subject))
    assert limiter.ends == [True, True, False]
    failure(lambda: get(client("http://127.0.0.1:9", limiter=limiter, retry_pauses=())))
    assert limiter.ends[-1] is None, "nobody listens there: that is no silence"


def test_a_job_that_takes_too_long_ends_before_its_next_request_and_never_in_one(vendor: CannedServer) -> None:
    subject = client(vendor, timeout=(0.5, 2.0))
    vendor.will(answer({"id": "7"}), answer({"id": "8"}))
    with deadline.within(0.05):
        with subject.permit_ahead():
            time.sleep(0.1)
            assert get(subject) == {"id": "7"}, "what the job has waited for already still leaves"
        error = failure(lambda: get(subject))
    assert (error.code, error.counts, error.outcome_unknown) == ("item_too_long", True, False)
    assert len(vendor.seen) == 1
    assert get(subject) == {"id": "8"}, "the next job has a time of its own"


def test_nobody_asks_a_silent_vendor(vendor: CannedServer) -> None:
    limiter = OpenLimiter(-40.0)
    limiter.silent = 40.0
    error = failure(lambda: get(client(vendor, limiter=limiter)))
    assert (error.code, error.retry_after, error.counts, error.outcome_unknown) == ("vendor_silent", 40.0, False, False)
    assert vendor.seen == []

"""The wire: faults hit what they should and look as they should, the log is complete, switches refuse nonsense."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, jsonify

from app.practice.server import RunningServer, start_in_thread
from app.practice.vendor_kit.fault_injection import BadSwitch, FaultInjector, Switch
from app.practice.vendor_kit.faults import BadFault
from app.practice.vendor_kit.limits import FreeeLimits, Rates, SmartHRLimits


class Counting:
    """A vendor with one resource that counts what was carried out."""

    def __init__(self, log_file: Path | None = None) -> None:
        self.carried_out = 0
        self.injector = FaultInjector(
            [Switch("mood", "good", ("good", "bad")), Switch("flag", False), Switch("hidden", (), None)],
            log_file=log_file,
        )
        self.app = Flask("counting")

        @self.app.route("/things/<int:number>", methods=["GET", "POST"])
        def thing(number: int) -> Any:
            self.carried_out += 1
            return jsonify(number=number, text="x" * 2000)

        self.injector.attach(self.app, state=lambda: {"carried_out": self.carried_out}, on_reset=self.start_again)

    def start_again(self) -> None:
        self.carried_out = 0


@pytest.fixture
def vendor() -> Counting:
    return Counting()


@pytest.fixture
def served(vendor: Counting) -> Iterator[RunningServer]:
    server = start_in_thread(vendor.app)
    yield server
    server.stop()


def status_of(vendor: Counting, method: str = "GET", path: str = "/things/1") -> int:
    return vendor.app.test_client().open(path, method=method).status_code


def test_a_fault_with_times_hits_so_many_requests_and_then_rests(vendor: Counting) -> None:
    vendor.injector.fault(status=503, times=2)
    assert [status_of(vendor) for _ in range(4)] == [503, 503, 200, 200]
    assert vendor.carried_out == 2


def test_a_fault_with_nth_hits_that_one_only(vendor: Counting) -> None:
    vendor.injector.fault(status=500, nth=3)
    assert [status_of(vendor) for _ in range(5)] == [200, 200, 500, 200, 200]


def test_nth_and_times_together_hit_a_stretch(vendor: Counting) -> None:
    vendor.injector.fault(status=500, nth=2, times=2)
    assert [status_of(vendor) for _ in range(5)] == [200, 500, 500, 200, 200]


def test_faults_added_one_after_the_other_come_one_after_the_other(vendor: Counting) -> None:
    vendor.injector.fault(status=500, times=1)
    vendor.injector.fault(status=429, times=1)
    assert [status_of(vendor) for _ in range(3)] == [500, 429, 200]


def test_a_fault_stays_until_it_is_cleared(vendor: Counting) -> None:
    vendor.injector.fault(status=502)
    assert [status_of(vendor) for _ in range(3)] == [502] * 3
    vendor.injector.clear_faults()
    assert status_of(vendor) == 200


def test_a_fault_looks_at_method_and_path(vendor: Counting) -> None:
    vendor.injector.fault(method="POST", path=r"/things/2$", status=500)
    assert status_of(vendor, "GET", "/things/2") == 200
    assert status_of(vendor, "POST", "/things/1") == 200
    assert status_of(vendor, "POST", "/things/2") == 500


def test_a_fault_answers_with_its_own_body_and_headers(vendor: Counting) -> None:
    vendor.injector.fault(status=429, body={"code": 6}, headers={"x-rate-limit-reset": "3"}, times=1)
    vendor.injector.fault(status=502, body="<h1>Bad Gateway</h1>", times=1)
    client = vendor.app.test_client()
    limited, gateway = client.get("/things/1"), client.get("/things/1")
    assert (limited.get_json(), limited.headers["x-rate-limit-reset"]) == ({"code": 6}, "3")
    assert (gateway.text, gateway.mimetype) == ("<h1>Bad Gateway</h1>", "text/html")
    assert vendor.carried_out == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"sttaus": 500},
        {"path": "("},
        {"nth": 0},
        {"times": "2"},
        {"status": 99},
        {"cut": "perhaps"},
        {"delay": -1},
        {"late": -1},
    ],
)
def test_a_rule_that_means_nothing_is_refused(vendor: Counting, rule: dict[str, Any]) -> None:
    with pytest.raises(BadFault):
        vendor.injector.fault(**rule)
    assert vendor.app.test_client().post("/_practice/faults", json=rule).status_code == 400
    assert vendor.injector.fault_rules == []


def test_a_cut_arrives_as_half_a_body(vendor: Counting, served: RunningServer) -> None:
    vendor.injector.fault(cut=True, times=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        requests.get(f"{served.url}/things/1", timeout=5)
    assert vendor.carried_out == 1
    assert requests.get(f"{served.url}/things/1", timeout=5).status_code == 200


def test_the_cut_body_really_is_half(vendor: Counting, served: RunningServer) -> None:
    vendor.injector.fault(cut=True)
    with socket.create_connection(("127.0.0.1", served.port), timeout=5) as raw:
        raw.sendall(b"GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b"".join(iter(lambda: raw.recv(4096), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    promised = int(head.lower().split(b"content-length:")[1].split()[0])
    assert 0 < len(body) == promised // 2


def test_a_silent_cut_sends_nothing_and_carries_nothing_out(vendor: Counting, served: RunningServer) -> None:
    vendor.injector.fault(cut="silent", times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{served.url}/things/1", timeout=5)
    assert vendor.carried_out == 0


def test_after_carries_the_request_out_and_loses_the_answer(vendor: Counting, served: RunningServer) -> None:
    vendor.injector.fault(method="POST", after=True, times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(f"{served.url}/things/1", timeout=5)
    assert vendor.carried_out == 1
    assert vendor.injector.requests[0].fault == "lost_answer"
    assert vendor.injector.requests[0].status is None


def test_after_with_a_status_carries_out_and_claims_a_failure(vendor: Counting) -> None:
    vendor.injector.fault(after=True, status=500, times=1)
    assert status_of(vendor, "POST") == 500
    assert vendor.carried_out == 1


def test_garbage_is_declared_as_json_and_is_none(vendor: Counting) -> None:
    vendor.injector.fault(garbage=True)
    answer = vendor.app.test_client().get("/things/1")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.data)


def test_a_delay_alone_gives_the_true_answer_late(vendor: Counting) -> None:
    vendor.injector.fault(delay=0.15)
    began = time.monotonic()
    assert status_of(vendor) == 200
    assert time.monotonic() - began >= 0.15


def test_a_late_answer_is_to_a_request_that_is_carried_out(vendor: Counting) -> None:
    vendor.injector.fault(late=0.3, times=1)
    running = threading.Thread(target=status_of, args=(vendor,))
    running.start()
    end = time.monotonic() + 5
    while not vendor.carried_out and time.monotonic() < end:
        time.sleep(0.005)
    assert running.is_alive() and vendor.injector.requests[0].status is None
    running.join()
    assert vendor.injector.requests[0].status == 200


@pytest.mark.parametrize("fault", [{}, {"delay": 0.01}, {"after": True, "status": 500}])
@pytest.mark.parametrize("carried_out", [False, True])
def test_something_happens_once_before_or_after_a_request_is_carried_out(
    vendor: Counting, fault: dict[str, Any], carried_out: bool
) -> None:
    seen: list[int] = []
    if fault:
        vendor.injector.fault(**fault)
    vendor.injector.meanwhile(
        lambda: seen.append(vendor.carried_out), method="GET", path="things", nth=2, carried_out=carried_out
    )
    for _ in range(3):
        status_of(vendor)
    assert seen == [2 if carried_out else 1]


def test_what_is_forgotten_does_not_happen(vendor: Counting) -> None:
    vendor.injector.meanwhile(lambda: pytest.fail("it happened"), method="GET")
    vendor.injector.forget_meanwhile()
    status_of(vendor)


def test_drips_spread_the_true_answer_over_time(vendor: Counting, served: RunningServer) -> None:
    vendor.injector.fault(drip=0.2)
    began = time.monotonic()
    answer = requests.get(f"{served.url}/things/7", timeout=5)
    assert answer.json()["number"] == 7
    assert time.monotonic() - began >= 0.19


def test_the_log_holds_every_vendor_call_and_no_body(vendor: Counting) -> None:
    client = vendor.app.test_client()
    client.post("/things/1?page=2", json={"last_name": "佐藤"})
    client.get("/nothing")
    client.get("/_practice/requests")
    seen = client.get("/_practice/requests").get_json()["requests"]
    told = [(r["seq"], r["method"], r["path"], r["query"], r["status"]) for r in seen]
    assert told == [(1, "POST", "/things/1", "page=2", 200), (2, "GET", "/nothing", "", 404)]
    assert "佐藤" not in json.dumps(seen, ensure_ascii=False)
    assert client.get("/_practice/requests?after=1").get_json()["requests"] == seen[1:]


def test_a_call_that_still_runs_is_in_the_log_without_status(vendor: Counting) -> None:
    vendor.injector.fault(delay=0.3, times=1)
    running = threading.Thread(target=status_of, args=(vendor,))
    running.start()
    end = time.monotonic() + 5
    while not vendor.injector.requests and time.monotonic() < end:
        time.sleep(0.005)
    assert vendor.injector.requests[0].status is None
    running.join()
    assert vendor.injector.requests[0].status == 200


def test_the_log_file_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    for _ in range(2):
        assert status_of(Counting(file)) == 200
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["seq"], line["status"]) for line in lines] == [(1, 200), (1, 200)]


def test_calls_and_counters_count(vendor: Counting) -> None:
    for path in ("/things/1", "/things/2"):
        status_of(vendor, "GET", path)
    status_of(vendor, "POST")
    assert (vendor.injector.calls(), vendor.injector.calls("GET"), vendor.injector.calls(path="/2$")) == (3, 2, 1)
    assert vendor.injector.counters == {"GET /things/{id}": 2, "POST /things/{id}": 1}


def test_concurrent_calls_get_numbers_of_their_own(vendor: Counting, served: RunningServer) -> None:
    def call() -> None:
        for _ in range(20):
            requests.get(f"{served.url}/things/1", timeout=5)

    threads = [threading.Thread(target=call) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [r.seq for r in vendor.injector.requests] == list(range(1, 101))
    assert {r.status for r in vendor.injector.requests} == {200}


def test_switches_take_declared_values_only(vendor: Counting) -> None:
    vendor.injector.set_switches({"mood": "bad", "hidden": ["a"]})
    assert vendor.injector.switches == {"mood": "bad", "flag": False, "hidden": ["a"]}
    assert vendor.injector.switch("hidden") == ("a",)  # kept so that nobody changes it in passing
    for wrong in ({"moood": "bad"}, {"mood": "worse"}, {"flag": 1}, {"hidden": "a"}, {"hidden": [1]}):
        with pytest.raises(BadSwitch):
            vendor.injector.set_switches(wrong)


def test_switches_over_http_change_all_or_nothing(vendor: Counting) -> None:
    client = vendor.app.test_client()
    assert client.put("/_practice/switches", json={"mood": "bad", "flags": True}).status_code == 400
    assert client.get("/_practice/switches").get_json()["mood"] == "good"
    assert client.put("/_practice/switches", json={"mood": "bad"}).get_json()["mood"] == "bad"
    assert client.put("/_practice/switches", json=["mood"]).status_code == 400


def test_reset_goes_back_to_the_start(vendor: Counting) -> None:
    vendor.injector.set_switches({"mood": "bad"}, as_default=True)
    vendor.injector.set_switch("mood", "good")
    vendor.injector.fault(status=500)
    status_of(vendor)
    client = vendor.app.test_client()
    assert client.post("/_practice/reset").status_code == 204
    assert (vendor.injector.requests, vendor.injector.fault_rules) == ([], [])
    assert vendor.injector.switch("mood") == "bad"
    assert status_of(vendor) == 200
    assert client.get("/_practice/state").get_json() == {"carried_out": 1}


def test_faults_never_touch_the_control_routes(vendor: Counting) -> None:
    vendor.injector.fault(status=500)
    client = vendor.app.test_client()
    assert client.get("/_practice/switches").status_code == 200
    assert client.delete("/_practice/faults").status_code == 200
    assert vendor.injector.requests == []


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────


class TurnedClock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0  # a whole hour

    def __call__(self) -> float:
        return self.now


def test_smarthr_counts_seconds_and_hours() -> None:
    clock = TurnedClock()
    limits = SmartHRLimits(Rates(smarthr_hour=5, smarthr_second=2), clock=clock)
    assert [limits.check("t").refused for _ in range(3)] == ["", "", "quota"]
    assert limits.check("another").refused == ""
    clock.now += 1
    assert limits.check("t").headers == {
        "x-rate-limit-limit": "5",
        "x-rate-limit-remaining": "2",
        "x-rate-limit-reset": "3599",
        "x-intensive-rate-limit-limit": "2",
        "x-intensive-rate-limit-remaining": "1",
        "x-intensive-rate-limit-reset": "1",
    }
    clock.now += 1
    assert [limits.check("t").refused for _ in range(2)] == ["", ""]
    clock.now += 1
    assert limits.check("t").refused == "quota"
    clock.now += 3600
    assert limits.check("t").refused == ""


def test_freee_tells_the_end_of_the_hour_as_a_timestamp() -> None:
    clock = TurnedClock()
    limits = FreeeLimits(Rates(freee_hour=2), clock=clock)
    first = limits.check("c")
    assert (first.refused, first.headers["X-RateLimit-Remaining"]) == ("", "1")
    assert first.headers["X-RateLimit-Reset"] == "2027-01-15T09:00:00.000000Z"
    assert [limits.check("c").refused for _ in range(2)] == ["", "quota"]
    clock.now += 3600
    assert limits.check("c").refused == ""


def test_freee_closes_its_door_for_ten_minutes_after_a_burst() -> None:
    clock = TurnedClock()
    limits = FreeeLimits(Rates(freee_burst=3), clock=clock)
    assert [limits.check("c").refused for _ in range(4)] == ["", "", "", "burst"]
    clock.now += 599
    assert limits.check("c").refused == "burst"
    clock.now += 2
    assert limits.check("c").refused == ""


def test_limits_start_afresh_after_a_reset() -> None:
    clock = TurnedClock()
    smarthr = SmartHRLimits(Rates(smarthr_second=1), clock=clock)
    freee = FreeeLimits(Rates(freee_burst=1), clock=clock)
    for limits in (smarthr, freee):
        assert limits.check("k").refused == ""
        assert limits.check("k").refused != ""
        limits.reset()
        assert limits.check("k").refused == ""


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"X-Real-IP": "127.0.0.1"},
    {"Host": "[::"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_switches_are_for_this_machine_only(headers: dict[str, str], vendor: Counting, served: RunningServer) -> None:
    """They ask for no key: a proxy in front, or a page in a browser here, must not reach them."""
    for method, path in (("PUT", "switches"), ("GET", "state"), ("POST", "reset"), ("POST", "faults")):
        url = f"{served.url}/_practice/{path}"
        answer = requests.request(method, url, json={"mood": "bad"}, headers=headers, timeout=10)
        assert (answer.status_code, answer.text) == (403, "")
    assert vendor.injector.switch("mood") == "good" and vendor.injector.fault_rules == []
    own = {"Origin": served.url, "Host": f"localhost:{served.port}"}
    assert requests.put(f"{served.url}/_practice/switches", json={"mood": "bad"}, headers=own, timeout=10).ok

"""The servers as processes and in threads: kept connections, a real end, the promised command line."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from app.practice.server import start_in_thread
from app.practice.smarthr.practice_smarthr import create_smarthr
from app.practice.staff.practice_company import SMARTHR_TOKEN, SUBDOMAIN
from app.practice.vendor_kit.fault_injection import injector_of
from tests.practice.smarthr_caller import made, tenant_of

ROOT = Path(__file__).resolve().parents[2]
HEADERS = {"Authorization": f"Bearer {SMARTHR_TOKEN}"}


@contextmanager
def process(*arguments: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """A server process and the line it printed when it listened."""
    command = [sys.executable, "-m", "app.practice.server", *arguments]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        yield json.loads(running.stdout.readline()), running
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20)


@pytest.mark.processes
def test_smarthr_as_a_process(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with process("smarthr", "--port", "0", "--extra", "5", "--log", str(log), "--rates", "real") as (told, running):
        url = f"{told['url']}/{SUBDOMAIN}/api/v1/crews"
        answer = requests.get(url, headers=HEADERS, params={"per_page": 1}, timeout=10)
        assert answer.headers["x-rate-limit-limit"] == "5000"
        extra = requests.get(url, headers=HEADERS, params={"emp_code": "10001"}, timeout=10)
        assert len(extra.json()) == 1
        running.send_signal(signal.SIGTERM)
        _, noise = running.communicate(timeout=20)
    assert (running.returncode, noise) == (0, "")
    assert [json.loads(line)["status"] for line in log.read_text(encoding="utf-8").splitlines()] == [200, 200]


@pytest.mark.processes
def test_freee_as_a_process() -> None:
    with process("freee", "--rates", "fast") as (told, _):
        answer = requests.get(f"{told['url']}/hr/api/v1/users/me", timeout=10)
        assert answer.status_code == 401


@pytest.mark.processes
def test_a_switch_is_set_on_the_command_line() -> None:
    with process("smarthr", "--switch", "maintenance=true") as (told, _):
        url = f"{told['url']}/{SUBDOMAIN}/api/v1/crews"
        assert requests.get(url, headers=HEADERS, timeout=10).status_code == 503


@pytest.mark.processes
def test_the_mailbox_as_a_process(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    with process("mailbox", "--folder", str(folder)) as (told, _):
        with smtplib.SMTP("127.0.0.1", told["port"], timeout=10) as smtp:
            smtp.sendmail("awase@example.com", ["jinji@example.com"], "Subject: x\r\n\r\ny\r\n")
        assert [each.name for each in folder.glob("*.eml")] == ["000001.eml"]


def test_a_connection_is_kept_for_many_requests() -> None:
    server = start_in_thread(create_smarthr(tenant_of(made())))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        reader = raw.makefile("rb")
        for _ in range(3):
            body = b'{"title": "unread by the server when the token is wrong"}'
            raw.sendall(
                f"PATCH /{SUBDOMAIN}/api/v1/crews/1 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            )
            raw.sendall(body)
            assert reader.readline().startswith(b"HTTP/1.1 401")
            length = 0
            while (line := reader.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(reader.read(length))["code"] == 2
        reader.close()
    server.stop()


def test_a_chunked_request_body_is_read() -> None:
    server = start_in_thread(create_smarthr(tenant_of(made())))
    url = f"{server.url}/{SUBDOMAIN}/api/v1/job_titles"
    chunks = iter([b'{"name": ', '"係長"}'.encode()])
    answer = requests.post(url, data=chunks, headers={**HEADERS, "Content-Type": "application/json"}, timeout=5)
    server.stop()
    assert (answer.status_code, answer.json()["name"]) == (201, "係長")


def test_an_answer_to_head_has_no_body() -> None:
    app = create_smarthr(tenant_of(made()))
    injector_of(app).fault(method="HEAD", status=503, body={"code": 9})
    server = start_in_thread(app)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"HEAD /x HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: raw.recv(4096), b""))
    server.stop()
    first, second = received.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"503")
    assert first.endswith(b"\r\n\r\n")
    assert second.startswith(b"400")


def test_an_answer_without_length_closes_its_connection() -> None:
    def endless(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"one", b"two"]

    server = start_in_thread(endless)
    answer = requests.get(server.url, timeout=5)
    server.stop()
    assert (answer.text, answer.headers["Connection"]) == ("onetwo", "close")


def test_a_broken_body_ends_the_request_and_not_the_server() -> None:
    server = start_in_thread(create_smarthr(tenant_of(made())))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    url = f"{server.url}/{SUBDOMAIN}/api/v1/crews"
    assert requests.get(url, headers=HEADERS, timeout=5).status_code == 200
    server.stop()


def test_an_unknown_vendor_or_switch_is_refused(tmp_path: Path) -> None:
    for arguments in (["kingoftime"], ["smarthr", "--rates", "slow"], ["smarthr", "--switch", "mood=true"]):
        command = [sys.executable, "-m", "app.practice.server", *arguments]
        assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode != 0


def test_a_stopped_server_is_gone_for_kept_connections_too() -> None:
    server = start_in_thread(create_smarthr(tenant_of(made())))
    session = requests.Session()
    url = f"{server.url}/{SUBDOMAIN}/api/v1/crews"
    assert session.get(url, headers=HEADERS, timeout=5).status_code == 200
    server.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(url, headers=HEADERS, timeout=5)


def test_many_callers_at_once() -> None:
    server = start_in_thread(create_smarthr(tenant_of(made())))
    seen: list[int] = []

    def call() -> None:
        with requests.Session() as session:
            url = f"{server.url}/{SUBDOMAIN}/api/v1/job_titles"
            seen.extend(session.get(url, headers=HEADERS, timeout=10).status_code for _ in range(5))

    threads = [threading.Thread(target=call) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    server.stop()
    assert len(seen) == 80
    assert set(seen) <= {200, 429}


def test_nothing_of_the_product_is_imported() -> None:
    program = "import sys, app.practice.server; print([m for m in sys.modules if m.startswith('app.')])"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout.replace("'", '"'))
    assert [name for name in loaded if not name.startswith("app.practice")] == []

"""flask doctor and the collector: it is asked as the service asks it, and what it answers becomes a finding."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from opentelemetry.util.re import parse_env_headers

from app.config import Settings
from app.doctor.collector import headers_of, look_at_collector
from app.doctor.doctor import diagnose
from app.safety.findings import Level
from tests.collector import Collector
from tests.ports import free_port

KEYS = {"SECRET_KEY": secrets.token_urlsafe(48), "ENCRYPTION_KEYS": secrets.token_urlsafe(48)}
KEY = "authorization=Bearer%20an-invented-key"


def found(folder: Path, endpoint: str) -> dict[str, Level]:
    env = {**KEYS, "DATA_DIR": str(folder), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_HEADERS": KEY}
    return {each.code: each.level for each in look_at_collector(Settings.from_env(env))}


@pytest.mark.parametrize(
    ("status", "code", "level"),
    [
        (200, "collector_ok", Level.OK),
        (401, "collector_refuses", Level.NOTICE),
        (302, "collector_refuses", Level.NOTICE),
        (503, "collector_refuses", Level.NOTICE),
    ],
)
def test_what_the_collector_answers_is_told(tmp_path: Path, status: int, code: str, level: Level) -> None:
    with Collector(status=status) as collector:
        assert found(tmp_path, collector.url) == {code: level}
        assert [path for path, _ in collector.bodies] == ["/v1/traces"]
        assert collector.headers[0]["authorization"] == "Bearer an-invented-key"
        assert collector.spans == []


def test_a_collector_that_is_away_is_noticed(tmp_path: Path) -> None:
    assert found(tmp_path, f"http://127.0.0.1:{free_port()}") == {"collector_away": Level.NOTICE}


def test_without_a_collector_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path, "") == {}


def test_a_refused_address_gets_no_key(tmp_path: Path) -> None:
    env = {**KEYS, "DATA_DIR": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.jp"}
    codes = {each.code for each in diagnose({**env, "OTEL_EXPORTER_OTLP_HEADERS": KEY})}
    assert {"collector_plaintext", "collector_unchecked"} <= codes
    assert not codes & {"collector_ok", "collector_away", "collector_refuses"}


@pytest.mark.parametrize("text", ["", KEY, "A=1, b=2=3", "x-scope=awase,"])
def test_headers_are_read_as_the_library_reads_them(text: str) -> None:
    assert headers_of(text) == parse_env_headers(text, liberal=True)

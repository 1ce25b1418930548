"""The collector of traces and metrics, where the settings name one: asked as the service does, with nothing to tell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import requests

from app.config import Settings
from app.safety.collector import HEADERS
from app.safety.findings import Finding, notice, ok

WAIT_SECONDS = 4.0


def look_at_collector(settings: Settings) -> Iterator[Finding]:
    """Nothing without a collector. A collector that is away stops no work, so it is only noticed."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return
    host = urlsplit(endpoint).hostname
    try:
        status = _asked(f"{endpoint}/v1/traces", headers_of(settings.otel_exporter_otlp_headers))
    except (requests.RequestException, OSError) as error:
        kind = type(error).__name__
        yield notice("collector_away", f"収集先(OTLP) {host} に接続できません({kind})。処理は続きます。",
                     "アドレス、証明書、収集先が動いているかを確認してください。")  # fmt: skip
        return
    if 200 <= status < 300:
        yield ok("collector_ok", f"収集先(OTLP) {host} は受け取ります。")
    else:
        yield notice("collector_refuses", f"収集先(OTLP) {host} が受け取りません(HTTP {status})。処理は続きます。",
                     f"{HEADERS} の鍵と、アドレスに /v1/… を付けていないかを確認してください。")  # fmt: skip


def headers_of(setting: str) -> dict[str, str]:
    """`name=value,…` as OpenTelemetry reads it: names in lower case, values without their percent signs."""
    pairs = (each.partition("=") for each in setting.split(",") if each.strip())
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs}


def _asked(url: str, headers: dict[str, str]) -> int:
    """The status of an export of no span at all, which is an empty message."""
    verify = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or True
    sent = {"Content-Type": "application/x-protobuf", **headers}
    answer = requests.post(url, data=b"", headers=sent, timeout=WAIT_SECONDS, verify=verify, allow_redirects=False)
    return answer.status_code

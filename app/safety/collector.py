"""The collector of traces and metrics: what may be wrong with its address, its headers and what is installed for it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from app.safety.faults import Fault

ENDPOINT, HEADERS = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def collector_faults(endpoint: str, headers: str) -> Iterator[Fault]:
    """What is wrong with the two settings. Nothing is looked for, and nothing loaded, while no collector is named."""
    if not endpoint:
        return
    if not _is_address(endpoint):
        told = "は http:// か https:// で始まるアドレスの形で指定してください。"
        yield Fault("setting_malformed", ENDPOINT, told)
    if not all(re.fullmatch(r"[^=\s]+=.+", each.strip()) for each in headers.split(",") if each.strip()):
        yield Fault("setting_malformed", HEADERS, "は 名前=値 をコンマで区切って並べてください。")
    if not all(map(_is_installed, _NEEDED)):
        remedy = "pip install --require-hashes -r requirements-telemetry.txt で入れるか、この設定を空にしてください。"
        yield Fault("telemetry_packages_missing", ENDPOINT, "を使うための追加パッケージがありません。", remedy)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is part of
        return False

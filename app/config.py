"""Settings: every environment variable, read once, refused clearly when wrong."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit


class SettingsError(Exception):
    """An environment variable is missing or wrong; the text names it and says what is expected."""


class Window(NamedTuple):
    """At most `permits` calls in any `seconds`."""

    permits: int
    seconds: float


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_limits(text: str) -> tuple[Window, ...]:
    """`8/s,4250/h` → windows. Raises SettingsError."""
    windows = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        match = re.fullmatch(r"([1-9]\d*)/(\d*)([smh])", part)
        if not match:
            raise SettingsError(f"not a limit: {part!r} (expected forms: 8/s, 100/10s, 4250/h)")
        windows.append(Window(int(match[1]), int(match[2] or 1) * _UNITS[match[3]]))
    return tuple(windows)


LONGEST_SOCKET_PATH = 100
"""Bytes a Unix socket's path may have, a little below the 104 to 108 of the systems around."""


def embedded_socket(data_dir: Path) -> Path:
    """Where the embedded broker listens: in the data folder, or in the temporary folder when that path is too long."""
    socket = data_dir / "broker.sock"
    if len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH:
        return socket
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"awase-{name}.sock"


@dataclass(frozen=True)
class Settings:
    """One field per environment variable (upper-case name), secrets hidden from repr."""

    data_dir: Path
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    encryption_keys: tuple[str, ...] = field(repr=False)
    base_url: str
    smtp_url: str = field(repr=False)
    mail_from: str
    smarthr_url: str
    freee_api_url: str
    freee_accounts_url: str
    freee_client_id: str
    freee_client_secret: str = field(repr=False)
    freee_webhook_token: str = field(repr=False)
    smarthr_limits: tuple[Window, ...]
    freee_limits: tuple[Window, ...]
    limiter_patience: float
    lease_seconds: float
    reconcile_seconds: float
    relay_seconds: float
    max_starts: int
    max_attempts: int
    retry_base_seconds: float
    run_deadline_hours: float
    bulk_from: int
    workers_interactive: int
    workers_bulk: int
    retention_days: int
    log_level: str
    bind: str
    port: int
    web_threads: int

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read and check everything. Raises SettingsError naming the variable."""
        read = _Reader(os.environ if env is None else env)
        data_dir = Path(read.text("DATA_DIR", "var")).absolute()
        settings = cls(
            data_dir=data_dir,
            database_url=read.text("DATABASE_URL", f"sqlite:///{data_dir / 'awase.db'}"),
            redis_url=read.text("REDIS_URL", f"unix://{embedded_socket(data_dir)}"),
            secret_key=read.required("SECRET_KEY", at_least=32),
            encryption_keys=tuple(filter(None, (k.strip() for k in read.required("ENCRYPTION_KEYS").split(",")))),
            base_url=read.url("BASE_URL", "http://127.0.0.1:8000"),
            smtp_url=read.text("SMTP_URL", "smtp://127.0.0.1:25"),
            mail_from=read.text("MAIL_FROM", "awase@localhost"),
            smarthr_url=read.url("SMARTHR_URL", "https://{subdomain}.smarthr.jp/api"),
            freee_api_url=read.url("FREEE_API_URL", "https://api.freee.co.jp/hr"),
            freee_accounts_url=read.url("FREEE_ACCOUNTS_URL", "https://accounts.secure.freee.co.jp"),
            freee_client_id=read.text("FREEE_CLIENT_ID", ""),
            freee_client_secret=read.text("FREEE_CLIENT_SECRET", ""),
            freee_webhook_token=read.text("FREEE_WEBHOOK_TOKEN", ""),
            smarthr_limits=read.limits("SMARTHR_LIMITS", "8/s,4250/h"),
            freee_limits=read.limits("FREEE_LIMITS", "20/10s,8500/h"),
            limiter_patience=read.number("LIMITER_PATIENCE", 2.0),
            lease_seconds=read.number("LEASE_SECONDS", 30.0),
            reconcile_seconds=read.number("RECONCILE_SECONDS", 15.0),
            relay_seconds=read.number("RELAY_SECONDS", 0.25),
            max_starts=read.whole("MAX_STARTS", 3),
            max_attempts=read.whole("MAX_ATTEMPTS", 6),
            retry_base_seconds=read.number("RETRY_BASE_SECONDS", 5.0),
            run_deadline_hours=read.number("RUN_DEADLINE_HOURS", 24.0),
            bulk_from=read.whole("BULK_FROM", 200),
            workers_interactive=read.whole("WORKERS_INTERACTIVE", 2),
            workers_bulk=read.whole("WORKERS_BULK", 2),
            retention_days=read.whole("RETENTION_DAYS", 400),
            log_level=read.text("LOG_LEVEL", "INFO"),
            bind=read.text("BIND", "127.0.0.1"),
            port=read.whole("PORT", 8000),
            web_threads=read.whole("WEB_THREADS", 32),
        )
        if "{subdomain}" not in settings.smarthr_url:
            raise SettingsError("SMARTHR_URL must hold {subdomain}")
        return settings


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str) -> str:
        return self._env.get(name) or default

    def required(self, name: str, *, at_least: int = 1) -> str:
        value = self._env.get(name, "")
        if len(value) < at_least:
            raise SettingsError(f"{name} must be set ({at_least} characters at least)")
        return value

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise SettingsError(f"{name} must be an http or https URL")
        return value

    def number(self, name: str, default: float) -> float:
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            raise SettingsError(f"{name} must be a number") from None
        if value < 0:
            raise SettingsError(f"{name} must not be negative")
        return value

    def whole(self, name: str, default: int) -> int:
        value = self.number(name, float(default))
        if value != int(value) or value < 1:
            raise SettingsError(f"{name} must be a whole number of at least 1")
        return int(value)

    def limits(self, name: str, default: str) -> tuple[Window, ...]:
        try:
            return parse_limits(self.text(name, default))
        except SettingsError as error:
            raise SettingsError(f"{name}: {error}") from None

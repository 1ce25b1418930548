"""Settings: reads every environment variable once and refuses a wrong one with a clear text."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from app.domain.settings.names import is_clean


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
        length = int(match[2] or 1) * _UNITS[match[3]]
        if not length:
            raise SettingsError(f"not a limit: {part!r} (a window cannot be empty)")
        windows.append(Window(int(match[1]), length))
    if not windows:
        raise SettingsError("no limit at all (expected forms: 8/s, 100/10s, 4250/h)")
    return tuple(windows)


LONGEST_SOCKET_PATH = 100
"""Bytes that a Unix socket's path may have, a little below the 104 to 108 that operating systems allow."""


def embedded_socket(data_dir: Path) -> Path:
    """The socket on which the embedded broker listens: in the data folder, else in a folder of its own in the temporary
    folder, else in one in /tmp. The first of these whose path is short enough and holds no blank or "=" is taken."""
    name = f"awase-{os.geteuid()}-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}"
    for folder in (data_dir, Path(tempfile.gettempdir()) / name):
        path = os.fsencode(folder / "broker.sock")
        # RQ's workers read the list in which a server tells its clients' addresses: `name=value`, with blanks between.
        if len(path) <= LONGEST_SOCKET_PATH and not set(path) & set(b" ="):
            return folder / "broker.sock"
    return Path("/tmp") / name / "broker.sock"  # noqa: S108 - the broker refuses a folder that another user owns


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
    practice_path: str
    smarthr_limits: tuple[Window, ...]
    freee_limits: tuple[Window, ...]
    freee_webhook_token_previous: str = field(repr=False)
    webhook_max_bytes: int
    quiet_seconds: float
    sweep_minutes: float
    quarantine_after: int
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
    audit_days: int
    """After so many days entries of the audit trail are purged; 0: never."""
    log_level: str
    bind: str
    port: int
    web_threads: int
    api_docs: str
    """Who may read the description of the API: "open" (everybody) or "signed_in" (users, and programs with a key)."""
    hsts_subdomains: bool
    """Whether the browser is told to ask subdomains of our host by TLS only, too."""
    trusted_proxies: int
    """How many proxies in front of the web process set X-Forwarded headers that it may believe."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read and check all variables. Raises SettingsError that names the wrong one."""
        read = _Reader(os.environ if env is None else env)
        data_dir = Path(read.text("DATA_DIR", "var")).absolute()
        settings = cls(
            data_dir=data_dir,
            database_url=read.database("DATABASE_URL", data_dir / "awase.db"),
            redis_url=read.broker("REDIS_URL", data_dir),
            secret_key=read.required("SECRET_KEY", at_least=32),
            encryption_keys=read.keys("ENCRYPTION_KEYS"),
            base_url=read.url("BASE_URL", "http://127.0.0.1:8000"),
            smtp_url=read.mail_server("SMTP_URL", "smtp://127.0.0.1:25"),
            mail_from=read.text("MAIL_FROM", "awase@localhost"),
            smarthr_url=read.url("SMARTHR_URL", "https://{subdomain}.smarthr.jp/api"),
            freee_api_url=read.url("FREEE_API_URL", "https://api.freee.co.jp/hr"),
            freee_accounts_url=read.url("FREEE_ACCOUNTS_URL", "https://accounts.secure.freee.co.jp"),
            freee_client_id=read.text("FREEE_CLIENT_ID", ""),
            freee_client_secret=read.text("FREEE_CLIENT_SECRET", ""),
            freee_webhook_token=read.text("FREEE_WEBHOOK_TOKEN", ""),
            practice_path=read.text("PRACTICE_PATH", ""),
            smarthr_limits=read.limits("SMARTHR_LIMITS", "8/s,4250/h"),
            freee_limits=read.limits("FREEE_LIMITS", "20/10s,8500/h"),
            freee_webhook_token_previous=read.text("FREEE_WEBHOOK_TOKEN_PREVIOUS", ""),
            webhook_max_bytes=read.whole("WEBHOOK_MAX_BYTES", 1_048_576),
            quiet_seconds=read.number("QUIET_SECONDS", 10.0),
            sweep_minutes=read.period("SWEEP_MINUTES", 60.0),
            quarantine_after=read.whole("QUARANTINE_AFTER", 3),
            limiter_patience=read.number("LIMITER_PATIENCE", 2.0),
            lease_seconds=read.period("LEASE_SECONDS", 30.0),
            reconcile_seconds=read.period("RECONCILE_SECONDS", 15.0),
            relay_seconds=read.period("RELAY_SECONDS", 0.25),
            max_starts=read.whole("MAX_STARTS", 3),
            max_attempts=read.whole("MAX_ATTEMPTS", 6),
            retry_base_seconds=read.number("RETRY_BASE_SECONDS", 5.0),
            run_deadline_hours=read.period("RUN_DEADLINE_HOURS", 24.0),
            bulk_from=read.whole("BULK_FROM", 200),
            workers_interactive=read.whole("WORKERS_INTERACTIVE", 2),
            workers_bulk=read.whole("WORKERS_BULK", 2),
            retention_days=read.whole("RETENTION_DAYS", 400),
            audit_days=read.whole("AUDIT_DAYS", 1100, at_least=0),
            log_level=read.level("LOG_LEVEL", "INFO"),
            bind=read.text("BIND", "127.0.0.1"),
            port=read.whole("PORT", 8000, at_most=65_535),
            web_threads=read.whole("WEB_THREADS", 32),
            api_docs=read.word("API_DOCS", "open", ("open", "signed_in")),
            hsts_subdomains=read.word("HSTS_SUBDOMAINS", "off", ("off", "on")) == "on",
            trusted_proxies=read.whole("TRUSTED_PROXIES", 0, at_least=0),
        )
        if "{subdomain}" not in settings.smarthr_url:
            raise SettingsError("SMARTHR_URL must hold {subdomain}")
        return settings


class _Reader:
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def text(self, name: str, default: str) -> str:
        return self._given(name) or default

    def _given(self, name: str) -> str:
        """The variable, "" when it is unset. Raises SettingsError for signs that would end up in headers and logs."""
        value = self._env.get(name, "")
        if not is_clean(value):
            raise SettingsError(f"{name} must not hold line breaks, control characters or characters that show nothing")
        return value

    def required(self, name: str, *, at_least: int = 1) -> str:
        value = self._given(name)
        if len(value) < at_least:
            raise SettingsError(f"{name} must be set ({at_least} characters at least)")
        return value

    def keys(self, name: str) -> tuple[str, ...]:
        found = tuple(filter(None, (key.strip() for key in self.required(name).split(","))))
        if not found:
            raise SettingsError(f"{name} must hold at least one key")
        return found

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        self._split(name, value, ("http", "https"), "an http or https URL")
        return value

    def database(self, name: str, file: Path) -> str:
        """The database's URL. The default quotes the file, as a folder's name may hold signs with a meaning in URLs."""
        value = self.text(name, f"sqlite:///{quote(str(file))}")
        if not value.partition(":")[0].startswith(("sqlite", "postgresql")) or "://" not in value:
            raise SettingsError(f"{name} must be sqlite:///… or postgresql+psycopg://…")
        return value

    def broker(self, name: str, data_dir: Path) -> str:
        value = self._given(name)
        if not value:
            return f"unix://{quote(str(embedded_socket(data_dir)))}"
        self._split(name, value, ("redis", "rediss", "unix"), "redis://…, rediss://… or unix:///…")
        return value

    def mail_server(self, name: str, default: str) -> str:
        value = self.text(name, default)
        forms = ("smtp", "smtps", "smtp+starttls")
        if not self._split(name, value, forms, "smtp://, smtps:// or smtp+starttls://host:port").hostname:
            raise SettingsError(f"{name} names no host")
        return value

    def _split(self, name: str, value: str, schemes: tuple[str, ...], expected: str) -> SplitResult:
        """The parts of a URL. Raises SettingsError without the value itself, because that may hold a password."""
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises when it is no port
        except ValueError:
            raise SettingsError(f"{name} must be {expected}") from None
        if parts.scheme not in schemes or not (parts.netloc or (parts.scheme == "unix" and parts.path)):
            raise SettingsError(f"{name} must be {expected}")
        return parts

    def word(self, name: str, default: str, words: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in words:
            raise SettingsError(f"{name} must be one of {', '.join(words)}")
        return value

    def level(self, name: str, default: str) -> str:
        value = self.text(name, default).upper()
        if value not in logging.getLevelNamesMapping():
            raise SettingsError(f"{name} must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL")
        return value

    def number(self, name: str, default: float) -> float:
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            raise SettingsError(f"{name} must be a number") from None
        if not math.isfinite(value) or value < 0:
            raise SettingsError(f"{name} must not be negative or infinite")
        return value

    def period(self, name: str, default: float) -> float:
        value = self.number(name, default)
        if not value:
            raise SettingsError(f"{name} must be more than 0")
        return value

    def whole(self, name: str, default: int, *, at_least: int = 1, at_most: int | None = None) -> int:
        value = self.number(name, float(default))
        if value != int(value) or value < at_least:
            raise SettingsError(f"{name} must be a whole number of at least {at_least}")
        if at_most is not None and value > at_most:
            raise SettingsError(f"{name} must be at most {at_most}")
        return int(value)

    def limits(self, name: str, default: str) -> tuple[Window, ...]:
        try:
            return parse_limits(self.text(name, default))
        except SettingsError as error:
            raise SettingsError(f"{name}: {error}") from None

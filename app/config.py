"""Settings: reads every environment variable once and refuses all wrong ones at once, with a clear text each."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from app.domain.settings.names import is_clean
from app.domain.settings.recipients import is_contact
from app.domain.vendors.rates import Window as Window
from app.domain.vendors.rates import parse_limits as parse_limits
from app.safety.addresses import broker_password, exposures, is_local
from app.safety.collector import collector_faults
from app.safety.env_file import surroundings
from app.safety.faults import Fault
from app.safety.secrets_file import FILE, with_secrets
from app.safety.socket_path import embedded_socket
from app.safety.strength import weaknesses

_Value = TypeVar("_Value")
_LIBPQ = ("PGHOST", "PGSSLMODE")
"""Variables of the database's driver that decide, beside DATABASE_URL, where and how it connects."""


class SettingsError(Exception):
    """Environment variables are missing, wrong or dangerous; the text names each and says what is expected."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class _Reader:
    """Reads variables and gathers what is wrong with them, so that all of it can be told at once."""

    def __init__(self, env: Mapping[str, str], faults: list[Fault], *, known: list[str]) -> None:
        """`known`: the variables that hold addresses."""
        self._env = env
        self._known = known
        self.faults = faults
        self._data_dir = Path(self.text("DATA_DIR", "var")).absolute()

    def refuse(self, name: str, told: str, *, code: str = "setting_malformed") -> None:
        """Note a fault, unless the variable has no value because its file has one."""
        if any(each.variable == f"{name}{FILE}" for each in self.faults):
            return
        self.faults.append(Fault(code, name, told))

    def _instead(self, value: _Value, name: str, told: str) -> _Value:
        self.refuse(name, told)
        return value

    def folder(self, _name: str) -> Path:
        return self._data_dir

    def text(self, name: str, default: str = "") -> str:
        return self._given(name) or default

    def _given(self, name: str) -> str:
        """The variable, "" when it is unset or holds signs that would end up in headers and logs."""
        value = self._env.get(name, "")
        return value if is_clean(value) else self._instead("", name, "に改行や見えない文字は使えません。")

    def required(self, name: str, *, at_least: int = 1) -> str:
        value = self._given(name)
        if len(value) < at_least:
            self.refuse(name, f"を設定してください({at_least}文字以上)。", code="setting_missing")
        return value

    def keys(self, name: str) -> tuple[str, ...]:
        value = self.required(name)
        found = _listed(value)
        if value and not found:
            self.refuse(name, "に鍵がありません。", code="setting_missing")
        return found

    def addresses(self, name: str) -> tuple[str, ...]:
        """Variables that hold an address."""
        given = _listed(self.text(name))
        unknown = [each for each in given if each not in self._known]
        if unknown:
            told = f"に {'、'.join(map(repr, unknown))} は指定できません。指定できる名前: {'、'.join(self._known)}"
            self.refuse(name, told, code="allow_plaintext_unknown")
        return tuple(each for each in given if each in self._known)

    def former_keys(self, name: str, *, at_least: int) -> tuple[str, ...]:
        found = _listed(self.text(name, ""))
        if any(len(key) < at_least for key in found):
            self.refuse(name, f"には、{at_least}文字以上の鍵をコンマで区切って並べてください。")
        return found

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        whole = self._split(name, value, ("http", "https"), "http:// か https:// で始まるアドレス")
        return value if whole else default

    def base(self, name: str) -> str:
        """What paths are put behind; the collector's own check says what it has to look like."""
        return self.text(name).rstrip("/")

    def database(self, name: str) -> str:
        """The database's URL. The default quotes the file, as a folder's name may hold signs with a meaning in URLs."""
        default = f"sqlite:///{quote(str(self._data_dir / 'awase.db'))}"
        value = self.text(name, default)
        if not value.partition(":")[0].startswith(("sqlite", "postgresql")) or "://" not in value:
            return self._instead(default, name, "は sqlite:///… か postgresql+psycopg://… の形で指定してください。")
        if value.startswith("postgresql") and not self._split(name, value, (value.partition(":")[0],), "URL"):
            return default
        return value

    def broker(self, name: str) -> str:
        value = self._given(name)
        default = f"unix://{quote(str(embedded_socket(self._data_dir)))}"
        if not value:
            return default
        forms = ("redis", "rediss", "unix")
        return value if self._split(name, value, forms, "redis://…、rediss://… か unix:///…") else default

    def contact(self, name: str) -> str:
        """Where people get help: an address of a mail, or of a page; "" where none is set."""
        value = self.text(name, "")
        if value and not is_contact(value):
            return self._instead("", name, "はメールアドレスか https:// で始まるアドレスにしてください。")
        return value

    def mail_server(self, name: str, default: str) -> str:
        value = self.text(name, default)
        forms = ("smtp", "smtps", "smtp+starttls")
        parts = self._split(name, value, forms, "smtp://、smtps:// か smtp+starttls://ホスト:ポート")
        if parts and not parts.hostname:
            return self._instead(default, name, "にホスト名がありません。")
        return value if parts else default

    def _split(self, name: str, value: str, schemes: tuple[str, ...], expected: str) -> SplitResult | None:
        """The parts of a URL; None when it is malformed, which is told without the value: that may hold a password."""
        wrong = f"は {expected} の形で指定してください。"
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - raises when it is no port
        except ValueError:
            return self._instead(None, name, wrong)
        # What two libraries would read differently leads one of them past the checks of the other.
        odd = re.search(r"[\\\s\x00-\x1f\x7f]", value)
        if odd or parts.scheme not in schemes or not (parts.netloc or _may_lack_host(parts)):
            return self._instead(None, name, wrong)
        return parts

    def word(self, name: str, default: str, words: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        return value if value in words else self._instead(default, name, f"は {' か '.join(words)} にしてください。")

    def switch(self, name: str) -> bool:
        return self.word(name, "off", ("off", "on")) == "on"

    def level(self, name: str, default: str) -> str:
        value = self.text(name, default).upper()
        if value not in logging.getLevelNamesMapping():
            return self._instead(default, name, "は DEBUG、INFO、WARNING、ERROR、CRITICAL のどれかにしてください。")
        return value

    def number(self, name: str, default: float) -> float:
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            return self._instead(default, name, "は数で指定してください。")
        if not math.isfinite(value) or value < 0:
            return self._instead(default, name, "は 0 以上の有限の数にしてください。")
        return value

    def period(self, name: str, default: float) -> float:
        value = self.number(name, default)
        return value or self._instead(default, name, "は 0 より大きい数にしてください。")

    def whole(self, name: str, default: int, *, at_least: int = 1, at_most: int | None = None) -> int:
        value = self.number(name, float(default))
        if value != int(value) or value < at_least:
            return self._instead(default, name, f"は {at_least} 以上の整数にしてください。")
        if at_most is not None and value > at_most:
            return self._instead(default, name, f"は {at_most} 以下にしてください。")
        return int(value)

    def limits(self, name: str, default: str) -> tuple[Window, ...]:
        try:
            return parse_limits(self.text(name, default))
        except ValueError as error:
            return self._instead(parse_limits(default), name, str(error))


def _read(by: Callable[..., Any], *default: Any, secret: bool = False, **bounds: Any) -> Any:
    """A field that a method of the reader reads from its variable. A secret is hidden from repr."""
    return field(repr=not secret, metadata={"read": lambda reader, name: by(reader, name, *default, **bounds)})


@dataclass(frozen=True)
class Settings:
    """One field per environment variable (upper-case name), secrets hidden from repr."""

    data_dir: Path = _read(_Reader.folder)
    house_file: str = _read(_Reader.text)
    """Where the identity of the installation is; "": in the data folder, bound to this machine."""
    secrets_file: str = _read(_Reader.text)  # the file from which the keys were read; "": from the variables
    database_url: str = _read(_Reader.database, secret=True)
    redis_url: str = _read(_Reader.broker, secret=True)
    secret_key: str = _read(_Reader.required, at_least=32, secret=True)
    secret_key_previous: tuple[str, ...] = _read(_Reader.former_keys, at_least=32, secret=True)
    """Former values of `secret_key`, newest first: what was signed or compared with them still counts."""
    encryption_keys: tuple[str, ...] = _read(_Reader.keys, secret=True)
    base_url: str = _read(_Reader.url, "http://127.0.0.1:8000")
    smtp_url: str = _read(_Reader.mail_server, "smtp://127.0.0.1:25", secret=True)
    mail_from: str = _read(_Reader.text, "awase@localhost")
    support_contact: str = _read(_Reader.contact)
    """Where mails say that help is to be had: an address of a mail or of a page; "": nowhere."""
    smarthr_url: str = _read(_Reader.url, "https://{subdomain}.smarthr.jp/api")
    freee_api_url: str = _read(_Reader.url, "https://api.freee.co.jp/hr")
    freee_accounts_url: str = _read(_Reader.url, "https://accounts.secure.freee.co.jp")
    freee_client_id: str = _read(_Reader.text)
    freee_client_secret: str = _read(_Reader.text, secret=True)
    freee_webhook_token: str = _read(_Reader.text, secret=True)
    practice_path: str = _read(_Reader.text)
    practice_guide: str = _read(_Reader.text)  # the address of the rehearsal's guided tasks; "": there are none
    smarthr_limits: tuple[Window, ...] = _read(_Reader.limits, "8/s,4250/h")
    freee_limits: tuple[Window, ...] = _read(_Reader.limits, "20/10s,8500/h")
    freee_webhook_token_previous: str = _read(_Reader.text, secret=True)
    webhook_max_bytes: int = _read(_Reader.whole, 1_048_576)
    quiet_seconds: float = _read(_Reader.number, 10.0)
    sweep_minutes: float = _read(_Reader.period, 60.0)
    quarantine_after: int = _read(_Reader.whole, 3)
    limiter_patience: float = _read(_Reader.number, 2.0)
    lease_seconds: float = _read(_Reader.period, 30.0)
    reconcile_seconds: float = _read(_Reader.period, 15.0)
    relay_seconds: float = _read(_Reader.period, 0.25)
    max_starts: int = _read(_Reader.whole, 3)
    max_attempts: int = _read(_Reader.whole, 6)
    retry_base_seconds: float = _read(_Reader.number, 5.0)
    run_deadline_hours: float = _read(_Reader.period, 24.0)
    bulk_from: int = _read(_Reader.whole, 200)
    workers_interactive: int = _read(_Reader.whole, 2)
    workers_bulk: int = _read(_Reader.whole, 2)
    worker_threads: int = _read(_Reader.whole, 32, at_most=256)  # jobs that one worker process does at a time
    connection_jobs: int = _read(_Reader.whole, 12)  # employees of one connection that a queue may have in hand at once
    item_seconds: float = _read(_Reader.period, 300.0)
    retention_days: int = _read(_Reader.whole, 400)
    audit_days: int = _read(_Reader.whole, 1100, at_least=0)
    """After so many days entries of the audit trail are purged; 0: never."""
    log_level: str = _read(_Reader.level, "INFO")
    otel_exporter_otlp_endpoint: str = _read(_Reader.base)
    """The collector of traces and metrics, without /v1/…; "": nobody is told."""
    otel_exporter_otlp_headers: str = _read(_Reader.text, secret=True)  # name=value, by comma: the collector's key
    bind: str = _read(_Reader.text, "127.0.0.1")
    port: int = _read(_Reader.whole, 8000, at_most=65_535)
    web_threads: int = _read(_Reader.whole, 32)
    api_docs: str = _read(_Reader.word, "open", ("open", "signed_in"))
    """Who may read the description of the API: "open" (everybody) or "signed_in" (users, and programs with a key)."""
    hsts_subdomains: bool = _read(_Reader.switch)
    """Whether the browser is told to ask subdomains of our host by TLS only, too."""
    trusted_proxies: int = _read(_Reader.whole, 0, at_least=0)
    """How many proxies in front of the web process set X-Forwarded headers that it may believe."""
    allow_plaintext: tuple[str, ...] = _read(_Reader.addresses)
    """Variables whose address may lead to another machine unencrypted, because somebody has said so."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read and check all variables. Raises SettingsError that names every wrong one."""
        settings, faults = cls.examine(env)
        if faults:
            raise SettingsError(faults)
        return settings

    @classmethod
    def examine(cls, env: Mapping[str, str] | None = None) -> tuple[Settings, list[Fault]]:
        """The settings and everything that is wrong with them; a malformed variable stands there with its default.
        Without `env` they are those of this process, `.env` included."""
        env, of_env_file = surroundings() if env is None else (env, [])
        env, of_secrets = with_secrets(env, _secret_variables(cls))
        read = _Reader(env, [*of_env_file, *of_secrets], known=_url_variables(cls))
        settings = cls(**{each.name: each.metadata["read"](read, each.name.upper()) for each in fields(cls)})
        if "{subdomain}" not in settings.smarthr_url:
            read.refuse("SMARTHR_URL", "には {subdomain} が必要です。")
        read.faults += collector_faults(settings.otel_exporter_otlp_endpoint, settings.otel_exporter_otlp_headers)
        return settings, [*read.faults, *settings.exposed(env)]

    @property
    def house_place(self) -> Path:
        """The file with the identity of this installation (`safety.identity`)."""
        return Path(self.house_file).absolute() if self.house_file else self.data_dir / "house.id"

    @property
    def beats_places(self) -> list[Path]:
        """Where the count of beats may be remembered (`safety.high_water`): beside the identity, which all hosts share
        where they have one place for it; else on this host."""
        return [folder / "house.beats" for folder in (self.house_place.parent, self.data_dir)]

    @property
    def is_practice(self) -> bool:
        """Whether this is the practice company: both vendors are on this machine, and pages say what they are."""
        vendors = (self.smarthr_url, self.freee_api_url, self.freee_accounts_url)
        return bool(self.practice_path) and all(is_local(urlsplit(url).hostname) for url in vendors)

    @property
    def is_https(self) -> bool:
        """Whether people reach this service by TLS."""
        return self.base_url.startswith("https://")

    @property
    def urls(self) -> dict[str, str]:
        """Every address of the settings, by variable."""
        return {name: getattr(self, name.lower()) for name in _url_variables(type(self))}

    @property
    def secrets(self) -> dict[str, tuple[str, ...]]:
        """Every secret that is set, by variable: the fields hidden from repr, and the password of a remote broker."""
        hidden = [each.name for each in fields(self) if not each.repr and not each.name.endswith("_url")]
        given = {name: getattr(self, name) for name in hidden if getattr(self, name)}
        found = {name.upper(): (value,) if isinstance(value, str) else tuple(value) for name, value in given.items()}
        password = broker_password(self.redis_url)
        return found | ({"REDIS_URL": (password,)} if password else {})

    @property
    def weaknesses(self) -> list[Fault]:
        """The secrets that can be guessed or are the same, none in the practice company. Whether they are refused
        depends on the installation that stands on them (`app.wiring.admitted`)."""
        return [] if self.is_practice else weaknesses(self.secrets)

    def exposed(self, env: Mapping[str, str]) -> list[Fault]:
        """The addresses that lead away from this machine unprotected, without those that somebody has allowed."""
        if self.is_practice:
            return []
        return [fault for fault in self.all_exposed(env) if fault.variable not in self.allow_plaintext]

    def all_exposed(self, env: Mapping[str, str]) -> list[Fault]:
        """As `exposed`, with those that somebody has allowed."""
        return exposures(self.urls, {name: env.get(name, "") for name in _LIBPQ})


def _secret_variables(settings: type[Settings]) -> list[str]:
    return [each.name.upper() for each in fields(settings) if not each.repr]


def _url_variables(settings: type[Settings]) -> list[str]:
    return [each.name.upper() for each in fields(settings) if each.name.endswith(("_url", "_endpoint"))]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (each.strip() for each in text.split(","))))


def _may_lack_host(parts: SplitResult) -> bool:
    """Whether a URL without a host says enough: a socket's path, or a database that the driver finds by itself."""
    return bool(parts.path) if parts.scheme == "unix" else parts.scheme.startswith("postgresql")

"""Addresses that lead to another machine although what travels there can be read, or anybody may write there.

Loopback addresses and Unix sockets never leave the machine and are exempt. Only what is certainly loopback counts as
loopback: a name that a resolver would have to be asked for, or a number in an unusual form (`127.1`), does not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from app.safety.faults import Fault

ALLOW = "ALLOW_PLAINTEXT"
_CLOSED_NETWORK = f"経路が外から閉じていると分かっているときだけ、{ALLOW} にこの名前を加えてください。"


def is_local(host: str | None) -> bool:
    """Whether a URL's host is this machine: 127.0.0.0/8, ::1 (also in their IPv4-mapped form) or localhost itself."""
    name = (host or "").strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def exposures(urls: Mapping[str, str], libpq: Mapping[str, str]) -> list[Fault]:
    """Every fault of these URLs, by variable. `libpq`: PGHOST and PGSSLMODE as the driver reads them."""
    found: list[Fault] = []
    for variable, url in urls.items():
        scheme = urlsplit(url).scheme
        if scheme in ("redis", "rediss"):
            found += _broker(variable, url)
        elif scheme == "smtp":
            found += _mail(variable, url)
        elif scheme == "http":
            found += _web(variable, url)
        elif scheme.startswith("postgresql") and encryption(url, libpq) == "never":
            found.append(_fault("database_plaintext", variable, "は別のマシンのデータベースへ暗号化せずに接続します。",
                                "sslmode=verify-full(少なくとも require)を付けてください。"))  # fmt: skip
    return found


def encryption(url: str, libpq: Mapping[str, str]) -> str:
    """How a PostgreSQL connection travels: "local" (this machine), "never", "perhaps" (libpq's own default: when the
    server offers it) or "always"."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    hosts = asked.get("hostaddr") or asked.get("host") or [parts.hostname or libpq.get("PGHOST", "")]
    named = [host for each in hosts for host in each.split(",")]
    if all(not host or host.startswith(("/", "@")) or is_local(host) for host in named):
        return "local"
    mode = (asked.get("sslmode") or [libpq.get("PGSSLMODE", "")])[-1] or "prefer"
    return {"disable": "never", "allow": "never", "prefer": "perhaps"}.get(mode, "always")


def _broker(variable: str, url: str) -> Iterator[Fault]:
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    if not _is_remote(parts, asked):
        return
    if parts.scheme == "redis":
        yield _fault("broker_plaintext", variable, "は別のマシンのブローカーを TLS なしで指しています。途中で読まれ、"
                     "書き換えられます。", "rediss:// にしてください。")  # fmt: skip
    elif _unverified(asked):
        yield _fault("broker_tls_unverified", variable, "は証明書を確かめない TLS です。間に立つ人を見分けられません。",
                     "ssl_cert_reqs と ssl_check_hostname の指定をやめてください。")  # fmt: skip
    if not _password(parts, asked):
        yield _fault("broker_without_password", variable, "は別のマシンのブローカーをパスワードなしで指しています。"
                     "届く人は誰でもジョブを入れられます。",
                     "ブローカーにパスワードを付け、rediss://:パスワード@ホスト の形にしてください。")  # fmt: skip


def broker_password(url: str) -> str:
    """The password with which a broker on another machine is asked, "" without one or for one on this machine."""
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    return _password(parts, asked) if parts.scheme in ("redis", "rediss") and _is_remote(parts, asked) else ""


def _is_remote(parts: SplitResult, asked: Mapping[str, list[str]]) -> bool:
    """Whether the broker is on another machine; `?host=` overrules the host in front of it."""
    return not all(is_local(host) for host in (parts.hostname or "localhost", *asked.get("host", ())))


def _password(parts: SplitResult, asked: Mapping[str, list[str]]) -> str:
    return unquote(parts.password or "") or asked.get("password", [""])[-1]


def _unverified(asked: Mapping[str, list[str]]) -> bool:
    certificate = [value.lower() for value in asked.get("ssl_cert_reqs", ())]
    name = [value.lower() for value in asked.get("ssl_check_hostname", ())]
    return any(value in ("none", "optional", "cert_none") for value in certificate) or any(
        value in ("0", "f", "false", "n", "no") for value in name
    )


def _mail(variable: str, url: str) -> Iterator[Fault]:
    parts = urlsplit(url)
    if (parts.username or parts.password) and not is_local(parts.hostname):
        yield _fault("mail_password_plaintext", variable, "はメールサーバーの名前とパスワードを暗号化せずに送ります。",
                     "smtps:// か smtp+starttls:// にしてください。")  # fmt: skip


def _web(variable: str, url: str) -> Iterator[Fault]:
    if is_local(urlsplit(url).hostname):
        return
    if variable == "BASE_URL":
        yield _fault("base_url_plaintext", variable, "が http:// です。サインインのパスワードと Cookie が途中で"
                     "読まれます。",
                     "TLS を終端するプロキシを前に置き、https:// にしてください。")  # fmt: skip
    elif variable == "OTEL_EXPORTER_OTLP_ENDPOINT":
        yield _fault("collector_plaintext", variable, "が http:// です。収集先の鍵と、処理のようすが途中で"
                     "読まれます。", "https:// にしてください。")  # fmt: skip
    else:
        yield _fault("vendor_url_plaintext", variable, "が http:// です。トークンと従業員の情報が途中で読まれます。",
                     "https:// にしてください。")  # fmt: skip


def _fault(code: str, variable: str, told: str, remedy: str) -> Fault:
    return Fault(code, variable, told, remedy + _CLOSED_NETWORK)

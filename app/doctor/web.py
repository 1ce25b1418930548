"""The web process, what stands in front of it, and the vendors behind it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
from sqlalchemy.exc import SQLAlchemyError

from app.adapters.http import VendorSession
from app.config import Settings
from app.doctor.clocks import compare, of_header
from app.safety.addresses import is_local
from app.safety.findings import Finding, bad, notice, ok
from app.storage.examination import Examined, examine
from app.storage.schema import is_missing
from app.use_cases.monitoring.sightings import TOLD_FOR

WAIT_SECONDS = 4.0


def look_at_web(settings: Settings) -> Iterator[Finding]:
    with requests.Session() as session:
        session.trust_env = False  # it is on this machine: no proxy
        try:
            answer = session.get(f"{_own_address(settings)}/health/ready", timeout=WAIT_SECONDS)
        except requests.RequestException as error:
            yield notice("web_away", f"web プロセスが応答しません({type(error).__name__})。",
                         "起動しているか、BIND と PORT が同じかを確認してください。")  # fmt: skip
            return
    if answer.status_code == 200:
        yield ok("web_ok", "web プロセスは受け付けられます。")
    else:
        yield bad("web_not_ready", f"web プロセスは受け付けられません(HTTP {answer.status_code})。",
                  "データベース、表のバージョン、ディスクの空きを確認してください。")  # fmt: skip


def _own_address(settings: Settings) -> str:
    bind = settings.bind.strip("[]")
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return f"http://{bind}:{settings.port}"
    here = {4: "127.0.0.1", 6: "::1"}[address.version] if address.is_unspecified else str(address)
    return f"http://[{here}]:{settings.port}" if address.version == 6 else f"http://{here}:{settings.port}"


def judge_proxies(settings: Settings) -> Iterator[Finding]:
    found = _examined(settings)
    seen = found.proxy_headers_at if found else None
    if seen is not None and datetime.now(UTC) - seen > TOLD_FOR:
        seen = None  # nor does the engine room tell it any more
    yield from proxies(settings, forwarded_seen=seen)


def proxies(settings: Settings, *, forwarded_seen: datetime | None) -> Iterator[Finding]:
    """Whether the proxies in front and TRUSTED_PROXIES agree. `forwarded_seen`: when a request with X-Forwarded-For
    last came while none was trusted, None when none was seen of late."""
    count = settings.trusted_proxies
    if not count and forwarded_seen:
        yield bad("proxy_untold", f"TRUSTED_PROXIES が 0 なのに、X-Forwarded-For の付いた要求が届いています"
                  f"(最後 {forwarded_seen:%Y-%m-%d %H:%M} UTC)。全員が1つのアドレスに見えます。",
                  "前に置いたプロキシの段数を TRUSTED_PROXIES に指定してください。")  # fmt: skip
    elif not count and settings.is_https:
        yield notice("proxy_expected", "BASE_URL は https:// ですが、TRUSTED_PROXIES が 0 です。",
                     "TLS を終端するプロキシの段数を TRUSTED_PROXIES に指定してください。")  # fmt: skip
    elif count and not is_local(settings.bind):
        yield notice("proxy_avoidable", "TRUSTED_PROXIES がありますが、web プロセスにはプロキシを通らずに届きます。"
                     "X-Forwarded-For を偽れます。",
                     "BIND を 127.0.0.1 にするか、プロキシからだけ届くようにしてください。")  # fmt: skip
    else:
        yield ok("proxies_ok", f"TRUSTED_PROXIES は {count} です。")


def look_at_vendors(settings: Settings) -> Iterator[Finding]:
    """Whether each vendor answers at all, without a token, and has our time."""
    yield from _answers("freee_accounts", "freee(サインイン)", settings.freee_accounts_url)
    yield from _answers("freee_api", "freee人事労務", settings.freee_api_url)
    tenant = _some_tenant(settings)
    if tenant:
        yield from _answers("smarthr", "SmartHR", settings.smarthr_url.replace("{subdomain}", tenant))
    else:
        yield notice("smarthr_unchecked", "SmartHR は、接続がまだないので確かめていません。", "接続を加えてください。")


def _some_tenant(settings: Settings) -> str | None:
    found = _examined(settings)
    return found.subdomain if found else None


def _examined(settings: Settings) -> Examined | None:
    """What stands in the database; None where it does not answer, which its own check tells."""
    if is_missing(settings.database_url):
        return None
    try:
        return examine(settings.database_url)
    except SQLAlchemyError:
        return None


def _answers(name: str, label: str, url: str) -> Iterator[Finding]:
    with VendorSession() as session:
        try:
            answer = session.get(url, timeout=WAIT_SECONDS, allow_redirects=False, stream=True)
        except requests.RequestException as error:
            kind = type(error).__name__
            yield bad(f"{name}_away", f"{label} {urlsplit(url).hostname} に接続できません({kind})。",
                      "名前解決、プロキシ、ファイアウォール、証明書を確認してください。")  # fmt: skip
            return
    yield ok(f"{name}_ok", f"{label} は応答しています。")
    yield from compare(name, label, of_header(answer.headers.get("Date")))

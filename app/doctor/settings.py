"""What the settings themselves say: refused ones, secrets, exceptions that somebody has made, things to think about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from app.config import Settings
from app.safety.addresses import ALLOW, encryption, is_local
from app.safety.faults import Fault
from app.safety.findings import Finding, bad, notice, ok
from app.safety.strength import REFUSED_FROM, only_warned
from app.wiring import stands

_WARNED = "バージョン " + ".".join(map(str, REFUSED_FROM)) + " からは、この値では起動しません。"


def judge_settings(settings: Settings, faults: Iterable[Fault], env: Mapping[str, str]) -> Iterator[Finding]:
    refused = [bad(fault.code, fault.sentence, fault.remedy) for fault in faults]
    yield from refused
    if not refused:
        yield ok("settings_ok", "設定は受け付けられます。")
    yield from _exceptions(settings, env)
    yield from _thoughts(settings, env)


def judge_secrets(settings: Settings) -> Iterator[Finding]:
    """Weak secrets, as bad as they are for this installation."""
    weak = settings.weaknesses
    if not weak and all(settings.secrets.get(name) for name in ("SECRET_KEY", "ENCRYPTION_KEYS")):
        yield ok("secrets_ok", "鍵とトークンは推測できず、互いに異なります。")
    elif only_warned() and stands(settings):
        yield from (notice(each.code, each.sentence, each.remedy + _WARNED) for each in weak)
    else:
        yield from (bad(each.code, each.sentence, each.remedy) for each in weak)


def _exceptions(settings: Settings, env: Mapping[str, str]) -> Iterator[Finding]:
    exposed = {fault.variable for fault in settings.all_exposed(env)}
    for name in settings.allow_plaintext:
        if name in exposed:
            yield ok("allow_plaintext_used", f"{name} は {ALLOW} によって、保護なしで別のマシンへ接続します。")
        else:
            yield notice(
                "allow_plaintext_unneeded", f"{ALLOW} の {name} は要りません。", f"{ALLOW} から外してください。"
            )


def _thoughts(settings: Settings, env: Mapping[str, str]) -> Iterator[Finding]:
    mail = urlsplit(settings.smtp_url)
    if mail.scheme == "smtp" and not is_local(mail.hostname) and "SMTP_URL" not in settings.allow_plaintext:
        yield notice(
            "mail_plaintext",
            "SMTP_URL は smtp:// です。結果のメールが暗号化されずに別のマシンへ届きます。",
            "smtps:// か smtp+starttls:// にしてください。",
        )
    if not settings.support_contact:
        yield notice(
            "support_contact_unset",
            "結果のメールに、問い合わせ先がありません。",
            "SUPPORT_CONTACT に、問い合わせ先のメールアドレスかページのアドレスを設定してください。",
        )
    postgresql = settings.database_url.startswith("postgresql")
    if postgresql and encryption(settings.database_url, env) == "perhaps":
        yield notice(
            "database_tls_optional",
            "DATABASE_URL に sslmode がありません。暗号化するかどうかを、相手のデータベースが決めます。",
            "sslmode=verify-full(少なくとも require)を付けてください。",
        )

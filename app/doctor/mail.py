"""The mail server: whether it answers, offers TLS and takes our name and password. No mail is sent."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

from app.adapters.mailer import SmtpMailer
from app.config import Settings
from app.safety.addresses import is_local
from app.safety.findings import Finding, bad, notice, ok

WAIT_SECONDS = 4.0


def look_at_mail(settings: Settings) -> Iterator[Finding]:
    mailer = SmtpMailer(settings.smtp_url, settings.mail_from, timeout=WAIT_SECONDS)
    try:
        offers_tls = mailer.look()
    except (smtplib.SMTPException, OSError) as error:
        yield _refused(error)
        return
    yield ok("mail_ok", "メールサーバーは応答しています。")
    if offers_tls and mailer.scheme == "smtp" and not is_local(mailer.host):
        yield notice("mail_tls_unused", "メールサーバーは TLS に応じますが、使っていません。",
                     "SMTP_URL を smtp+starttls:// にしてください。")  # fmt: skip


def _refused(error: smtplib.SMTPException | OSError) -> Finding:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return bad("mail_login_refused", "メールサーバーが名前かパスワードを受け付けません。",
                   "SMTP_URL を確認してください。")  # fmt: skip
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return bad("mail_without_tls", "メールサーバーが、求めた TLS かサインインに応じません。",
                   "SMTP_URL の形(smtps://、smtp+starttls://)とポートを確認してください。")  # fmt: skip
    if isinstance(error, ssl.SSLCertVerificationError):
        return bad("mail_certificate", "メールサーバーの証明書を確かめられません。",
                   "SMTP_URL のホスト名と、サーバーの証明書を確認してください。")  # fmt: skip
    return bad("mail_away", f"メールサーバーに接続できません({type(error).__name__})。",
               "SMTP_URL と、メールサーバーの動作を確認してください。")  # fmt: skip

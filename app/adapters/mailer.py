"""SmtpMailer: sends one mail over SMTP, with the fixed Message-ID that lets a receiver drop a repetition.

`smtp://` is plain, `smtp+starttls://` upgrades to TLS, `smtps://` is TLS from the start; `user:password@` signs in.
"""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, localtime
from urllib.parse import unquote, urlsplit

import structlog

from app.adapters.http import BeforeWrite, always
from app.adapters.mail_headers import address_header, text_header
from app.domain.errors import AwaseError, ItemError, TemporaryError
from app.domain.ports import Mail
from app.domain.settings.names import cleaned
from app.failpoints import failpoint

TIMEOUT_SECONDS = 30.0
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}

log = structlog.get_logger(__name__)


class SmtpMailer:
    """The port Mailer. Raises ValueError at once for a URL it cannot use."""

    def __init__(
        self, smtp_url: str, mail_from: str, *, timeout: float = TIMEOUT_SECONDS, before_write: BeforeWrite = always
    ) -> None:
        """`before_write` is called before every mail, and raises where none may leave."""
        parts = urlsplit(smtp_url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(
                f"SMTP_URL must be smtp://, smtp+starttls:// or smtps:// and a host, not {parts.scheme}://"
            )
        self._scheme = parts.scheme
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._mail_from = mail_from
        self._timeout = timeout
        self._before_write = before_write

    def send(self, mail: Mail) -> None:
        """Hand the mail to the server.

        Raises TemporaryError("mail_unavailable") when there is no server, for 4xx, and for a refusal that does not
        concern this mail; with `outcome_unknown` when the server vanished in the middle. Raises
        ItemError("mail_refused") for a 5xx for this mail.
        """
        message = self._message(mail)
        self._before_write()
        try:
            server = self._connect()
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryError("mail_unavailable", _kind(error)) from None
        try:
            failpoint("before_mail", error=smtplib.SMTPServerDisconnected)
            refused = server.send_message(message)
            failpoint("after_mail", error=smtplib.SMTPServerDisconnected)
        except (smtplib.SMTPException, OSError) as error:
            raise _meaning(error) from None
        else:
            # The server took the mail for some recipients at least: a repetition would reach them twice.
            log.info("mail sent", message_id=mail.message_id, recipients=len(mail.to), refused=len(refused))
        finally:
            _leave(server)

    @property
    def scheme(self) -> str:
        return self._scheme

    @property
    def host(self) -> str:
        return self._host

    def look(self) -> bool:
        """Connect, upgrade and sign in as before a mail, and leave without one. Whether the server offers STARTTLS.

        Raises SMTPException, OSError.
        """
        server = self._connect()
        try:
            server.ehlo_or_helo_if_needed()
            return server.has_extn("starttls")
        finally:
            _leave(server)

    def _connect(self) -> smtplib.SMTP:
        if self._scheme == "smtps":
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._scheme == "smtp+starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password)
        except (smtplib.SMTPException, OSError):
            server.close()
            raise
        return server

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["Message-ID"] = mail.message_id
        message["Date"] = format_datetime(localtime())
        message["From"] = address_header("From", [self._mail_from])
        message["To"] = address_header("To", map(cleaned, mail.to))
        message["Subject"] = text_header("Subject", cleaned(mail.subject))
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.body, charset="utf-8", cte="base64")
        if mail.html:  # beside the text, which stays first
            message.add_alternative(mail.html, subtype="html", charset="utf-8", cte="base64")
        message["Content-Language"] = mail.language  # now, because contents take along what begins with Content
        return message


def _leave(server: smtplib.SMTP) -> None:
    """By now the mail has been taken or not; an error while closing changes nothing about that."""
    with contextlib.suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def _meaning(error: smtplib.SMTPException | OSError) -> AwaseError:
    """The error for a fault in the middle of sending; its class tells what happens next."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
        # When the server only defers a recipient (greylisting), a repetition is worth it.
        code = min(codes, default=550)
    elif isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
    elif isinstance(error, smtplib.SMTPNotSupportedError):
        code = 550
    else:
        return TemporaryError("mail_unavailable", _kind(error), outcome_unknown=True)
    if code >= 500:
        return ItemError("mail_refused", f"SMTP {code}")
    return TemporaryError("mail_unavailable", f"SMTP {code}")


def _kind(error: Exception) -> str:
    """The kind of fault without the server's text, which may quote addresses."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__

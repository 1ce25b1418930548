"""Mail over a real SMTP server that also defers, refuses, hangs and dies after the final dot."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from app.adapters.mailer import SmtpMailer
from app.domain.errors import AwaseError, ItemError, TemporaryError
from app.domain.ports import Mail
from tests.adapters.canned import self_signed

MAIL = Mail(
    message_id="<run-7@awase.test>",
    to=("jinji@example.com",),
    subject="SmartHRからfreee人事労務へ従業員情報を同期しました｜株式会社　見本",
    body="成功: 3 件\n失敗: 0 件\n━━━━\n【0001】①㈱髙﨑\n.\n..点で始まる行\n",
)


@dataclass
class Inbox:
    """Keeps what arrives; `answers` maps a command to what is said instead of OK, or to something done instead."""

    answers: dict[str, str | Callable[[SMTP], Any]] = field(default_factory=dict)
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)

    async def handle_MAIL(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return await self._said("MAIL", server)

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        said = await self._said(f"RCPT {address}" if f"RCPT {address}" in self.answers else "RCPT", server)
        if said.startswith("250"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        said = await self._said("DATA", server)
        if said.startswith("250"):
            parsed = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
            self.raw.append(bytes(envelope.content))
            self.recipients.append(list(envelope.rcpt_tos))
        return said

    async def handle_QUIT(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        return "421 busy" if self.answers.get("QUIT") else "221 Bye"

    def sign_in(self, server: SMTP, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.signed_in.append(f"{data.login.decode()}/{data.password.decode()}")
        return AuthResult(success=data.password == b"p@ss/word", handled=False)

    async def _said(self, command: str, server: SMTP) -> str:
        answer = self.answers.get(command, "250 OK")
        if isinstance(answer, str):
            return answer
        result = answer(server)
        if asyncio.iscoroutine(result):
            await result
        return "250 OK"


@contextmanager
def smtp(inbox: Inbox, *, ssl_context: ssl.SSLContext | None = None, **options: Any) -> Iterator[int]:
    """A server on a port of its own (aiosmtpd's Controller wants the port beforehand)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncio.Server:
        def protocol() -> SMTP:
            return SMTP(inbox, hostname="mail.test", loop=loop, **options)

        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=ssl_context)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(timeout=5)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def port(inbox: Inbox) -> Iterator[int]:
    with smtp(inbox) as port:
        yield port


def mailer(port: int, *, scheme: str = "smtp", user: str = "", timeout: float = 5.0) -> SmtpMailer:
    return SmtpMailer(f"{scheme}://{user}127.0.0.1:{port}", "Awase <awase@example.com>", timeout=timeout)


def failure(call: Callable[[], None]) -> AwaseError:
    with pytest.raises(AwaseError) as caught:
        call()
    return caught.value


def test_the_mail_arrives_as_written(inbox: Inbox, port: int) -> None:
    mailer(port).send(MAIL)
    (mail,) = inbox.mails
    assert mail["Subject"] == MAIL.subject
    assert content(mail) == MAIL.body
    assert mail["Message-ID"] == "<run-7@awase.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "Awase <awase@example.com>"
    assert mail["To"] == "jinji@example.com"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail.get_content_charset() == "utf-8"


def content(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


def test_the_html_stands_beside_the_text_which_is_first(inbox: Inbox, port: int) -> None:
    html = "<!doctype html>\n<html lang=en><p>成功: 3件</p></html>\n"
    mailer(port).send(replace(MAIL, html=html, language="en"))
    (mail,) = inbox.mails
    assert mail.get_content_type() == "multipart/alternative"
    text, rich = mail.iter_parts()
    assert isinstance(text, EmailMessage) and isinstance(rich, EmailMessage)
    assert (text.get_content_type(), rich.get_content_type()) == ("text/plain", "text/html")
    assert (content(text), content(rich)) == (MAIL.body, html)
    assert mail["Content-Language"] == "en"
    assert (mail["Subject"], mail["Message-ID"]) == (MAIL.subject, MAIL.message_id)


def test_headers_leave_within_the_rules(inbox: Inbox, port: int) -> None:
    """Lines of at most 76 characters, encoded words of at most 75 (RFC 2047)."""
    subject = "freee人事労務からSmartHRへ従業員情報を同期しました｜株式会社" + " 見本" * 30
    mailer(port).send(replace(MAIL, subject=subject, to=tuple(f"jinji{n}@example.com" for n in range(9))))
    (raw,) = inbox.raw
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, head)) <= 76
    assert max(len(word) for word in re.findall(rb"=\?utf-8\?b\?[^?]*\?=", raw)) <= 75
    assert len(inbox.recipients[0]) == 9


def test_a_repetition_has_the_same_message_id(inbox: Inbox, port: int) -> None:
    mailer(port).send(MAIL)
    mailer(port).send(MAIL)
    assert {mail["Message-ID"] for mail in inbox.mails} == {"<run-7@awase.test>"}


def test_a_line_break_in_a_subject_adds_no_header(inbox: Inbox, port: int) -> None:
    mailer(port).send(Mail(MAIL.message_id, MAIL.to, "件名\r\nBcc: other@example.com", "本文"))
    assert inbox.mails[0]["Subject"] == "件名 Bcc: other@example.com"
    assert inbox.recipients == [["jinji@example.com"]]


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("451 try again later", TemporaryError, "mail_unavailable"),
        ("550 no such user <jinji@example.com>", ItemError, "mail_refused"),
    ],
)
def test_deferred_is_temporary_and_refused_is_final(
    inbox: Inbox, port: int, command: str, said: str, kind: type[AwaseError], code: str
) -> None:
    inbox.answers[command] = said
    error = failure(lambda: mailer(port).send(MAIL))
    assert (type(error), error.code, error.detail) == (kind, code, f"SMTP {said[:3]}")
    assert inbox.mails == []
    assert "jinji" not in repr(error)


def test_one_of_two_recipients_refused_is_sent_and_not_repeated(inbox: Inbox, port: int) -> None:
    inbox.answers["RCPT gone@example.com"] = "550 gone"
    mailer(port).send(Mail(MAIL.message_id, ("gone@example.com", "jinji@example.com"), "件名", "本文"))
    assert inbox.recipients == [["jinji@example.com"]]


def test_all_refused_but_one_only_deferred_is_tried_again(inbox: Inbox, port: int) -> None:
    inbox.answers |= {"RCPT gone@example.com": "550 gone", "RCPT jinji@example.com": "450 greylisted"}
    error = failure(
        lambda: mailer(port).send(Mail(MAIL.message_id, ("gone@example.com", "jinji@example.com"), "件名", "本文"))
    )
    assert isinstance(error, TemporaryError)


def test_a_hanging_server_is_left(inbox: Inbox, port: int) -> None:
    inbox.answers["DATA"] = lambda server: asyncio.sleep(3)
    error = failure(lambda: mailer(port, timeout=0.3).send(MAIL))
    assert isinstance(error, TemporaryError)
    assert error.outcome_unknown


def test_a_server_that_dies_after_the_final_dot_leaves_it_open(inbox: Inbox, port: int) -> None:
    inbox.answers["DATA"] = lambda server: server.transport.abort()
    error = failure(lambda: mailer(port).send(MAIL))
    assert isinstance(error, TemporaryError)
    assert (error.code, error.outcome_unknown) == ("mail_unavailable", True)


def test_a_bad_farewell_does_not_send_it_again(inbox: Inbox, port: int) -> None:
    inbox.answers["QUIT"] = "421"
    mailer(port).send(MAIL)
    assert len(inbox.mails) == 1


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failure(lambda: mailer(port).send(MAIL))
    assert isinstance(error, TemporaryError)
    assert (error.code, error.detail, error.outcome_unknown) == ("mail_unavailable", "ConnectionRefusedError", False)


def test_an_address_no_server_here_can_take(inbox: Inbox, port: int) -> None:
    error = failure(lambda: mailer(port).send(Mail(MAIL.message_id, ("人事＠見本.example",), "件名", "本文")))
    assert error.code in ("mail_refused", "mail_unavailable")
    assert "人事" not in repr(error)
    assert inbox.mails == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_signing_in(inbox: Inbox) -> None:
    with smtp(inbox, authenticator=inbox.sign_in, auth_required=True, auth_require_tls=False) as port:
        mailer(port, user="bot%40example.com:p%40ss%2Fword@").send(MAIL)
        assert inbox.signed_in == ["bot@example.com/p@ss/word"]
        error = failure(lambda: mailer(port, user="bot:wrong@").send(MAIL))
    # The mail is not at fault: once the password is right it has to go out.
    assert isinstance(error, TemporaryError)
    assert (error.code, error.detail) == ("mail_unavailable", "SMTPAuthenticationError 535")
    assert len(inbox.mails) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_tls_is_checked(inbox: Inbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    option = {"smtps": "ssl_context", "smtp+starttls": "tls_context"}[scheme]
    with smtp(inbox, **{option: server_side(certificate)}) as port:
        error = failure(lambda: mailer(port, scheme=scheme).send(MAIL))
        assert error.code == "mail_unavailable"
        assert inbox.mails == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        mailer(port, scheme=scheme).send(MAIL)
        assert len(inbox.mails) == 1


def test_starttls_is_not_given_up_for_a_server_without_it(inbox: Inbox, port: int) -> None:
    assert failure(lambda: mailer(port, scheme="smtp+starttls").send(MAIL)).code == "mail_unavailable"
    assert inbox.mails == []


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "127.0.0.1:25", "smtp://", "smtp:///x"])
def test_a_url_that_is_none_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL"):
        SmtpMailer(url, "awase@example.com")

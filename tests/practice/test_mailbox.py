"""The mailbox over real SMTP: what arrives is kept, and each fault looks to the sender as it should."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from app.practice.vendor_kit.fault_injection import BadSwitch
from app.practice.vendor_kit.mailbox import Mailbox


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    box = Mailbox(tmp_path / "mail", log_file=tmp_path / "mail.jsonl")
    box.start()
    yield box
    box.stop()


def send(mailbox: Mailbox, subject: str = "従業員情報を同期しました", *, timeout: float = 5) -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "awase@example.com", "jinji@example.com"
    mail["Message-ID"] = "<run-1@example.com>"
    mail.set_content("成功: 3 件\n.\n")
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=timeout) as smtp:
        smtp.send_message(mail)


def test_a_message_is_kept_as_it_came(mailbox: Mailbox) -> None:
    send(mailbox)
    (kept,) = mailbox.messages
    assert (kept["Subject"], kept["Message-ID"]) == ("従業員情報を同期しました", "<run-1@example.com>")
    assert kept.get_content().splitlines() == ["成功: 3 件", "."]
    assert [each.name for each in mailbox.files] == ["000001.eml"]


def test_a_new_mailbox_goes_on_counting(mailbox: Mailbox, tmp_path: Path) -> None:
    send(mailbox, "一")
    again = Mailbox(mailbox.folder)
    again.start()
    send(again, "二")
    again.stop()
    assert [each["Subject"] for each in again.messages] == ["一", "二"]


@pytest.mark.parametrize(("answer", "code"), [("451", 451), ("550", 550)])
def test_a_refusal_keeps_nothing(mailbox: Mailbox, answer: str, code: int) -> None:
    mailbox.answer(answer)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(mailbox)
    assert refused.value.smtp_code == code
    assert mailbox.messages == []


def test_a_fault_with_times_ends_by_itself(mailbox: Mailbox) -> None:
    mailbox.answer("451", times=2)
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError):
            send(mailbox)
    send(mailbox)
    assert len(mailbox.messages) == 1


def test_drop_after_the_dot_keeps_the_message_without_an_answer(mailbox: Mailbox) -> None:
    mailbox.answer("drop_after_dot", times=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mailbox)
    assert len(mailbox.messages) == 1
    send(mailbox)
    assert [each["Message-ID"] for each in mailbox.messages] == ["<run-1@example.com>"] * 2


def test_hang_says_nothing_for_its_time(mailbox: Mailbox) -> None:
    mailbox.answer("hang", times=1, hang_seconds=60)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(mailbox, timeout=0.3)
    assert mailbox.messages == []
    send(mailbox)
    assert len(mailbox.messages) == 1


def test_an_unknown_answer_is_refused(mailbox: Mailbox) -> None:
    with pytest.raises(BadSwitch):
        mailbox.answer("452")


def test_the_log_tells_outcomes_without_addresses(mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.answer("550", times=1)
    with pytest.raises(smtplib.SMTPDataError):
        send(mailbox)
    send(mailbox)
    text = (tmp_path / "mail.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["outcome"] for line in text.splitlines()] == ["550", "accept"]
    assert "example.com" not in text


def test_the_control_routes_turn_the_same_switches(mailbox: Mailbox) -> None:
    client = mailbox.control_app().test_client()
    assert client.put("/_practice/switches", json={"answer": "550"}).status_code == 200
    with pytest.raises(smtplib.SMTPDataError):
        send(mailbox)
    assert client.post("/_practice/reset").status_code == 204
    send(mailbox)
    assert client.get("/_practice/state").get_json() == {"messages": ["000001.eml"]}

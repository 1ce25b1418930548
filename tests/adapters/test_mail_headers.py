"""Headers within RFC 2047, whatever they hold, and read by the library as they were written."""

from __future__ import annotations

import re
from base64 import b64decode
from email.header import decode_header, make_header
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.adapters.mail_headers import LONGEST_LINE, address_header, text_header
from tests.properties import examples

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Cn"])
    | st.sampled_from(list("株会社 葛\U000e0100がか\u3099〜①𠮷=?_")),
    min_size=1,
    max_size=120,
)
_WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=")


def sent(name: str, header: str) -> list[str]:
    """The lines in which the header leaves."""
    message = EmailMessage()
    message[name] = header
    lines = message.as_bytes().decode("ascii").split("\n")
    return lines[: lines.index("")]


def within_the_rules(lines: list[str]) -> None:
    assert all(len(line) <= LONGEST_LINE for line in lines)
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    for line in lines:
        for word in _WORD.finditer(line):
            assert len(word[0]) <= 75
            b64decode(word[1]).decode("utf-8")  # raises when a character is split


def read(lines: list[str]) -> str:
    return str(make_header(decode_header("\n".join(lines).partition(": ")[2])))


@examples(300)
@given(NAMES)
@example("株式会社" * 30)
@example("SmartHRからfreee人事労務へ従業員情報を同期しました｜" + "葛\U000e0100" * 40)
@example("が" * 60)
@example("=?utf-8?b?44GC?=")
@example("a" * 200)
@example("word " * 30)
@example(" x ")
def test_a_subject_of_any_signs(text: str) -> None:
    lines = sent("Subject", text_header("Subject", text))
    within_the_rules(lines)
    assert read(lines) == text


@examples(150)
@given(NAMES.map(lambda name: name.replace('"', "").replace("\\", "")).filter(str.strip), st.integers(1, 12))
def test_addresses_of_any_names(name: str, people: int) -> None:
    text = [f'"{name}" <awase{n}@example.com>' for n in range(people)]
    lines = sent("From", address_header("From", text))
    within_the_rules(lines)
    assert re.findall(r"awase\d+@example\.com", "".join(lines)) == [f"awase{n}@example.com" for n in range(people)]


@pytest.mark.parametrize("people", [1, 2, 40])
def test_addresses_alone(people: int) -> None:
    to = [f"jinji{n}@example.com" for n in range(people)]
    lines = sent("To", address_header("To", to))
    within_the_rules(lines)
    assert "".join(lines).removeprefix("To: ").replace(" ", "").split(",") == to


def test_what_is_plain_stays_readable() -> None:
    assert sent("Subject", text_header("Subject", "[Awase] You are invited")) == ["Subject: [Awase] You are invited"]
    assert sent("From", address_header("From", ["Awase <a@example.com>"])) == ["From: Awase <a@example.com>"]
    assert sent("From", address_header("From", ["Smith, J. <a@example.com>"]))[0].endswith("<a@example.com>")


def test_a_sign_and_its_marks_stay_in_one_word() -> None:
    """A 漢字 and the form that is chosen for it, か and its 濁点."""
    lines = sent("Subject", text_header("Subject", "葛\U000e0100か\u3099" * 30))
    words = [b64decode(word).decode() for word in _WORD.findall("".join(lines))]
    assert len(words) > 3
    assert all(word[0] in "葛か" for word in words)

"""Which passwords are refused, with which words, and what our own look like."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.access.passwords import LONGEST, check_password, new_password
from app.domain.errors import Refused
from app.web.i18n import wording

LOGIN = "Hanako.Yamada@Example.com"
COMPANIES = ["株式会社みどり商事", "Midori Shoji"]
LENGTH = ("invalid_password", "パスワードは12〜256文字で指定してください。")
THE_LOGIN = ("password_is_login", "ログイン名と同じパスワードは使えません。")
COMMON = (
    "password_too_common",
    "推測されやすいパスワードです。互いに関係のない言葉を3つ以上並べるか、パスワード管理ツールに作らせてください。"
    "ログイン名や会社名、製品名、よくある言葉、日付、キーボードの並び、くり返しは、足しても強くなりません。",
)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", LENGTH),
        ("correct-hors", None),  # twelve
        ("correct-hor", LENGTH),
        ("correct-horse-battery-" + "x9" * 117, None),  # 256
        ("correct-horse-battery-" + "x9" * 117 + "x", LENGTH),
        ("hanako.yamada@example.com", THE_LOGIN),
        (" HANAKO.YAMADA@example.com ", THE_LOGIN),
        ("hanako.yamada", THE_LOGIN),
        ("hanako-tetsudou-kaminari-midori", None),
        ("hanako.yamada@example.org", COMMON),  # what is known of the person
        ("yamadahanako2026", COMMON),
        ("awasefreeesmarthr", COMMON),
        ("MidoriShoji2026", COMMON),  # the company
        ("password2026", COMMON),
        (" PassWord2026", COMMON),
        ("passwordpasswordpassword-and-then-some", COMMON),
        ("qwertyuiopasdf", COMMON),
        ("abcabcabcabcabc", COMMON),
        ("abcdabcdabcdabcd", COMMON),
        ("aaaaaaaaaaaaaaaa", COMMON),
    ],
)
def test_what_a_password_must_be(password: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        check_password(password, login=LOGIN, words=COMPANIES)
        return
    with pytest.raises(Refused) as caught:
        check_password(password, login=LOGIN, words=COMPANIES)
    say = wording("ja")
    assert (caught.value.code, say.refusal(caught.value)) == expected
    assert say.faults(caught.value) == {"password": expected[1]}
    assert caught.value.status == 422


def test_our_own_passwords_are_good_to_copy_and_never_the_same() -> None:
    ours = {new_password() for _ in range(50)}
    assert len(ours) == 50
    for password in ours:
        assert re.fullmatch(r"(?:[a-hjkmnp-z2-9]{5}-){3}[a-hjkmnp-z2-9]{5}", password)
        check_password(password, login=LOGIN)


@given(st.text(max_size=LONGEST + 10), st.text(max_size=300), st.lists(st.text(max_size=300), max_size=5))
def test_whatever_is_typed_is_taken_or_refused(password: str, login: str, words: list[str]) -> None:
    with contextlib.suppress(Refused):
        check_password(password, login=login, words=words)


def test_no_password_keeps_the_processor_busy() -> None:
    """Each of these signs stands for several letters, so the estimator tries every way to read them: 70 of them take it
    seconds, and minutes on a slow machine."""
    worst = ("4@8({[<369!|1i70$5+%2" * 13)[:LONGEST]
    began = time.process_time()
    with contextlib.suppress(Refused):
        check_password(worst, login=LOGIN)
    assert time.process_time() - began < 2

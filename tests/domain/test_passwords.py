"""Which passwords are refused, with which words, and what our own look like."""

from __future__ import annotations

import re

import pytest

from app.domain.access.passwords import check_password, new_password
from app.domain.errors import Refused

LOGIN = "Hanako.Yamada@Example.com"
LENGTH = ("invalid_password", "パスワードは12〜256文字で指定してください。")
THE_LOGIN = ("password_is_login", "ログイン名と同じパスワードは使えません。")
COMMON = (
    "password_too_common",
    "推測されやすいパスワードです。別のもの(たとえば、いくつかの単語)にしてください。",
)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("", LENGTH),
        ("correct-hors", None),  # twelve
        ("correct-hor", LENGTH),
        ("correct-" * 32, None),  # 256
        ("correct-" * 32 + "x", LENGTH),
        ("hanako.yamada@example.com", THE_LOGIN),
        (" HANAKO.YAMADA@example.com ", THE_LOGIN),
        ("hanako.yamada", THE_LOGIN),
        ("hanako.yamada@example.org", None),
        ("password2026", COMMON),
        (" PassWord2026", COMMON),
        ("password2031", None),
        ("abcabcabcabcabc", COMMON),  # three signs
        ("abcdabcdabcdabcd", None),  # four
    ],
)
def test_what_a_password_must_be(password: str, expected: tuple[str, str] | None) -> None:
    if expected is None:
        check_password(password, login=LOGIN)
        return
    with pytest.raises(Refused) as caught:
        check_password(password, login=LOGIN)
    assert (caught.value.code, caught.value.message) == expected
    assert caught.value.fields == {"password": expected[1]}
    assert caught.value.status == 422


def test_our_own_passwords_are_good_to_copy_and_never_the_same() -> None:
    ours = {new_password() for _ in range(50)}
    assert len(ours) == 50
    for password in ours:
        assert re.fullmatch(r"(?:[a-hjkmnp-z2-9]{5}-){3}[a-hjkmnp-z2-9]{5}", password)
        check_password(password, login=LOGIN)

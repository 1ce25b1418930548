"""What a password must be, and passwords of our own making."""

from __future__ import annotations

import secrets

from app.domain.errors import Refused

SHORTEST, LONGEST = 12, 256
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Small letters and digits without those that people easily misread: i, l, o, 0, 1."""
_FEWEST_CHARACTERS = 4
_LISTED = """
    123456789012 1234567890123 12345678901234 123456789123 0123456789012 1234567891011 123123123123 121212121212
    111222333444 112233445566 987654321098 qwertyuiopas qwertyuiop12 qwertyuiop123 qwertyuiop1234 qwerty123456
    qwertyqwerty qwerty1234567 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv zaq12wsxcde3 asdfghjkl123
    asdfghjklqwe zxcvbnm12345 q1w2e3r4t5y6 abc123abc123 abcdefghijkl abcdefghijklm abcdefg12345 abcd12345678
    password1234 password12345 password123456 passwordpassword password2024 password2025 password2026 passw0rd1234
    mypassword123 mypassword1234 changeme1234 changemechangeme letmein12345 letmeinletmein welcome12345 welcomewelcome
    administrator administrator1 adminadminadmin admin1234567 admin12345678 administrator123 iloveyou1234
    iloveyouiloveyou iloveyou12345 sunshine1234 princess1234 football1234 baseball1234 superman1234 dragon123456
    monkey123456 trustno1trustno1 computer1234 internet1234 michael12345 charlie12345 sakurasakura sakura123456
    doraemon1234 pokemon12345 takahashi123 himitsuhimitsu aiueoaiueo12 awaseawaseawase awase1234567 smarthr12345
    freeefreeefreee freee1234567
"""
_COMMONEST = frozenset(_LISTED.split())
"""Passwords of at least twelve characters that stand at the top of the lists of leaked passwords."""


def check_password(password: str, *, login: str) -> None:
    """Raises Refused when the password is too short, too long, the login itself or one of the commonest."""
    plain = password.casefold().strip()
    if not SHORTEST <= len(password) <= LONGEST:
        raise _refused("invalid_password", f"パスワードは{SHORTEST}〜{LONGEST}文字で指定してください。")
    if plain in (login.casefold(), login.casefold().partition("@")[0]):
        raise _refused("password_is_login", "ログイン名と同じパスワードは使えません。")
    if plain in _COMMONEST or len(set(plain)) < _FEWEST_CHARACTERS:
        raise _refused(
            "password_too_common", "推測されやすいパスワードです。別のもの(たとえば、いくつかの単語)にしてください。"
        )


def new_password() -> str:
    """A password that no attacker can guess (99 bits) and that a person can copy by hand."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))


def _refused(code: str, message: str) -> Refused:
    return Refused(code, message, fields={"password": message})

"""Secrets: a random one is never refused, one that somebody made up always is."""

from __future__ import annotations

import base64
import random
import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.safety.strength import bits, guessable, guessable_token, weaknesses
from tests.properties import examples

SPELLINGS = ["hex", "urlsafe", "base64", "uuid-like"]
EXAMPLES = [
    *("changeme", "change-me-please-change-me-please-0001", "secret", "your-secret-key-goes-here-0123456789"),
    *("s" * 64, "0" * 32, "00000000000000000000000000000001", "abc123" * 8, "deadbeef" * 8, "qwertyuiop" * 4),
    *("abcdefghijklmnopqrstuvwxyz0123456789", "01234567890123456789012345678901", "zyxwvutsrqponmlkjihgfedcba98765432"),
    *("this-is-the-secret-key-of-our-production-system", "SuperSecretKey2026!SuperSecretKey", "himitsu-no-kagi" * 3),
    *("the keys are under the mat beside the door of the house", "CorrectHorseBatteryStapleWithManyMoreWords"),
    *(
        "an-invented-encryption-key",
        "password1234password1234",
        "Passw0rd" * 4,
        "test-test-test-test-test-test-test-test",
    ),
    base64.b64encode(b"12345678901234567890123456789012").decode(),
    base64.b64encode(b"change-me-change-me-change-me-00").decode(),
    b"this is not a secret at all, no!".hex(),
]


def spelled(content: bytes, spelling: str) -> str:
    if spelling == "hex":
        return content.hex()
    if spelling == "uuid-like":
        return "-".join(content.hex()[at : at + 8] for at in range(0, 2 * len(content), 8))
    plain = base64.b64encode(content).decode()
    return plain.translate(str.maketrans("+/", "-_")).rstrip("=") if spelling == "urlsafe" else plain


@pytest.mark.parametrize("spelling", SPELLINGS)
@examples(60)
@given(size=st.integers(min_value=16, max_value=64), seed=st.integers(min_value=0, max_value=2**64))
def test_a_random_secret_is_never_refused(spelling: str, size: int, seed: int) -> None:
    """`secrets.token_hex` and the like, of 16 bytes and more. The bytes are random and not hypothesis' own, which likes
    to make them all zero."""
    content = random.Random(seed).randbytes(size)
    assert not guessable(spelled(content, spelling))
    assert not guessable_token(spelled(content, spelling))


def test_what_the_remedy_makes_is_taken() -> None:
    for make in (secrets.token_urlsafe, secrets.token_hex):
        for size in (16, 32, 48):
            assert not any(guessable(make(size)) for _ in range(20))


LIKE_PROSE = ["a3bnVCinWtoRoeA_9hlgEA", "gfvF-Bx9TfUS9a_-FoNTAA", "xharTjt7etMzaNuVA2tgLQ", "DenUGM-HfwlAin0IoRe0LzM"]
"""Of `token_urlsafe(16)` one in 800 had letters that read like WordsWrittenLikeThis."""


@pytest.mark.parametrize("secret", LIKE_PROSE)
def test_random_letters_that_look_like_words_are_taken(secret: str) -> None:
    assert not guessable(secret)


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_made_up_secret_is_refused(example: str) -> None:
    assert guessable(example)


@given(part=st.text(string.printable, min_size=0, max_size=6), times=st.integers(min_value=1, max_value=20))
def test_a_repetition_is_worth_what_it_repeats(part: str, times: int) -> None:
    assert guessable(part * times)


@given(sign=st.sampled_from(string.printable))
def test_one_letter_is_no_token(sign: str) -> None:
    assert guessable_token(sign) and guessable(sign)


@given(word=st.sampled_from(["changeme", "secret", "token", "example", "password"]), end=st.integers(0, 99))
def test_a_word_of_an_example_is_no_token(word: str, end: int) -> None:
    assert guessable_token(word) and guessable_token(f"{word}{end}") and guessable_token(f"my-{word}")


@given(text=st.text(max_size=80))
def test_any_text_is_measured(text: str) -> None:
    assert bits(text) >= 0


def test_the_same_value_twice_is_told_by_both_names() -> None:
    one, two = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
    (fault,) = weaknesses({"SECRET_KEY": (one,), "ENCRYPTION_KEYS": (two, one)})
    assert (fault.code, fault.variable) == ("secret_repeated", "ENCRYPTION_KEYS")
    assert "SECRET_KEY" in fault.told and one not in str(fault)
    assert [f.code for f in weaknesses({"ENCRYPTION_KEYS": (two, two)})] == ["secret_repeated"]
    assert weaknesses({"SECRET_KEY": (one,), "ENCRYPTION_KEYS": (two,)}) == []
    assert weaknesses({"FREEE_WEBHOOK_TOKEN": (one,), "FREEE_WEBHOOK_TOKEN_PREVIOUS": (one,)}) == []

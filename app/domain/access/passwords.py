"""What a password must be, and passwords of our own making."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from zxcvbn import zxcvbn

from app.domain.errors import Refused

SHORTEST, LONGEST = 12, 256
_FIELD = ("password",)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Small letters and digits without those that people easily misread: i, l, o, 0, 1."""
_FEWEST_CHARACTERS = 4
_LOOKED_AT = 20
"""How many characters are estimated. The estimator takes seconds for 70 characters that all stand for several letters
(4, @, 1, |), and whatever these are worth, more characters are worth more."""
_STRONG_ENOUGH = 3
"""Of 0 to 4: about 10^8 guesses and more."""
_PRODUCTS = ("awase", "smarthr", "freee")
_MOST_WORDS, _SHORTEST_WORD, _LONGEST_WORD = 60, 4, 60


def check_password(password: str, *, login: str, words: Iterable[str] = ()) -> None:
    """Raises Refused when the password is too short, too long, the login itself or easily guessed. `words`: what else
    whoever guesses at this account would try first, such as the company's name."""
    plain = password.casefold().strip()
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused("invalid_password", fields=_FIELD, shortest=SHORTEST, longest=LONGEST)
    if plain in (login.casefold(), login.casefold().partition("@")[0]):
        raise Refused("password_is_login", fields=_FIELD)
    if len(set(plain)) < _FEWEST_CHARACTERS or _strength(password, [login, *words]) < _STRONG_ENOUGH:
        raise Refused("password_too_common", fields=_FIELD)


def _strength(password: str, words: Iterable[str]) -> int:
    """The estimate of what is left without the known words: they add nothing, however many of them stand in a row."""
    parts = {part for word in (*_PRODUCTS, *words) for part in (word, *re.split(r"[\W_]+", word))}
    known = sorted((part for part in parts if len(part) >= (_SHORTEST_WORD if part.isascii() else 2)), key=len)
    tried = "|".join(re.escape(part[:_LONGEST_WORD]) for part in known[::-1][:_MOST_WORDS])
    left = re.sub(tried, "", password.strip(), flags=re.IGNORECASE)[:_LOOKED_AT]
    return int(zxcvbn(left)["score"]) if left else 0


def new_password() -> str:
    """A password that no attacker can guess (99 bits) and that a person can copy by hand."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))

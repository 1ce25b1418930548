"""How many guesses a secret withstands, told low rather than high, and which secrets are too weak to start with.

The measure takes out whatever is no choice: repetitions, runs such as 0123 or qwerty, words of placeholders, prose.
What is left counts with the size of its alphabet. So a secret of `secrets.token_*` loses a few bits by chance and never
enough of them; `changeme`, `aaaa…` and the text of an example keep next to nothing, however long they are.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import string
from collections.abc import Callable, Mapping
from itertools import pairwise

from app import __version__
from app.safety.faults import Fault

OWN_BITS = 80
"""What a key that keeps other secrets must withstand. 16 random bytes in any usual spelling are well above."""
TOKEN_BITS = 24
"""What a token must withstand that somebody else gave out, and that can only be tried over the network."""
REFUSED_FROM = (0, 2)
"""Weak secrets of an installation that exists are only warned of before this version of Awase, and refused from it on.
A new installation is refused at once."""
_OWN = ("SECRET_KEY", "ENCRYPTION_KEYS")
_NEW_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(48))' で作れます。"

_WORDS = re.findall(
    r"\S+",
    """
    changeme change me secret secrets key keys password passwd pass example default please this that is my our your the
    very long random string super insecure secure unsafe dev development develop test testing tests prod production
    staging dummy sample placeholder replace here todo fixme value token encryption encrypt awase flask django admin
    root letmein welcome hello world hoge fuga piyo foo bar baz for not use in real system of an invented unused must be
    with at least chars characters enter insert some thing something new old local localhost webhook client app
    application session cookie signing smarthr freee himitsu kagi
    """,
)
_WORD = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)), re.IGNORECASE)
_BITS_OF_A_WORD = 5.0
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", string.ascii_lowercase)
_PAIRS = frozenset(
    re.findall(
        r"\S+",
        "th he in er an re nd at on nt ha es st en ed to it ou ea hi is or ti as te et ng of al de se le sa si ar ve ra"
        " ld ur me ne wa ro ri io ic ll be no so us el ta la co ho",
    )
)
_PROSE_SHARE = 0.3
"""Prose has half of its neighbouring letters in `_PAIRS`, random letters have one in twelve there."""
_CAMEL_SHARE = 0.55
"""Random letters of both cases look like WordsWrittenLikeThis now and then, and a short text may have a few pairs."""
_BITS_OF_A_PROSE_LETTER = 1.5
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_OTHER_SIGNS = 33
_FEW = 8


def bits(secret: str) -> float:
    """About how many bits of choice the secret holds; of an encoded text (base64, hexadecimal) those of the text."""
    return min(_bits(text) for text in (secret, *_decoded(secret)))


def guessable(secret: str) -> bool:
    """Whether a key of our own is too weak to keep anything."""
    return bits(secret) < OWN_BITS


def guessable_token(token: str) -> bool:
    """Whether a token that somebody else gave out is certainly none: a letter, a placeholder, a few digits."""
    return bits(token) < TOKEN_BITS


def weaknesses(secrets: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """What is weak among the secrets, by variable: those that can be guessed, and those that are the same."""
    found = [_guessable(variable) for variable, values in secrets.items() if any(map(_measure(variable), values))]
    return found + [Fault("secret_repeated", two, f"は {one} と同じ値です。一方が漏れると両方が破られます。",
                          f"別々の値にしてください。{_NEW_ONE}") for one, two in _same(secrets)]  # fmt: skip


def only_warned(version: str = __version__) -> bool:
    """Whether a version (ours) still starts with weak secrets where an installation already stands on them."""
    return tuple(int(part) for part in version.split(".")[:2]) < REFUSED_FROM


def is_own(variable: str) -> bool:
    """Whether the variable holds keys of our choice that keep other secrets, not a token given by somebody else."""
    return variable.startswith(_OWN)


def _measure(variable: str) -> Callable[[str], bool]:
    return guessable if is_own(variable) else guessable_token


def _guessable(variable: str) -> Fault:
    if is_own(variable):
        return Fault("secret_guessable", variable, "は推測できる値です(短い、繰り返し、並び、見本の言葉)。",
                     f"無作為な値にしてください。{_NEW_ONE}鍵の替え方は運用の手引きにあります。")  # fmt: skip
    if variable.endswith("_URL"):
        return Fault("password_guessable", variable, "のパスワードは推測できます。", f"作り直してください。{_NEW_ONE}")
    return Fault("token_guessable", variable, "は推測できる値です(短すぎるか、見本の言葉のままです)。",
                 "発行元の画面にある値をそのまま入れるか、発行し直してください。")  # fmt: skip


def _same(secrets: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """The variables that share a value, in the order of the settings. A key beside its own previous one shares none:
    the two are one key that has not been changed yet."""
    seen: dict[str, str] = {}
    pairs = []
    for variable, values in secrets.items():
        for value in values:
            first = seen.setdefault(value, variable)
            if (first != variable and variable != f"{first}_PREVIOUS") or values.count(value) > 1:
                pairs.append((first, variable))
    return list(dict.fromkeys(pairs))


def _decoded(secret: str) -> list[str]:
    """The texts that the secret may be the base64 or hexadecimal spelling of."""
    found = []
    for decode in (_from_base64, bytes.fromhex):
        try:
            found.append(decode(secret).decode("ascii"))
        except (ValueError, binascii.Error):
            continue
    return [text for text in found if text.isprintable()]


def _from_base64(secret: str) -> bytes:
    plain = secret.translate(str.maketrans("-_", "+/")).rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def _bits(secret: str) -> float:
    left = _without_runs(_once(secret))
    words = {word.lower() for word in _WORD.findall(left)}
    left = _WORD.sub(" ", left)
    signs = [sign for sign in left if sign not in " -_.:/"]
    return len(words) * _BITS_OF_A_WORD + len(signs) * _bits_of_a_sign(left, signs)


def _bits_of_a_sign(left: str, signs: list[str]) -> float:
    distinct = len(set(signs))
    if _is_prose(left):
        return _BITS_OF_A_PROSE_LETTER
    if distinct < min(_FEW, len(signs) / 2):
        return math.log2(max(distinct, 1))
    alphabet = sum(len(each) for each in _CLASSES if set(signs) & set(each))
    if set(signs) <= set("0123456789abcdef") or set(signs) <= set("0123456789ABCDEF"):
        alphabet = 16
    return math.log2(alphabet + (_OTHER_SIGNS if set(signs) - set("".join(_CLASSES)) else 0))


def _once(secret: str) -> str:
    """The part that the secret repeats, or the secret itself."""
    for length in range(1, len(secret) // 2 + 1):  # also with a last repetition that was cut off
        if secret.startswith(secret[length:]):
            return secret[:length]
    return secret


def _without_runs(secret: str) -> str:
    """The secret with every run of four and more signs (aaaa, 0123, dcba, qwerty) reduced to two of them."""
    kept: list[str] = []
    begin = 0
    while begin < len(secret):
        end = begin + 1
        while end < len(secret) and _follows(secret[begin:end], secret[end]):
            end += 1
        kept.append(secret[begin:end] if end - begin < 4 else secret[begin : begin + 2])
        begin = end
    return "".join(kept)


def _follows(run: str, sign: str) -> bool:
    """Whether the sign continues the run: the same again, or the next one of a row in the run's own direction."""
    longer = (run + sign).lower()
    if len(set(longer)) == 1:
        return True
    return any(longer in row * 2 or longer in row[::-1] * 2 for row in _ROWS)


def _is_prose(text: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    letters = re.sub(r"[^A-Za-z]", " ", words)
    plain = letters.replace(" ", "")
    if len(plain) < 0.85 * len(re.sub(r"[\s_-]", "", text)) or not _one_case(letters):
        return False
    pairs = [one + two for word in letters.lower().split() for one, two in pairwise(word)]
    share = _PROSE_SHARE if words == text else _CAMEL_SHARE
    return bool(pairs) and sum(pair in _PAIRS for pair in pairs) >= share * len(pairs)


def _one_case(letters: str) -> bool:
    return all(word.islower() or word.isupper() or word.istitle() for word in letters.split())

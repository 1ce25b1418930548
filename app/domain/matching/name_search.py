"""Search by name: people are found by what their name or its kana begins with, and no name is kept for it.

Of each person keyed digests of the prefixes of name and kana are kept, in the form in which people expect them to be
compared: width, hiragana and katakana, small letters, blanks, and whether a ー is written do not count.

A digest is made in two steps. The key makes a *token* of the prefix, which is stored nowhere; the person's id makes the
digest of it. Without the key nobody can try names from a list. And because two people of one name have no digest in
common, nobody can count which are frequent and conclude that these are 佐藤. Whoever searches hands the token of what
was typed to the database, which tries it on the digests of each person.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial

from app.domain.employee import EmployeeRecord
from app.domain.japanese.kana import fold_hyphens, katakana, large_kana, without_spaces
from app.domain.japanese.normal_form import without_invisible
from app.domain.reading import name_parts

LONGEST = 12
"""So many letters are compared; what is typed behind them changes nothing."""
FORMS = 4
DIGEST_BYTES = 8
STEP = 24
"""Digests are filled up to a multiple of it, so that their number does not tell how long a name is."""
MOST_DIGESTS = FORMS * LONGEST
RULES = 1
"""The version of `searchable`. Raise it with every change: digests of another version find nobody."""

TOKENS_KEPT = 20_000
"""So many tokens of a survey stay at hand, because most prefixes are those of many people."""

_PLAIN = re.compile("[ \u3000々ー\u30a1-\u30fa\u4e00-\u9fff]*")
"""Names of which nothing has to be changed but small letters, blanks and ー: nearly all."""
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


@dataclass(frozen=True, slots=True)
class Names:
    """ "" where not known."""

    last: str = field(default="", repr=False)
    first: str = field(default="", repr=False)
    last_kana: str = field(default="", repr=False)
    first_kana: str = field(default="", repr=False)

    @property
    def forms(self) -> tuple[str, ...]:
        """Everything that one may begin to type, in the form in which it is compared: the whole name, the given name,
        and both in kana."""
        last, first = searchable(self.last), searchable(self.first)
        last_kana, first_kana = searchable(self.last_kana), searchable(self.first_kana)
        forms = (last + first, first, last_kana + first_kana, first_kana)
        return tuple(form[:LONGEST] for form in forms)


@dataclass(frozen=True, slots=True)
class NameMarks:
    """The digests of one person, and which key has made them by which rules."""

    made_by: str = field(repr=False)
    digests: bytes = field(repr=False)


def names_of(record: EmployeeRecord) -> Names:
    """What the system shows of the person's names."""
    last, first = name_parts(record)
    return Names(last, first, record.person.last_name_kana, record.person.first_name_kana)


def searchable(text: str) -> str:
    """The form in which names, kana and what is typed are compared."""
    return text.translate(_PLAIN_FOLD) if _PLAIN.fullmatch(text) else _folded(text)


def _folded(text: str) -> str:
    kana = katakana(without_invisible(text))  # before NFKC, which tears a voiced mark of its own from its letter
    plain = unicodedata.normalize("NFKC", _SELECTORS.sub("", kana)).casefold()
    return without_spaces(fold_hyphens(large_kana(plain), long_vowel=True))


_PLAIN_FOLD = {ord(sign): _folded(sign) for sign in " \u3000ー" + "".join(map(chr, range(0x30A1, 0x30FB)))}


def typed(text: str) -> str:
    """What is looked for; "" finds nobody by name."""
    return searchable(text)[:LONGEST]


def prefixes_of(names: Names) -> frozenset[str]:
    """At most `MOST_DIGESTS`."""
    return frozenset(form[:length] for form in names.forms for length in range(1, len(form) + 1))


class NameKeys:
    """The keys of this process that make and recognise digests of names. Kept as long as a survey, or a page."""

    def __init__(self, keys: Mapping[str, bytes], label: str) -> None:
        """`keys`: label → key, "" being the label of the original one; `label`: that of the key that makes digests."""
        self._keys, self._label = keys, label
        self._token = lru_cache(TOKENS_KEPT)(partial(_token, keys[label]))

    def __repr__(self) -> str:
        return f"NameKeys({self._label!r})"

    @property
    def made_by(self) -> str:
        """What the digests that are made now say of their key and rules."""
        return _made_by(self._label)

    @property
    def known(self) -> Collection[str]:
        """What digests may have been made by so that a search finds them."""
        return [_made_by(label) for label in self._keys]

    def marks(self, person_id: str, names: Names) -> NameMarks:
        who = person_id.encode()
        told = [_digest(self._token(prefix), who) for prefix in prefixes_of(names)]
        filled = hashlib.shake_256(self._keys[self._label] + who).digest(DIGEST_BYTES * _missing(len(told)))
        told += (filled[at : at + DIGEST_BYTES] for at in range(0, len(filled), DIGEST_BYTES))
        return NameMarks(_made_by(self._label), b"".join(sorted(told)))

    def tokens(self, text: str) -> Mapping[str, bytes]:
        """What the digests were made by → the token of what was typed; {} when nothing was."""
        wanted = typed(text)
        return {_made_by(label): _token(key, wanted) for label, key in self._keys.items()} if wanted else {}


def carries(token: bytes, person_id: str, digests: bytes) -> bool:
    """Whether these digests of this person are of a name that begins with what the token stands for. PostgreSQL
    computes the same by itself (`storage.links.finding`)."""
    return _digest(token, person_id.encode()) in digests


def label_of(made_by: str) -> str:
    """The label of the key that has made these digests."""
    return made_by.partition(".")[2]


def _made_by(label: str) -> str:
    return f"{RULES}.{label}"


def _token(key: bytes, prefix: str) -> bytes:
    return hmac.digest(key, prefix.encode(), "sha256")


def _digest(token: bytes, who: bytes) -> bytes:
    return hashlib.sha256(token + who).digest()[:DIGEST_BYTES]


def _missing(told: int) -> int:
    return STEP if not told else -told % STEP

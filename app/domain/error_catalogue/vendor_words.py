"""A vendor's own words about a refused request: which items they speak of, and how much of them who may see.

Vendors' words are shown as they came, because nobody knows better than the vendor what it refused. Whoever may not see
bank accounts, insurance numbers and standard incomes, or any value, sees them without what may be one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from app.domain.enums import Step, System
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.vendors.answer import VendorAnswer

MASK = "••••"

_IN_QUOTES = re.compile(r"「([^「」]*)」|『([^『』]*)』|“([^“”]*)”|\"([^\"]*)\"|'([^']*)'|【([^【】]*)】")
_NUMBER = re.compile(r"\d[\d,，.．/／‐−ー－–\- 　]*\d[\d,，.．/／‐−ー－–\- 　]*\d")
_NAME_IN_KANA = re.compile(r"[ァ-ヶーｦ-ﾟ]{2,}[ 　][ァ-ヶーｦ-ﾟ]{2,}")
_BESIDE = r"[一-龯々ァ-ヶ]"


# ── which items ───────────────────────────────────────────────────────────────────────────────────────────────────


def placed(answers: Iterable[VendorAnswer], step: Step, sent: Sequence[str]) -> tuple[VendorAnswer, ...]:
    """The answers to the request of this step, with the items that they speak of."""
    return tuple(replace(each, step=step, sent=tuple(sent), named=named_items(each, sent)) for each in answers)


def named_items(answer: VendorAnswer, sent: Sequence[str]) -> tuple[str, ...]:
    """Those of the sent keys of which the answer speaks, by its field names or by its words; the only one sent where it
    speaks of none."""
    known = [key for key in sent if key in BY_KEY]
    found = [key for key in known if any(_is_field(key, answer.system, name) for name in answer.fields)]
    spoken = [key for key in known if any(_speaks_of(answer.words, name) for name in _names(key))]
    precise = [key for key in spoken if _plain(BY_KEY[key].label) in answer.words]
    found = found or precise or spoken
    return tuple(found or (known if len(known) == 1 else ()))


def _is_field(key: str, system: System | None, name: str) -> bool:
    if system is None:
        return False
    paths = BY_KEY[key].place(system).paths
    return any(path == name or path.endswith(f".{name}") or name.endswith(f".{path}") for path in paths)


def _names(key: str) -> Iterator[str]:
    """The label, its parts, and other writings of them."""
    label = _plain(BY_KEY[key].label)
    last = label.rpartition("の")[2]
    for name in dict.fromkeys((label, last if len(last) > 2 else label, *label.split("・"), *BY_KEY[key].called)):
        yield name
        if name.endswith("年月日"):
            yield name.removesuffix("年月日") + "日"


def _plain(label: str) -> str:
    return re.sub(r"[（）()]", "", label)


def _speaks_of(words: str, name: str) -> bool:
    """Whether the words hold the name; one of a single sign only where it stands alone (名 is no part of 口座名義)."""
    text = re.sub(r"[（）()]", "", words)
    if len(name) > 1:
        return name in text
    return re.search(rf"(?<!{_BESIDE}){name}(?!{_BESIDE})", text) is not None


# ── how much of them ──────────────────────────────────────────────────────────────────────────────────────────────


def masked(words: str, values: Iterable[object] = ()) -> str:
    """The words without what may be a value: these values, what stands in quotes unless it is an item's name, numbers
    of three digits and more, and names in kana."""
    text = words
    for value in sorted({form for each in values for form in _forms(each)}, key=len, reverse=True):
        text = text.replace(value, MASK)
    text = _IN_QUOTES.sub(_quoted, text)
    return _NAME_IN_KANA.sub(MASK, _NUMBER.sub(MASK, text))


def _quoted(found: re.Match[str]) -> str:
    inside = next((each for each in found.groups() if each is not None), "")
    return found[0] if _plain(inside) in _known_names() else f"{found[0][0]}{MASK}{found[0][-1]}"


def _known_names() -> Collection[str]:
    return {name for row in FIELDS for name in _names(row.key)}


def _forms(value: object) -> Iterator[str]:
    """How a value may be written; not one so short that it may be part of any word."""
    if isinstance(value, bool) or not isinstance(value, (str, int, date)):
        return
    text = value.isoformat() if isinstance(value, date) else str(value)
    for form in (text, unicodedata.normalize("NFKC", text), re.sub(r"[\s\-]", "", text)):
        if len(form) > 1:
            yield form

"""Values in the form people read: history, mail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from app.domain.codecs.numbers import Yen
from app.domain.mapping import BY_KEY
from app.domain.snapshot import ABSENT, BLANK, FieldState, Plain, Unconvertible

MASK: Final = "••••"
BLANK_TEXT: Final = "（空欄）"
UNCONVERTIBLE_TEXT: Final = "（変換できない値）"

_WORDS: Mapping[str, Mapping[Plain, str]] = {
    "gender": {"male": "男性", "female": "女性"},
    "having_spouse": {True: "あり", False: "なし"},
    "working_student": {True: "該当する", False: "該当しない"},
    "widow_type": {"widow": "寡婦", "single_parent": "ひとり親"},
    "disability_type": {"ordinary": "障害者", "special": "特別障害者"},
    "bank_account_type": {"futsu": "普通", "toza": "当座", "chochiku": "貯蓄"},
}


def show(key: str, state: FieldState, *, reveal: bool = False) -> str | None:
    """The Japanese form of an item; None when it is absent. Masked rows show •••• unless `reveal`."""
    if state is ABSENT:
        return None
    if state is BLANK:
        return BLANK_TEXT
    if isinstance(state, Unconvertible):
        return UNCONVERTIBLE_TEXT
    if BY_KEY[key].masked and not reveal:
        return MASK
    return _shown(key, state)


def _shown(key: str, value: object) -> str:
    if isinstance(value, date):
        return f"{value.year:04d}/{value.month:02d}/{value.day:02d}"
    if isinstance(value, int) and isinstance(BY_KEY[key].smarthr.codec, Yen):
        return f"{value:,}円"
    if isinstance(value, (str, bool)):
        return _WORDS.get(key, {}).get(value, str(value))
    return str(value)

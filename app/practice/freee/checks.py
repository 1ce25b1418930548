"""What one field of a request to the freee simulator may hold, and the Japanese refusal when it holds something else.

Limits are those that freee's API documents; the wording follows the few messages that are published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

MALFORMED = "リクエストの形式が不正です。"

TEXT, INTEGER, NUMBER, BOOLEAN, DATE, LIST = "text", "integer", "number", "boolean", "date", "list"

KATAKANA = "\u30a1-\u30f6\u30fb\u30fc"
HALF_WIDTH_KANA = "\uff65-\uff9f"


class Kana(Enum):
    """What the characters of a field may be. `strict` is the switch kana=strict_fullwidth."""

    NAME = "name"
    ADDRESS = "address"
    BANK = "bank"

    def accepts(self, text: str, *, strict: bool) -> bool:
        return (_STRICT if strict else _LAX)[self].fullmatch(text) is not None


_STRICT = {
    Kana.NAME: re.compile(f"[{KATAKANA} \u3000]*"),
    # digits, letters and marks stand in addresses; hiragana, kanji and half-width kana do not
    Kana.ADDRESS: re.compile(f"[{KATAKANA} \u3000!-~！-～−‐‑–—―]*"),
    Kana.BANK: re.compile(f"[{KATAKANA} \u3000A-Za-zＡ-Ｚａ-ｚ()（）.．\\-－/／「」]*"),
}
_LAX = {
    Kana.NAME: re.compile(r".*", re.DOTALL),
    Kana.ADDRESS: re.compile(r".*", re.DOTALL),
    # freee states "letters and kana only" for any width, so kanji and hiragana never pass
    Kana.BANK: re.compile(_STRICT[Kana.BANK].pattern.replace("[", f"[{HALF_WIDTH_KANA}｢｣", 1)),
}


@dataclass(frozen=True)
class Field:
    """One field. `blank` is what GET shows while nothing is set, and after the field was cleared.

    `digits`: exactly so many half-width digits, or "" to clear. `required` also refuses null and "".
    """

    name: str
    label: str
    kind: str = TEXT
    required: bool = False
    nullable: bool = False
    longest: int | None = None
    shortest: int = 0
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    digits: int | None = None
    kana: Kana | None = None
    blank: Any = None


@dataclass(frozen=True)
class Strictness:
    """The switches that decide how a body is judged."""

    null_clears: bool = False
    strict_kana: bool = True


def check_body(
    sent: Any, fields: Sequence[Field], *, strictness: Strictness, messages: list[str], path: str = ""
) -> dict[str, Any]:
    """The known fields of a body, checked; a null that clears becomes the blank. Refusals are added to `messages`.

    Unknown fields are ignored, as freee does. Absent fields stay absent.
    """
    if not isinstance(sent, Mapping):
        messages.append(MALFORMED)
        return {}
    taken = {}
    for field in fields:
        if field.name not in sent:
            if field.required:
                messages.append(f"{path}{field.label}を入力してください")
            continue
        value = sent[field.name]
        refusal = refuse(value, field, strictness=strictness)
        if refusal:
            messages.append(path + refusal)
        else:
            taken[field.name] = field.blank if value is None else value
    return taken


def refuse(value: Any, field: Field, *, strictness: Strictness) -> str | None:
    """The reason this value is refused, or None."""
    if field.required and value in (None, ""):
        return f"{field.label}を入力してください"
    if value is None:
        return None if field.nullable or strictness.null_clears else f"{field.label}にnullは指定できません"
    if field.kind in (TEXT, DATE):
        return _refuse_text(value, field, strictness=strictness)
    if field.kind == BOOLEAN:
        return None if isinstance(value, bool) else f"{field.label}は真偽値で指定してください"
    if field.kind == LIST:
        return None if isinstance(value, list) else MALFORMED
    return _refuse_number(value, field)


def _refuse_text(value: Any, field: Field, *, strictness: Strictness) -> str | None:
    if not isinstance(value, str):
        return f"{field.label}は文字列で指定してください"
    if field.kind == DATE:
        return None if is_date(value) else f"{field.label}はYYYY-MM-DD形式の日付で入力してください"
    if field.choices and value not in field.choices:
        return f"{field.label}の値が不正です"
    if field.longest is not None and len(value) > field.longest:
        return f"{field.label}は{field.longest}文字以内で入力してください"
    if len(value) < field.shortest:
        return f"{field.label}を入力してください"
    if field.digits and value and re.fullmatch(rf"[0-9]{{{field.digits}}}", value) is None:
        return f"{field.label}は{field.digits}桁の半角数字で入力してください"
    if field.kana and not field.kana.accepts(value, strict=strictness.strict_kana):
        return f"{field.label}は全角カタカナで入力してください"
    return None


def _refuse_number(value: Any, field: Field) -> str | None:
    wanted = (int,) if field.kind == INTEGER else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        return f"{field.label}は数値で指定してください"
    if (field.low is not None and value < field.low) or (field.high is not None and value > field.high):
        return f"{field.label}は{field.low}以上{field.high}以下で指定してください"
    return None


def is_date(text: str) -> bool:
    """`YYYY-MM-DD` and a day that exists."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True

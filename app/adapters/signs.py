"""How a vendor's refusal is recognised: by its status first, then by its words, because texts change without notice.

freee says that its texts change, so a text only refines what the status already says; an unknown text is E17 for a 400
and the status's own entry otherwise. The signs of a vendor stand in its own room; both write of items in the same way
(`OF_ITEMS`). `tests/adapters/test_signs.py` shows that each sign is reached.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Sign:
    """What a vendor says when a request is refused for the reason `code` (`app.domain.error_catalogue`).

    `pattern` is tried with `re.search`. `example`: words that this sign, and none before it, recognises.
    """

    code: str
    pattern: str
    example: str


@dataclass(frozen=True)
class Signs:
    """What one vendor says. `stable`: codes and types of its envelope, which count at any status. `texts`: from the
    particular to the general, the first that fits counts: "退職日は入社日以降で…を入力してください" is E13, not E1."""

    stable: tuple[Sign, ...]
    texts: tuple[Sign, ...]

    def stable_code(self, text: str) -> str | None:
        return _code(self.stable, text)

    def code_of_text(self, text: str) -> str | None:
        return _code(self.texts, text)

    def code_by_status(self, status: int, text: str) -> str:
        """The catalogue code of a refusal without a stable code, other than a 403."""
        if status in (400, 409, 422):
            return self.code_of_text(text) or "E17"
        if status == 404:
            return "E9" if self.code_of_text(text) == "E9" else "E20"
        return {401: "E18", 429: "E21"}.get(status) or ("E22" if status >= 500 else "unexpected")


def first(signs: tuple[Sign, ...], text: str) -> Sign | None:
    """The sign that counts for this text."""
    return next((sign for sign in signs if re.search(sign.pattern, text, re.DOTALL)), None)


def _code(signs: tuple[Sign, ...], text: str) -> str | None:
    found = first(signs, text)
    return found.code if found else None


# fmt: off
DATES_TURNED_ROUND = Sign(
    "E13", r"退職(年月)?日[^。]*入社(年月)?日", "退職日は入社日以降の日付を入力してください。")
NUMBER_TAKEN = Sign(
    "E8", r"(社員|従業員)番号[^。]*(重複|既に|すでに|登録済|使用)", "社員番号は既に使用されています。")
OF_ITEMS: tuple[Sign, ...] = (
    Sign("E16", r"カタカナで入力", "住所（ヨミガナ）は全角カタカナで入力してください。"),
    Sign("E16", r"(正しい|不正な)形式", "資格取得年月日は正しい形式で入力してください。"),
    Sign("E16", r"[0-9０-９]+(文字以内|桁)", "業務内容は30文字以内で入力してください。"),
    Sign("E16", r"数字で入力", "郵便番号は数字で入力してください。"),
    Sign("E1", r"入社(年月)?日を入力", "入社日を入力してください。"),
    Sign("E2", r"(生年月日|姓|名|カナ|ヨミガナ|氏名|性別)[^。]{0,20}を?(入力|選択)して(ください|下さい)",
         "戸籍上の性別を選択してください。"),
)
"""The last of a vendor's texts: how both say that a value is missing or has another form."""
# fmt: on

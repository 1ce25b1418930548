"""FIELDS as the table that README shows."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.mapping import FIELDS, FieldMapping, Place
from app.domain.settings.connection_settings import BlankPolicy

_BLANK_POLICIES: Mapping[BlankPolicy, str] = {
    BlankPolicy.KEEP: "消さない",
    BlankPolicy.ERASE_IF_AGREED: "一致していた値だけ消す",
    BlankPolicy.ERASE: "消す",
}


def mapping_table_markdown() -> str:
    """FIELDS as the table of README: number, label, both places, request, conversion, blank rule, marks."""
    lines = [
        "| 番号 | 項目 | SmartHR | freee人事労務 | freeeへの書き込み | 変換（SmartHR / freee） | 空欄の反映 | 備考 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_line(row) for row in FIELDS),
    ]
    return "\n".join(lines) + "\n"


def _line(row: FieldMapping) -> str:
    numbers = "・".join(str(number) for number in row.numbers)
    codecs = " / ".join(dict.fromkeys((row.smarthr.codec.name, row.freee.codec.name)))
    cells = [numbers, row.label, _paths(row.smarthr), _paths(row.freee), row.step.label, codecs]
    return "| " + " | ".join([*cells, _BLANK_POLICIES[row.blank], _marks(row)]) + " |"


def _paths(place: Place) -> str:
    return " ".join(f"`{path}`" for path in place.paths)


def _marks(row: FieldMapping) -> str:
    marks = {
        "過去の月にも反映": row.retroactive,
        "伏せ字": row.masked,
        "可逆でない": row.smarthr.codec.lossy or row.freee.codec.lossy,
    }
    return "、".join(mark for mark, applies in marks.items() if applies)

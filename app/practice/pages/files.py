"""CSV files as a product's import takes them: a heading of labels, one person a row, UTF-8 or Shift_JIS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from app.practice.pages.items import Fault, Item

MOST_ROWS = 10_000
UNREADABLE = "CSV ファイルとして読めません。文字コードは UTF-8 か Shift_JIS にしてください。"


class BadFile(ValueError):
    """The file cannot be imported; `faults` say why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(len(faults))
        self.faults = faults


def rows_of(content: bytes, items: Sequence[Item]) -> list[dict[str, str]]:
    """The rows, item name → text, without empty cells. Raises BadFile."""
    try:
        lines = [row for row in csv.reader(io.StringIO(_decoded(content)), strict=True) if any(row)]
    except csv.Error:
        raise BadFile(Fault(UNREADABLE)) from None
    if len(lines) < 2:
        raise BadFile(Fault("見出しの行と、1人以上の行が必要です。"))
    if len(lines) > MOST_ROWS:
        raise BadFile(Fault(f"一度に取り込めるのは {MOST_ROWS - 1} 人までです。"))
    by_label = {each.label: each for each in items}
    heading, *rest = lines
    unknown = [label for label in heading if label.strip() not in by_label]
    faults = [Fault(f"「{label}」という列はありません。") for label in unknown]
    if items[0].label not in heading:
        faults.append(Fault(f"「{items[0].label}」の列が必要です。"))
    if faults:
        raise BadFile(*faults)
    columns = [by_label[label.strip()] for label in heading]
    return [_row(columns, cells) for cells in rest]


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile(Fault(UNREADABLE))


def _row(columns: Sequence[Item], cells: Sequence[str]) -> dict[str, str]:
    pairs = zip(columns, (cell.strip() for cell in cells), strict=False)
    return {item.name: _word(item, cell) for item, cell in pairs if cell}


def _word(item: Item, cell: str) -> str:
    """The vendor's word for what people read; a cell that is no choice stays, and the vendor refuses it."""
    return next((word for word, read in item.choices if read == cell), cell)


def file_of(items: Sequence[Item], people: Iterable[Mapping[str, str]]) -> bytes:
    """The file of these people's texts, for Excel with a byte order mark."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([each.label for each in items])
    for texts in people:
        writer.writerow([_cell(each, texts.get(each.name, "")) for each in items])
    return out.getvalue().encode("utf-8-sig")


def _cell(item: Item, text: str) -> str:
    return item.shown(text) if text else ""

"""The table of the fault suite: per fault and database how often, lost, doubled, mails, how soon it was over."""

from __future__ import annotations

import statistics
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.judge import Broken

HEAD = ("fault", "database", "runs", "lost", "doubled", "mails/run", "recovery s (median, max)", "")


@dataclass
class Row:
    fault: str
    title: str
    database: str
    runs: int = 0
    mails: list[int] = field(default_factory=list)
    """Per run, different Message-IDs."""
    copies: int = 0
    """Second copies with the same Message-ID."""
    recoveries: list[float] = field(default_factory=list)
    findings: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        lost = sum(" is lost" in each.about for each in self.findings)
        doubled = sum("doubled" in each.about for each in self.findings)
        other = sorted({each.invariant for each in self.findings})
        times = f"{statistics.median(self.recoveries):.1f}  {max(self.recoveries):.1f}" if self.recoveries else "-"
        said = " ".join([*(f"BROKEN {each}" for each in other), *self.notes])
        return (
            f"{self.fault} {self.title}",
            self.database,
            str(self.runs),
            str(lost),
            str(doubled),
            self._mails(),
            times,
            said,
        )

    def _mails(self) -> str:
        if not self.mails:
            return "-"
        told = "-".join(str(each) for each in sorted({min(self.mails), max(self.mails)}))
        return f"{told} (+{self.copies} same ID)" if self.copies else told


def render(rows: Iterable[Row]) -> str:
    """Columns side by side, then every broken invariant on a line of its own."""
    rows = sorted(rows, key=lambda row: (_order(row.fault), row.database))
    cells = [HEAD, *(row.cells() for row in rows)]
    widths = [max(_width(line[n]) for line in cells) for n in range(len(HEAD))]
    lines = [
        "  ".join(_padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    ]
    lines.insert(1, "─" * max(map(_width, lines)))
    broken = [f"× {row.fault} ({row.database}): {each.invariant} {each.about}" for row in rows for each in row.findings]
    return "\n".join([*lines, *broken])


def _order(name: str) -> Sequence[object]:
    digits = "".join(each for each in name[:3] if each.isdigit())
    return (name[0] != "F", name[0], int(digits or 0), name)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))

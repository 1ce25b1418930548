"""Bars of a chart as numbers for SVG: places and heights in a small drawing area that every screen can enlarge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 160
"""The size of the drawing area. It is as wide as a narrow screen, so that such a screen shows its text unscaled."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 8, 22
_GAP = 0.25
"""The part of each bar's share of the width that stays empty."""
_STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Piece:
    """A rectangle of a bar. `part`: what it stands for."""

    part: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Tick:
    """A mark of an axis: its place and what is written there."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    pieces: tuple[Piece, ...]
    across: tuple[Tick, ...]
    """Marks of the x axis."""
    up: tuple[Tick, ...]
    """Marks of the y axis, with a line each."""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM


def bars(rows: Sequence[tuple[str, Mapping[str, int]]], *, every: int) -> Chart:
    """Stacked bars. Rows are (mark, {part: number}), from left to right; a mark is written for each `every`-th row."""
    top = _ceiling(max((sum(parts.values()) for _, parts in rows), default=0))
    height = HEIGHT - _TOP - _BOTTOM
    share = (WIDTH - _LEFT - _RIGHT) / max(len(rows), 1)
    pieces: list[Piece] = []
    for place, (_, parts) in enumerate(rows):
        y = float(HEIGHT - _BOTTOM)
        for part, number in parts.items():
            if number:
                tall = number / top * height
                y -= tall
                x = _LEFT + share * (place + _GAP / 2)
                pieces.append(Piece(part, round(x, 1), round(y, 1), round(share * (1 - _GAP), 1), round(tall, 1)))
    middle = [(_LEFT + share * (place + 0.5), mark) for place, (mark, _) in enumerate(rows)]
    return Chart(
        pieces=tuple(pieces),
        across=tuple(Tick(round(x, 1), mark) for place, (x, mark) in enumerate(middle) if place % every == 0),
        up=tuple(Tick(round(HEIGHT - _BOTTOM - height * n / 2, 1), f"{top * n // 2:,}") for n in range(3)),
    )


def _ceiling(most: int) -> int:
    """The end of the y axis: a round number with a whole half."""
    if most <= 2:
        return 2
    scale = int(10 ** math.floor(math.log10(most)))
    found = next(step * scale for step in _STEPS if step * scale >= most)
    return found + found % 2

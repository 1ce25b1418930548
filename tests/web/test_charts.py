"""Bars as numbers: everything lies in the drawing area, heights are in proportion, marks are where they belong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.web.screens.engine.charts import HEIGHT, WIDTH, bars

ROWS = st.lists(
    st.fixed_dictionaries({"well": st.integers(0, 10**6), "troubled": st.integers(0, 10**6)}), min_size=1, max_size=60
)


@given(ROWS)
def test_every_piece_lies_in_the_drawing_area(rows: list[dict[str, int]]) -> None:
    chart = bars([("", parts) for parts in rows], every=10)
    for piece in chart.pieces:
        assert chart.left <= piece.x <= piece.x + piece.width <= WIDTH
        assert piece.y >= 0 and piece.y + piece.height <= chart.bottom + 0.2
    assert len(chart.pieces) == sum(number > 0 for parts in rows for number in parts.values())


def test_heights_are_in_proportion_and_stacked() -> None:
    chart = bars([("a", {"well": 30, "troubled": 20}), ("b", {"well": 100, "troubled": 0})], every=1)
    low, high, whole = chart.pieces
    assert round(low.height / whole.height, 2) == 0.3 and round(high.height / whole.height, 2) == 0.2
    assert high.y + high.height == low.y and low.x == high.x < whole.x
    assert [tick.text for tick in chart.up] == ["0", "50", "100"]


def test_the_axis_ends_on_a_round_number() -> None:
    ends = {most: bars([("", {"n": most})], every=1).up[-1].text for most in (0, 1, 3, 7, 11, 23, 501, 12_000)}
    assert ends == {0: "2", 1: "2", 3: "6", 7: "10", 11: "20", 23: "50", 501: "1,000", 12_000: "20,000"}


def test_marks_are_written_every_so_often() -> None:
    chart = bars([(str(n), {}) for n in range(24)], every=6)
    assert [tick.text for tick in chart.across] == ["0", "6", "12", "18"]
    assert chart.pieces == () and 0 < chart.across[0].at < chart.across[-1].at < HEIGHT * 10

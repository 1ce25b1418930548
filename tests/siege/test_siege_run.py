"""What the siege calls missed."""

from __future__ import annotations

from tests.siege.run import missed


def test_a_missed_figure_is_told() -> None:
    good = {"asked": 10, "p50_ms": 1.0, "p99_ms": 2.0, "max_ms": 3.0, "wrong": []}
    met = {name: dict(good) for name in ("live", "smarthr", "freee", "page")}
    assert missed({"met": met, "stored": 20}) == []
    assert missed({"met": met, "stored": 19}) == ["webhooks: 20 sent, 19 stored"]
    for name, figure in (("live", "p99_ms"), ("smarthr", "max_ms"), ("freee", "max_ms"), ("page", "max_ms")):
        assert len(missed({"met": {**met, name: {**good, figure: 2000.0}}, "stored": 20})) == 1
        assert missed({"met": {**met, name: {**good, "wrong": ["503"]}}, "stored": 20}) == [f"{name}: 1 wrong answers"]

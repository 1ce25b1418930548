"""Errors of the database quote statements, never the values of people that went with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.storage.unit_of_work import make_engine

pytestmark = pytest.mark.sql

CANARY = "カナリア太郎"


def test_an_error_does_not_quote_its_parameters(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(SQLAlchemyError) as caught, engine.connect() as connection:
        connection.execute(text("SELECT :name FROM nowhere"), {"name": CANARY})
    engine.dispose()
    assert "nowhere" in str(caught.value)
    assert CANARY not in str(caught.value)

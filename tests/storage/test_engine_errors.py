"""Errors of the database quote statements, never the values of people that went with them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.storage.outages import OUTAGES
from app.storage.unit_of_work import SILENT_SECONDS, make_engine

pytestmark = pytest.mark.sql

CANARY = "カナリア太郎"


def test_an_error_does_not_quote_its_parameters(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with pytest.raises(SQLAlchemyError) as caught, engine.connect() as connection:
        connection.execute(text("SELECT :name FROM nowhere"), {"name": CANARY})
    engine.dispose()
    assert "nowhere" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.database("postgresql")
def test_a_transaction_whose_process_is_silent_is_ended_and_counts_as_an_outage(url: str) -> None:
    """Its host may be gone. Else its locks would stay until the network notices, two hours later."""
    engine = make_engine(url)
    with engine.connect() as connection:
        limit = connection.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()
        assert limit == f"{SILENT_SECONDS}s"
        connection.execute(text("SET idle_in_transaction_session_timeout = '100ms'"))
        time.sleep(1)
        with pytest.raises(OUTAGES):
            connection.execute(text("SELECT 1"))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    engine.dispose()


@pytest.mark.database("postgresql")
def test_a_host_that_has_gone_is_noticed(url: str) -> None:
    engine = make_engine(url)
    with engine.connect() as connection:
        asked = dict(
            part.split("=", 1) for part in connection.connection.driver_connection.info.dsn.split() if "=" in part
        )
    engine.dispose()
    assert asked["tcp_user_timeout"] == str(SILENT_SECONDS * 1000)
    assert int(asked["keepalives_idle"]) + int(asked["keepalives_interval"]) * int(asked["keepalives_count"]) <= 60

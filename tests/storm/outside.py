"""What the storm reads past the product: its database's rows, the database as a file or a dump, the load."""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, text

from app.storage.unit_of_work import make_engine
from tests.chaos.house import House
from tests.storm.canary import Search
from tests.storm.judge import Stored

PG_DUMP = "/usr/lib/postgresql/*/bin/pg_dump"


def engine_of(house: House) -> Engine:
    return make_engine(house.env.get("DATABASE_URL") or f"sqlite:///{house.folder / 'awase.db'}")


def stored(engine: Engine) -> Stored:
    items: dict[int, list[str]] = defaultdict(list)
    with engine.connect() as connection:
        states = dict(map(tuple, connection.execute(text("SELECT id, state FROM deliveries"))))
        asked = "SELECT d.delivery_id, i.state FROM delivery_items d JOIN items i ON i.id = d.item_id"
        for delivery, state in connection.execute(text(asked)):
            items[delivery].append(state)
    return Stored(states, items)


def unsorted_left(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1 FROM deliveries WHERE state = 'received' LIMIT 1")).first() is not None


def item_counts(engine: Engine) -> Mapping[str, int]:
    """State of items → how many, of webhooks' runs."""
    counted = "SELECT i.state, count(*) FROM items i JOIN runs r ON r.id = i.run_id WHERE r.trigger = 'webhook'"
    with engine.connect() as connection:
        return dict(map(tuple, connection.execute(text(f"{counted} GROUP BY i.state ORDER BY i.state"))))


def run_counts(engine: Engine) -> Mapping[str, int]:
    """Trigger → how many runs."""
    counted = 'SELECT "trigger", count(*) FROM runs GROUP BY "trigger" ORDER BY "trigger"'
    with engine.connect() as connection:
        return dict(map(tuple, connection.execute(text(counted))))


def look_at_database(house: House, search: Search) -> None:
    """SQLite's files as they lie there, PostgreSQL as pg_dump writes it out."""
    if house.cluster is None:
        search.look_at_files("database", sorted(house.folder.glob("awase.db*")))
        return
    program = max(Path("/").glob(PG_DUMP[1:]))
    command = [str(program), "-h", str(house.cluster), "-U", "awase", "awase"]
    done = subprocess.run(command, capture_output=True, check=True)
    search.look("database", "pg_dump", done.stdout)


def load() -> float:
    """Of the last minute."""
    return round(os.getloadavg()[0], 2)

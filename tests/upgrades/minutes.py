"""`python -m tests.upgrades.minutes [--sqlite]`: how long `flask db upgrade` takes from each release, on much data.

What the release has left is multiplied: 50,000 people on each list, 200,000 results, 100,000 entries of the audit trail
(of releases whose trail is no chain yet: later ones are not touched by any migration). The figures stand in
`docs/deploy/upgrades.md`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from app.storage.schema import migrate
from app.storage.unit_of_work import make_engine
from tests.storage.servers import create_database, missing_parts, running_cluster
from tests.upgrades.releases import RELEASES
from tests.upgrades.restoring import restore


@dataclass(frozen=True)
class Growth:
    """`rows`: about so many in the end. `changed`: column → the expression that makes row number n another one."""

    table: str
    rows: int
    changed: dict[str, str] = field(default_factory=dict)
    unless: str = ""
    """A column with which the table is left as it is."""


GROWTHS = (
    Growth("directory", 100_000, {"person_id": "person_id || '-' || n"}),
    Growth("items", 200_000, {"position": "position + n * 1000", "state": "'succeeded'", "holds_slot": "false"}),
    Growth("audit", 100_000, unless="position"),
)


def grow(connection: Connection, growth: Growth) -> int:
    """How many rows there are then."""
    columns = [column["name"] for column in inspect(connection).get_columns(growth.table)]
    counted = text(f"SELECT count(*) FROM {growth.table}")
    there = connection.execute(counted).scalar_one()
    if not there or growth.unless in columns:
        return int(there)
    names = ", ".join(f'"{name}"' for name in columns if name != "id")
    given = ", ".join(growth.changed.get(name, f'"{name}"') for name in columns if name != "id")
    connection.execute(
        text(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :times)"
            f" INSERT INTO {growth.table} ({names}) SELECT {given} FROM {growth.table} CROSS JOIN numbers"
        ),
        {"times": max(growth.rows // there - 1, 1)},
    )
    return int(connection.execute(counted).scalar_one())


def main(*, with_postgresql: bool) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp")))
        urls = {release: [f"sqlite:///{folder / release.revision}.db"] for release in RELEASES}
        if with_postgresql and missing_parts() is None:
            cluster = stack.enter_context(running_cluster())
            for release, known in urls.items():
                known.append(create_database(cluster, f"from_{release.revision}"))
        for release, known in urls.items():
            for url in known:
                restore(release, url)
                engine = make_engine(url)
                with engine.begin() as connection:
                    grown = {each.table: grow(connection, each) for each in GROWTHS}
                engine.dispose()
                began, own = time.monotonic(), time.process_time()
                migrate(url)
                took, own = time.monotonic() - began, time.process_time() - own
                print(f"{release.revision}  {url[:6]}  {took:6.1f} s, of it {own:.1f} s own CPU  {grown}", flush=True)


if __name__ == "__main__":
    main(with_postgresql="--sqlite" not in sys.argv)

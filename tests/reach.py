"""Which tests belong to `make check`, which to `make test`, which to `make test-all`: one word per test, its reach.

`--reach=check` (make check) keeps what stands on SQLite and starts no process: the everyday path.
`--reach=test` (make test, and `pytest` alone) adds processes, a browser, and PostgreSQL where SQL is involved.
`--reach=all` (make test-all) keeps everything.

A test has the reach that `@pytest.mark.reach("test" or "all")` gives it, or its module. Without the marker:

- on PostgreSQL: "test" where `pytest.mark.sql` stands on the test or its module, else "all". Most tests which stand on
  a database ask nothing of it that SQLite answers differently; those about SQL run on both before every change lands.
- with `processes`: "test".
- everything else: "check".

The marker on a test counts before the one of its module: of a module with long journeys one may be in `make check`. No
marker lowers what PostgreSQL or processes need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pytest

CHECK, TEST, ALL = REACHES = ("check", "test", "all")
POSTGRESQL = "postgresql"


def reach_of(item: pytest.Item) -> str:
    """The smallest reach that runs this test."""
    marker = item.get_closest_marker("reach")
    found = [marker.args[0] if marker else CHECK]
    if item.get_closest_marker("processes"):
        found.append(TEST)
    if item.get_closest_marker(POSTGRESQL):
        found.append(TEST if _about_sql(item) else ALL)
    return max(found, key=REACHES.index)


def thinned(one_in: int, *parameters: Iterable[Any]) -> list[Any]:
    """All combinations of these parameters, as cases of one law for `parametrize`: one in `one_in` of them in `make
    test`, spread so that each value of each parameter is there where the numbers allow it; all in `make test-all`."""
    values: list[Sequence[Any]] = [list(each) for each in parameters]
    cases = product(*[enumerate(each) for each in values])
    return [
        pytest.param(
            *[value for _, value in case],
            marks=[] if sum(place for place, _ in case) % one_in == 0 else pytest.mark.reach(ALL),
        )
        for case in cases
    ]


def within(reach: str, wanted: str) -> bool:
    return REACHES.index(reach) <= REACHES.index(wanted)


def _about_sql(item: pytest.Item) -> bool:
    """The test says so itself, or is about PostgreSQL alone."""
    about = item.get_closest_marker("database")
    return item.get_closest_marker("sql") is not None or (about is not None and about.args == (POSTGRESQL,))

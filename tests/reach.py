"""Which tests belong to `make check`, which to `make test`, which to `make test-all`: one word per test, its reach.

`--reach=check` (make check) keeps what stands on SQLite and starts no process: the everyday path.
`--reach=test` (make test, and `pytest` alone) adds processes, a browser, and PostgreSQL where SQL is involved.
`--reach=all` (make test-all) keeps everything.

A test has the reach that `@pytest.mark.reach("test" or "all")` gives it, or its module. Without the marker:

- on PostgreSQL: "test" where `pytest.mark.sql` stands on the test or its module, else "all". Most tests which stand on
  a database ask nothing of it that SQLite answers differently; those about SQL run on both before every change lands.
- with `processes`: "test".
- everything else: "check".

Where each case of one law is a journey, `@pytest.mark.few(2)` keeps two of its cases before `make test-all`: the first
and the last, or so many spread between them (of each kind of database).

Of a test and its parameters the larger reach counts. The marker on a test counts before the one of its module: of a
module with long journeys one may be in `make check`. No marker lowers what PostgreSQL or processes need.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import pytest

CHECK, TEST, ALL = REACHES = ("check", "test", "all")
POSTGRESQL = "postgresql"


def reach_of(item: pytest.Item) -> str:
    """The smallest reach that runs this test."""
    own = [marker.args[0] for marker in item.own_markers if marker.name == "reach"]
    marker = item.get_closest_marker("reach")
    found = own or [marker.args[0] if marker else CHECK]
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


def looks(seen: int, cases: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Looks of one page, as cases for `parametrize`: the one at this place in `make test`, all in `make test-all`."""
    return [
        pytest.param(*case, marks=[] if place == seen else pytest.mark.reach(ALL)) for place, case in enumerate(cases)
    ]


def beyond_reach(items: Sequence[pytest.Item], wanted: str) -> list[pytest.Item]:
    """Those of the tests that `wanted` does not run."""
    beyond = [item for item in items if not within(reach_of(item), wanted)]
    if wanted == ALL:
        return beyond
    left, cases = set(beyond), defaultdict[tuple[Any, ...], list[pytest.Item]](list)
    for item in items:
        if item not in left and item.get_closest_marker("few"):
            law = getattr(item, "originalname", item.name)
            cases[(item.path, law, item.get_closest_marker(POSTGRESQL) is not None)].append(item)
    for same in cases.values():
        marker = same[0].get_closest_marker("few")
        assert marker is not None
        beyond += [item for place, item in enumerate(same) if place not in spread(len(same), marker.args[0])]
    return beyond


def spread(cases: int, few: int) -> set[int]:
    """The places of `few` of so many cases, evenly from the first to the last. `few` is 2 or more."""
    return {round(each * (cases - 1) / (few - 1)) for each in range(few)} if cases > few else set(range(cases))


def within(reach: str, wanted: str) -> bool:
    return REACHES.index(reach) <= REACHES.index(wanted)


def _about_sql(item: pytest.Item) -> bool:
    """The test says so itself, or is about PostgreSQL alone."""
    about = item.get_closest_marker("database")
    return item.get_closest_marker("sql") is not None or (about is not None and about.args == (POSTGRESQL,))

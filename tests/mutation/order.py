"""A plugin of pytest for `make mutate`: the tests of a group run in the order in which the group names their files, so
that the small ones, which are about the changed code, come before the journeys. mutmut gives them in no order."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

VARIABLE = "MUTATE_TESTS"


def rank(test: str, files: Sequence[str]) -> int:
    """The place of the test's file; behind all others when the group does not name it."""
    file = test.partition("::")[0]
    return files.index(file) if file in files else len(files)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    files = [test.partition("::")[0] for test in os.environ.get(VARIABLE, "").split()]
    items.sort(key=lambda item: rank(item.nodeid, files))

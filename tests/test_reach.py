"""Of a law with many cases `make test` keeps some; `make test-all` all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reach import beyond_reach, spread


@given(cases=st.integers(1, 500), few=st.integers(2, 20))
def test_as_many_as_asked_for_with_the_first_and_the_last(cases: int, few: int) -> None:
    kept = spread(cases, few)
    assert len(kept) == min(cases, few)
    assert {0, cases - 1} <= kept <= set(range(cases))


@pytest.mark.parametrize(("wanted", "runs"), [("check", 2), ("test", 2), ("all", 5)])
def test_everything_runs_in_the_end(pytester: pytest.Pytester, wanted: str, runs: int) -> None:
    law = """
        import pytest

        @pytest.mark.few(2)
        @pytest.mark.parametrize("case", range(5))
        def test_law(case):
            pass
    """
    items = pytester.getitems(pytester.makepyfile(law))
    assert len(items) - len(beyond_reach(items, wanted)) == runs


@pytest.mark.parametrize(("wanted", "runs"), [("check", 0), ("test", 1), ("all", 2)])
def test_a_case_may_reach_farther_than_its_test(pytester: pytest.Pytester, wanted: str, runs: int) -> None:
    law = """
        import pytest

        @pytest.mark.reach("test")
        @pytest.mark.parametrize("case", [1, pytest.param(2, marks=pytest.mark.reach("all"))])
        def test_law(case):
            pass
    """
    items = pytester.getitems(pytester.makepyfile(law))
    assert len(items) - len(beyond_reach(items, wanted)) == runs

"""Which run goes into which queue."""

from __future__ import annotations

import pytest

from app.domain.runs.queues import BULK, INTERACTIVE, queue_for


@pytest.mark.parametrize(("people", "expected"), [(0, INTERACTIVE), (199, INTERACTIVE), (200, BULK), (10_000, BULK)])
def test_a_run_is_large_from_the_limit_on(people: int, expected: str) -> None:
    assert queue_for(people, bulk_from=200) == expected

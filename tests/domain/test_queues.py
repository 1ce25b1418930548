"""Which run goes into which queue."""

from __future__ import annotations

import pytest

from app.domain.runs.queues import BULK, INTERACTIVE, JOB_SECONDS, SURVEY_SECONDS, longest_seconds, queue_for


@pytest.mark.parametrize(("people", "expected"), [(0, INTERACTIVE), (199, INTERACTIVE), (200, BULK), (10_000, BULK)])
def test_a_run_is_large_from_the_limit_on(people: int, expected: str) -> None:
    assert queue_for(people, bulk_from=200) == expected


@pytest.mark.parametrize("function", ["workers.jobs.survey_run", "workers.jobs.survey_run_alone", "survey_run"])
def test_a_survey_may_take_longer_than_what_is_done_for_one_employee(function: str) -> None:
    assert longest_seconds(function) == SURVEY_SECONDS
    assert longest_seconds("workers.jobs.sync_item") == longest_seconds("send_mail") == JOB_SECONDS < SURVEY_SECONDS

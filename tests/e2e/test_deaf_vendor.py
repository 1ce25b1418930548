"""Nobody waits for a stranger: vendors of some companies that never answer, and the time that the others need from an
edit to its write. Real relay, workers, broker and database."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from statistics import mean

import pytest

from app.practice.staff.practice_company import build_company, japan_today
from tests.e2e.street import Street, open_street
from tests.use_cases.test_job import only

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900), pytest.mark.reach("all")]

ROUNDS = 2
PROBES = 6


@pytest.mark.parametrize(
    ("companies", "deaf", "most"),
    [
        # Beside other tests, on few and short runs, time says little; without turns the others would not end at all.
        pytest.param(5, 1, 3.0, id="5-companies"),
        pytest.param(20, 3, 1.2, id="20-companies", marks=pytest.mark.reach("all")),
    ],
)
def test_deaf_vendors_of_some_companies_do_not_slow_the_others_down(
    tmp_path: Path, companies: int, deaf: int, most: float
) -> None:
    people = only(build_company(japan_today()), "update", "equal", most=6)
    with open_street(tmp_path, people, companies) as street:
        assert street.follow(street.start(street.companies))
        silent, others = street.companies[:deaf], street.companies[deaf:]
        before = [edit_and_run(street, others, f"10{number}") for number in range(ROUNDS)]
        for company in silent:
            company.deaf = True
            company.edit("9999")
        street.start(silent)
        wait_until_deaf(street, deaf)
        beside = [edit_and_run(street, others, f"20{number}") for number in range(ROUNDS)]
        ratio = min(beside) / min(before)
        told = f"{companies} companies, {deaf} deaf: {min(before):.2f} s, then {min(beside):.2f} s ({ratio:.2f})"
        print(told, before, beside, file=sys.stderr)
        assert ratio <= most, told
        at_once = street.ctx.settings.connection_jobs
        assert max(Counter(street.held).values()) <= at_once + PROBES, "nobody is asked on and on who never answers"


def edit_and_run(street: Street, companies: list, text: str) -> float:  # type: ignore[type-arg]
    """Mean seconds from an edit of everybody to the end of the run that writes it."""
    for company in companies:
        company.edit(f"{text}0")
    return mean(street.follow(street.start(companies)))


def wait_until_deaf(street: Street, number: int) -> None:
    """Until every deaf vendor holds requests."""
    end = time.monotonic() + 90
    while len(set(street.held)) < number or len(street.held) < 3 * number:
        assert time.monotonic() < end, street.held
        time.sleep(0.1)

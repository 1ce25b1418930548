"""The figures that are to be reached: how CPU is shared among employees, what a quota allows, what the table says."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from app.config import Settings, Window
from tests.bench import quota
from tests.bench.goals import cpu_figures, goals
from tests.bench.statements import parsed
from tests.bench.usage import memory_below, seconds_below, since


def made_round(*, worker: float, cron: float, second: float, seconds: float = 10.0) -> dict[str, Any]:
    """50 written and 100 unchanged, then 150 unchanged."""
    first = {"seconds": seconds, "written": 50, "unchanged": 100, "cpu": {"worker_interactive": worker, "cron": cron}}
    again = {"seconds": 1.0, "written": 0, "unchanged": 150, "cpu": {"worker_interactive": second}}
    return {"engine": {"first": first, "second": again}, "script": {"first": {"seconds": 5.0}}}


def test_what_somebody_unchanged_costs_is_taken_off_before_the_written_share_the_rest() -> None:
    told = cpu_figures([made_round(worker=1.2, cron=0.1, second=0.3)])
    assert told["unchanged"] == 2.0  # 0.3 s for 150
    assert told["written_by_process"] == {"worker_interactive": 20.0, "cron": 2.0}  # (1.2 s - 100 × 2 ms) / 50
    assert told["written"] == 22.0


def test_of_several_rounds_the_median_counts() -> None:
    rounds = [made_round(worker=worker, cron=0.0, second=0.3) for worker in (1.2, 9.2, 2.2)]
    assert cpu_figures(rounds)["written"] == 40.0


def test_every_goal_has_a_row_and_every_checkout_a_column() -> None:
    this = {
        "rounds": {
            "0 ms": [made_round(worker=1.2, cron=0.1, second=0.3)],
            "50 ms": [made_round(worker=1, cron=0, second=0)],
        },
        "waiting": {"jobs": 31, "mib": 300.4},
        "quota": {"used": 0.97, "least": 0.9, "cpu": 0.41, "enough": False},
        "long": {"ratio": 1.031},
        "work": {"succeeded": {"cpu": 9, "statements": 20, "commits": 4}, "unchanged": {"statements": 0.5}},
    }
    shown = goals({"before": {"waiting": {"jobs": 32, "mib": 2900.0}}, "this": this}).splitlines()
    assert shown[0].split() == ["GOALS", "goal", "before", "this"]
    figures = {line[:52].strip(): line[52:].split() for line in shown[1:12]}
    assert figures["own CPU per written employee, ms"] == ["<=", "18", "-", "22.00"]
    assert figures["memory of a queue's workers, 32 jobs waiting, MiB"] == ["<=", "350", "2900.00", "300.40"]
    assert figures["time of a first run / straight script, 50 ms"][-1] == "2.00"
    assert [row[-1] for row in figures.values()].count("-") == 0
    assert "this: only 31 jobs waited at once" in shown
    assert "this: a run was over before the quota's window was" in shown


@pytest.mark.parametrize(("calls", "seconds"), [(20, 0.0), (21, 0.5), (220, 100.0), (17_000, 8_490.0)])
def test_a_windows_permits_are_there_at_once_and_the_rest_come_at_its_pace(calls: int, seconds: float) -> None:
    assert quota.shortest(calls, (Window(20, 10), Window(8500, 3600))) == pytest.approx(seconds)


def test_the_quotas_of_the_bench_are_those_of_the_settings() -> None:
    settings = Settings.from_env({"SECRET_KEY": "x" * 32, "ENCRYPTION_KEYS": "y" * 32})
    assert quota.windows("smarthr") == tuple(settings.smarthr_limits)
    assert quota.windows("freee") == tuple(settings.freee_limits)
    assert quota.windows("freee", 20)[0] == Window(400, 10)


TOLD = """
first run, SmartHR → freee: {'succeeded': 100}; fixed work: 2.40 ms
  survey: 2.11 ms per person, 61 statements
  job                           jobs   CPU ms  statements  transactions  commits
  update: succeeded               90     9.00        22.0          11.0      5.0
  create: succeeded               10    20.00        72.0          21.0     10.0
  update: unchanged                2     4.00         9.0           3.0      2.0

once more, nothing to do: {'unchanged': 70, 'needs_review': 10}; fixed work: 2.40 ms
  survey: 1.20 ms per person, 40 statements
  job                           jobs   CPU ms  statements  transactions  commits
"""


def test_statements_are_those_of_the_written_first_and_of_the_unchanged_afterwards() -> None:
    assert parsed(TOLD) == {
        "succeeded": {"cpu": 10.1, "statements": 27.0, "commits": 5.5},
        "unchanged": {"cpu": 1.2, "statements": 0.5},
    }


def test_what_was_used_in_between_is_told_by_role_in_their_order() -> None:
    assert since({"cron": 2.0, "web": 5.5}, {"web": 5.0}) == {"web": 0.5, "cron": 2.0}


@pytest.mark.usefixtures("proc")
def test_a_process_tells_what_it_has_used() -> None:
    before, end = seconds_below(os.getpid()), time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    assert seconds_below(os.getpid()) - before >= 0.15
    assert memory_below(os.getpid()) > 10

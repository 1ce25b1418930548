"""What the faults F17, F20, F22 and F25 decide by: clean evidence passes, and every doctored one is caught."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.practice.house.processes import ROOT
from tests.chaos.deployment import PROGRAMS
from tests.chaos.evidence import Call, Mail
from tests.chaos.judge import judge_found
from tests.chaos.poison import judge_late, judge_poisoned
from tests.chaos.repeated import Answered, judge_repeated
from tests.chaos.restore import judge_ended
from tests.chaos.versions import judge_checkouts

RUN, OTHER = "6c1f7a52-0000-4000-8000-000000000001", "6c1f7a52-0000-4000-8000-000000000002"
PROFILE = Call("freee", 103.0, "PUT", "/hr/api/v1/employees/50000/profile_rule", 200)
ACCOUNT = Call("freee", 103.5, "PUT", "/hr/api/v1/employees/50000/bank_account_rule", 200)
DELIVERY = {"id": 7, "system": "smarthr", "items": [{"id": 3}]}
CLEAN = Answered("smarthr", Counter({(202, 7): 100}), (DELIVERY,), (PROFILE, ACCOUNT))

NOT_ONE: dict[str, tuple[dict[str, Any], str]] = {
    "another answer": ({"answers": Counter({(202, 7): 99, (202, 8): 1})}, "2 answers"),
    "an error": ({"answers": Counter({(202, 7): 99, (500, 0): 1})}, "statuses {202: 99, 500: 1}"),
    "all refused": ({"answers": Counter({(401, 0): 100})}, "statuses {401: 100}"),
    "one without an answer": ({"answers": Counter({(202, 7): 99})}, "statuses {202: 99}"),
    "stored twice": ({"deliveries": (DELIVERY, {**DELIVERY, "id": 8, "items": []})}, "stored 2 times"),
    "not stored": ({"deliveries": ()}, "stored 0 times"),
    "two items": ({"deliveries": ({**DELIVERY, "items": [{"id": 3}, {"id": 4}]},)}, "became 2 items"),
    "written twice": ({"writes": (PROFILE, ACCOUNT, PROFILE)}, "2 times"),
    "not written": ({"writes": ()}, "0 times"),
}


def test_a_repetition_that_is_one_passes() -> None:
    assert judge_repeated(CLEAN) == []


@pytest.mark.parametrize("case", list(NOT_ONE))
def test_a_repetition_that_is_none_is_found(case: str) -> None:
    changes, about = NOT_ONE[case]
    found = judge_repeated(replace(CLEAN, **changes))
    assert [each for each in found if about in each.about], found


@pytest.mark.parametrize(
    ("state", "code", "found"),
    [("failed", "poisoned", 0), ("succeeded", None, 1), ("failed", "vendor_down", 1), ("waiting", None, 1)],
)
def test_three_bad_starts_end_as_poisoned(state: str, code: str | None, found: int) -> None:
    assert len(judge_poisoned({"state": state, "error_code": code})) == found


def test_a_late_worker_has_left_no_step() -> None:
    assert judge_late([{"id": 1, "steps": []}]) == []
    assert judge_late([{"id": 1, "steps": [{"step": "profile"}]}]) != []


@pytest.mark.parametrize(
    ("checkouts", "found"),
    [
        ([ROOT] * len(PROGRAMS), 0),
        ([ROOT] * (len(PROGRAMS) - 1), 1),
        ([ROOT, ROOT, ROOT, ROOT, Path("/somewhere/older")], 1),
        ([ROOT, ROOT, ROOT, ROOT, None], 1),
    ],
)
def test_everything_that_runs_is_the_newer_version(checkouts: list[Path | None], found: int) -> None:
    assert len(judge_checkouts(checkouts)) == found


def test_a_mail_out_before_the_backup_does_not_come_again() -> None:
    before, later = Mail(RUN, "<a>"), Mail(OTHER, "<b>")
    assert judge_ended([before], [before, later, later]) == []  # of a run that was open: the documented second copy
    (found,) = judge_ended([before], [before, later, before])
    assert found.invariant == "I4" and "<a>" in found.about


@pytest.mark.parametrize(
    ("received", "found"),
    [
        ([Mail(RUN, "<a>"), Mail(OTHER, "<b>")], 0),
        ([Mail(RUN, "<a>"), Mail(RUN, "<a>")], 0),  # the SMTP gap
        ([Mail(RUN, "<a>"), Mail(RUN, "<b>")], 1),
        ([Mail(RUN, "<a>")] * 3, 1),
        ([Mail("", "<a>"), Mail("", "<b>")], 0),  # notices about no run
    ],
)
def test_a_run_nobody_asked_for_has_one_mail(received: list[Mail], found: int) -> None:
    assert len(judge_found(received)) == found

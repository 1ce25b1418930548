"""What a worker tells of dropped jobs: nothing of their content, and no flood of lines or transactions."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from app.logs import configure_logging
from app.use_cases.monitoring.refused_jobs import Reason
from workers.refusals import Refusals


class Database(Refusals):
    """In place of the real one: takes what it is given only while it is there."""

    def __init__(self) -> None:
        super().__init__("bulk")
        self.there = True
        self.taken: list[dict[tuple[str, Reason], int]] = []

    def _count(self, refused: Mapping[tuple[str, Reason], int]) -> bool:
        if self.there:
            self.taken.append(dict(refused))
        return self.there


def test_a_flood_is_one_transaction_and_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    told = Database()
    told.hand_over_if_due()
    for number in range(10_000):
        told.note(Reason.FUNCTION, b"i%d-a0" % number)
        told.hand_over_if_due()
    told.note(Reason.JOB_ID, "山田\nforged line".encode())
    told.hand_over()
    assert told.taken == [{("bulk", Reason.FUNCTION): 10_000, ("bulk", Reason.JOB_ID): 1}]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line.get("reason"), line.get("job_id")) for line in lines] == [
        ("job_refused", "function", "i0-a0"),
        ("job_refused", "job_id", None),
        ("jobs_refused", None, None),
    ]
    assert lines[-1]["reasons"] == {"function": 10_000, "job_id": 1}


def test_what_the_database_does_not_take_is_kept() -> None:
    told = Database()
    told.there = False
    told.note(Reason.DATA, number=2)
    told.hand_over()
    told.note(Reason.DATA)
    told.there = True
    told.hand_over()
    told.hand_over()
    assert told.taken == [{("bulk", Reason.DATA): 3}]

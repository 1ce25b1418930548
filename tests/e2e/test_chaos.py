"""The short form of `make chaos`: every fault once with real processes, judged from outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.chaos.run import Options, play, told
from tests.conftest import missing
from tests.storage.servers import missing_parts

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(1200),
    pytest.mark.usefixtures("proc"),
]


def test_no_fault_loses_or_doubles_anything(tmp_path: Path) -> None:
    reason = missing_parts()
    report = play(Options(short=True, lanes=3, folder=tmp_path))
    table = told(report)
    print(table, file=sys.stderr)
    assert not report.broken, f"\n{table}"
    assert all(row.runs or row.mails or row.notes for row in report.rows), "a fault that met nothing proves nothing"
    if reason:
        missing(f"{reason}; SQLite alone has passed")

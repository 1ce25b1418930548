"""The short form of `make chaos`: faults with real processes, judged from outside. `make test` plays one of each
family, `make test-all` every fault once."""

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


FAMILIES = {
    "a process dies": "F1",
    "a process dies at a boundary of a transaction": "F4",
    "a worker is frozen": "F3",
    "the broker loses everything": "F7",
    "the database is locked, or crashes": "F11",
    "the mail server": "F13a",
    "a vendor is busy, its answers are lost, its tokens expire": "F15c",
    "poison": "F20b",
    "webhooks": "W4",
}
"""What can go wrong → the one fault of it that `make test` plays. Restored backups, versions side by side, a full disk
and every boundary in turn take a house each: `make test-all`."""


def test_one_fault_of_each_family_loses_or_doubles_nothing(tmp_path: Path) -> None:
    report = play(Options(short=True, only=tuple(FAMILIES.values()), databases=("sqlite",), lanes=2, folder=tmp_path))
    table = told(report)
    assert not report.broken, f"\n{table}"
    met = {row.fault for row in report.rows if row.runs}
    assert {name for name in FAMILIES.values() if not any(each.startswith(name) for each in met)} == set(), table


@pytest.mark.reach("all")
def test_no_fault_loses_or_doubles_anything(tmp_path: Path) -> None:
    reason = missing_parts()
    report = play(Options(short=True, lanes=3, folder=tmp_path))
    table = told(report)
    print(table, file=sys.stderr)
    assert not report.broken, f"\n{table}"
    assert all(row.runs or row.mails or row.notes for row in report.rows), "a fault that met nothing proves nothing"
    if reason:
        missing(f"{reason}; SQLite alone has passed")


MANY = ("F1", "F3", "F7", "F8", "F11a", "F14a", "F15c", "F16a", "F22a")
"""What meets everybody, and what one company's vendor does while nineteen others are at work."""


@pytest.mark.reach("all")
def test_among_twenty_connections_no_fault_loses_or_doubles_anything(tmp_path: Path) -> None:
    options = Options(short=True, only=MANY, databases=("sqlite",), lanes=1, folder=tmp_path, connections=20)
    report = play(options)
    table = told(report)
    print(table, file=sys.stderr)
    assert not report.broken, f"\n{table}"
    assert {row.fault for row in report.rows if row.runs} == set(MANY)

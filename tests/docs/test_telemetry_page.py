"""docs/ops/telemetry.md names every span, attribute and kind of process that a collector is told of, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from app.telemetry.allowed import ATTRIBUTES, NAMES
from app.telemetry.otlp import DROPPED, MOST_WAITING
from app.telemetry.places import of_run
from app.telemetry.process import FLUSH_SECONDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ops" / "telemetry.md").read_text(encoding="utf-8")
RUN = "cf4a8186-8d31-4888-bad6-69f04cfcb909"


def first_cells(heading: str) -> list[str]:
    """The names in the first cells of the table below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [name for line in lines for name in re.findall(r"`([^`]+)`", line.split(" | ")[0])]


def test_the_page_names_every_span() -> None:
    assert sorted(first_cells("トレース")) == sorted(NAMES)


def test_the_page_names_every_attribute() -> None:
    assert sorted(first_cells("出るもの、出ないもの")) == sorted(each.name for each in ATTRIBUTES.values())


def test_the_page_names_every_kind_of_process() -> None:
    told = " ".join(
        file.read_text(encoding="utf-8")
        for folder in ("app/web/serving", "workers")
        for file in (ROOT / folder).glob("*.py")
    )
    parts = set(re.findall(r'telling\([\w.]+, "(\w+)"\)', told))
    assert parts == {"web", "relay", "cron", "worker_alone"}
    for part in (*parts, "worker_interactive", "worker_bulk"):
        assert f"`{part}`" in PAGE


def test_the_command_of_the_page_finds_a_run_by_its_id() -> None:
    command = re.search(r"python -c '([^']+)' 実行のID", PAGE)
    assert command is not None
    shown: list[str] = []
    exec(command[1].replace("sys.argv[1]", repr(RUN)), {"print": shown.append})
    assert shown == [f"{of_run(RUN).trace_id:032x}"]


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"{MOST_WAITING:,} 件" in PAGE
    assert f"{FLUSH_SECONDS:.0f}秒まで" in PAGE
    assert DROPPED in PAGE

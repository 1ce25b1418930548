"""F12: the disk under the database is full. A small tmpfs of its own, so only where one may be mounted."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.judge import Broken
from tests.chaos.scene import Scene, opened
from tests.chaos.table import Row

SIZE = "24m"


def play(folder: Path, row: Row) -> None:
    """Full before a request, which has to be refused and stored as nothing; then there is room again."""
    if os.geteuid() != 0:
        row.notes.append("skipped: only root may mount a tmpfs")
        return
    with small_disk(folder / "small") as small:
        if small is None:
            row.notes.append("skipped: a tmpfs cannot be mounted here")
            return
        file = small / "awase.db"
        with opened(folder / "house", f"sqlite:///{file}", people=4) as lane:
            scene = Scene(lane)
            before = len(list(lane.house.api.pages("/api/v1/runs")))
            filler = small / "filler"
            fill(filler)
            batch = scene.edit(2, 1)
            answer = lane.work.try_once("/api/v1/runs", lane.work.body(batch))
            if answer is None or answer.status_code != 503 or "Retry-After" not in answer.headers:
                status = answer.status_code if answer is not None else "no answer"
                scene.findings.append(
                    Broken("I1", f"disk full, and a request is answered {status} without Retry-After")
                )
            time.sleep(3)
            filler.unlink()
            scene.over()
            if len(list(lane.house.api.pages("/api/v1/runs"))) != before:
                scene.findings.append(Broken("I1", "a refused request left a run"))
            lane.work.trigger(batch)
            scene.settle()
            with sqlite3.connect(file) as connection:
                (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
            if verdict != "ok":
                scene.findings.append(Broken("I2", "the database file is damaged"))
            row.runs, row.recoveries, row.findings = 1, [scene.recovery], scene.findings


def fill(file: Path) -> None:
    """Until nothing fits any more, in ever smaller pieces."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                continue  # full for this size


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """None where it may not be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False, timeout=20)

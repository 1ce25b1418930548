"""`make mutate` itself: a real file with mutmut, and what is left when it is stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.mutation.groups import ROOT
from tests.mutation.run import ALL_WELL, NOT_FINISHED

pytestmark = [pytest.mark.processes, pytest.mark.reach("all")]


def start(temporary: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.mutation.run", *arguments, "--children", "1"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_mutant_of_a_small_file_is_killed_and_nothing_is_left(tmp_path: Path) -> None:
    source = ROOT / "app/domain/runs/queues.py"
    before = source.read_bytes()
    run = start(tmp_path, "queues.py")
    told, failures = run.communicate()
    assert run.returncode == ALL_WELL, told + failures
    assert "runs: 3 mutants: 3 killed;" in told
    assert "survivors: 0 new, 0 known" in told
    assert source.read_bytes() == before
    assert list(tmp_path.glob("awase-mutate-*")) == []


def test_stopped_it_leaves_no_copy_and_no_process(tmp_path: Path) -> None:
    run = start(tmp_path, "queues.py")
    try:
        until = time.monotonic() + 60
        while not (copies := list(tmp_path.glob("awase-mutate-*/mutants"))):
            assert time.monotonic() < until, "mutmut has not begun"
            time.sleep(0.05)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == NOT_FINISHED
    assert not copies[0].exists()
    assert not copies[0].parent.exists()


def test_a_word_that_means_nothing_is_refused_at_once(tmp_path: Path) -> None:
    run = start(tmp_path, "quues.py")
    assert "neither a group" in run.communicate()[1]
    assert run.returncode == NOT_FINISHED

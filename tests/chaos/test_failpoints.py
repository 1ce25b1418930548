"""A failpoint is nothing in service; told to, exactly one process dies, fails or stands still at it, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.parts import Failpoints

ROOT = Path(__file__).resolve().parents[2]
SITE = "before_put_profile_rule@workers.pretended.job"
JOB = """
def job():
    failpoint("before_PUT", "/api/v1/employees/5001/profile_rule", error=ConnectionError)
    print("went on")
"""
PROGRAM = f"""
from app.failpoints import failpoint
place = {{"__name__": "workers.pretended", "failpoint": failpoint}}
exec({JOB!r}, place)
for _ in range(2):
    try:
        place["job"]()
    except ConnectionError:
        print("failed")
"""


@pytest.fixture
def points(tmp_path: Path) -> Failpoints:
    made = Failpoints(tmp_path / "failpoints")
    made.prepare()
    return made


def start(points: Failpoints | None) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if name != "AWASE_FAILPOINTS"}
    if points is not None:
        env["AWASE_FAILPOINTS"] = str(points.folder)
    return subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def test_without_a_folder_nothing_happens(points: Failpoints) -> None:
    points.arm(SITE, "kill")
    process = start(None)
    assert process.communicate(timeout=60)[0] == "went on\nwent on\n"
    assert points.seen() == []


def test_boundaries_are_told_once_and_without_ids(points: Failpoints) -> None:
    assert start(points).communicate(timeout=60)[0] == "went on\nwent on\n"
    assert (points.folder / "seen").read_text() == f"{SITE}\n"
    assert points.hits() == []


def test_one_process_of_many_dies_once(points: Failpoints) -> None:
    points.arm(SITE, "kill")
    processes = [start(points) for _ in range(3)]
    codes = sorted((process.communicate(timeout=60), process.returncode)[1] for process in processes)
    assert codes == [-signal.SIGKILL, 0, 0]
    ((site, pid, _),) = points.hits()
    assert site == SITE and pid in [process.pid for process in processes]


def test_the_error_of_the_boundary_is_raised_once(points: Failpoints) -> None:
    points.arm(SITE, "raise")
    assert start(points).communicate(timeout=60)[0] == "failed\nwent on\n"


def test_a_frozen_process_goes_on_when_told(points: Failpoints) -> None:
    points.arm(SITE, "freeze")
    process = start(points)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=60)[0] == "went on\nwent on\n"


def test_what_was_not_reached_is_taken_back(points: Failpoints) -> None:
    points.arm("before_mail@app.use_cases.finish.notify.send_mail", "kill")
    assert points.disarm() == ["before_mail@app.use_cases.finish.notify.send_mail"]
    assert points.disarm() == []

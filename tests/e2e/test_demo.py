"""`make demo` as somebody runs it: exit code, printed lines, nothing left behind, and no way to a real system."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.practice.house.demo import Told, check_first, check_second
from app.practice.house.processes import ROOT
from tests.e2e.processes import below, command_of
from tests.e2e.strangers import Strangers


@pytest.fixture
def strangers() -> Iterator[Strangers]:
    with Strangers() as opened:
        yield opened


def demo(tmp_path: Path, strangers: Strangers, *arguments: str) -> subprocess.Popen[str]:
    """The demo with everything a real system's variables could hold, in a temporary folder of its own."""
    (tmp_path / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "app.practice.launch", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, **strangers.env, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_the_demo_goes_as_expected(tmp_path: Path, strangers: Strangers) -> None:
    running = demo(tmp_path, strangers)
    out, noise = running.communicate(timeout=500)
    assert running.returncode == 0, out + noise
    assert [line for line in out.splitlines() if line.startswith(("━━", "──"))] == [
        "━━ SmartHR → freee人事労務 ━━",
        "── もう一度: SmartHR → freee人事労務 ──",
        "━━ freee人事労務 → SmartHR ━━",
        "── もう一度: freee人事労務 → SmartHR ──",
    ]
    assert out.rstrip().endswith("すべて予定どおりの結果です。")
    assert re.findall(r"うち書き込み (\d+)", out)[1::2] == ["0", "0"]
    assert all(int(number) > 0 for number in re.findall(r"うち書き込み (\d+)", out)[::2])
    assert out.count("│ Subject: ") == 2
    assert out.count("│ To: jinji@example.com") == 2
    assert list((tmp_path / "tmp").iterdir()) == []
    assert strangers.callers == []


@pytest.mark.processes
@pytest.mark.timeout(600)
@pytest.mark.reach("all")
def test_an_outcome_that_is_not_the_expected_one_ends_with_1(tmp_path: Path, strangers: Strangers) -> None:
    """SmartHR refuses new people (the contract is full): who should have been created there fails."""
    running = demo(tmp_path, strangers, "--smarthr-switch", "plan_limit=true")
    out, noise = running.communicate(timeout=500)
    assert running.returncode == 1
    assert "予定と違う結果があります" in out
    assert re.search(r"× freee_to_smarthr: 失敗 2 件（予定 0 件）", out), out
    logs = Path(noise.rpartition("ログ: ")[2].strip())
    assert (logs / "worker_interactive.log").exists()
    assert strangers.callers == []


@pytest.mark.usefixtures("proc")
@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.reach("all")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_demo_that_is_broken_off_leaves_no_process(tmp_path: Path, strangers: Strangers, how: signal.Signals) -> None:
    running = demo(tmp_path, strangers)
    assert running.stdout is not None
    assert running.stdout.readline() == "\n"
    assert "━━" in running.stdout.readline()  # everything is up
    pids = below(running.pid)
    assert len(pids) > 10
    began = time.monotonic()
    running.send_signal(how)
    threading.Timer(0.5, running.send_signal, [how]).start()  # an impatient second time
    _, noise = running.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert running.returncode == 130
    assert "中断しました" in noise
    assert "Traceback" not in noise
    assert [command_of(pid) for pid in pids if command_of(pid)] == []


@pytest.mark.reach("all")
@pytest.mark.processes
@pytest.mark.timeout(300)
def test_a_practice_switch_that_does_not_exist_is_said(tmp_path: Path, strangers: Strangers) -> None:
    running = demo(tmp_path, strangers, "--freee-switch", "mood=true")
    _, noise = running.communicate(timeout=200)
    assert running.returncode == 1
    assert "practice_freee" in noise
    assert "mood" in noise
    assert "Traceback" not in noise


# ── the checks themselves ─────────────────────────────────────────────────────────────────────────────────────────────

DIRECTION = "smarthr_to_freee"


def told(states: dict[str, int], *, writes: int = 0, mails: int = 1, succeeded: int = 0) -> Told:
    from email.message import EmailMessage

    from app.practice.staff import practice_company

    total = sum(practice_company.expected_counts(DIRECTION, 0).values())
    items = tuple({"state": state} for state, number in states.items() for _ in range(number))
    run = {"progress": {"total": total}, "counts": {"succeeded": succeeded}}
    return Told(run, items, writes, tuple(EmailMessage() for _ in range(mails)))


def expected() -> dict[str, int]:
    from app.practice.staff import practice_company

    return practice_company.expected_counts(DIRECTION, 0)


def test_the_expected_outcome_is_no_problem() -> None:
    assert check_first(told(expected()), DIRECTION) == []
    assert check_second(told({})) == []


@pytest.mark.parametrize("mails", [0, 2])
def test_one_mail_and_not_another_number(mails: int) -> None:
    assert len(check_first(told(expected(), mails=mails), DIRECTION)) == 1
    assert len(check_second(told({}, mails=mails))) == 1


def test_one_person_with_another_outcome_is_two_wrong_numbers() -> None:
    states = expected()
    states["succeeded"] -= 1
    states["failed"] += 1
    problems = check_first(told(states), DIRECTION)
    assert len(problems) == 2
    assert any("失敗" in problem for problem in problems)


def test_a_state_nobody_expected_is_a_problem() -> None:
    problems = check_first(told({**expected(), "conflict": 1}), DIRECTION)
    assert problems == [f"{DIRECTION}: 要確認 1 件（予定 0 件）"]


def test_somebody_left_waiting_is_a_problem() -> None:
    states = expected()
    states["unchanged"] -= 1
    assert check_first(told({**states, "waiting": 1}), DIRECTION) != []


def test_a_second_run_that_writes_is_a_problem() -> None:
    assert len(check_second(told({}, writes=1))) == 1
    assert len(check_second(told({}, succeeded=1))) == 1


@pytest.mark.processes
def test_an_interruption_swallowed_by_a_finaliser_comes_again() -> None:
    """Python drops an exception raised inside `__del__`; the person has pressed Ctrl-C only once."""
    script = (
        "import os, signal, time\nfrom app.practice import launch\nlaunch._listen_to_signals()\n"
        "class Dropping:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGINT); time.sleep(0.05)\n"
        "it = Dropping()\ndel it\nprint('swallowed', flush=True)\n"
        "try:\n    time.sleep(30)\n"
        "except KeyboardInterrupt:\n    with launch.undisturbed():\n        print('noticed')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["swallowed", "noticed"]
    assert done.stderr == ""

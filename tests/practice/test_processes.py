"""Programs under the supervisor: started together, started again, stopped in order, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.practice.house.environment import Ports, StartError
from app.practice.house.process_lock import PID, command_of, end_leftovers, end_session, only_launcher, session
from app.practice.house.processes import ROOT, Processes, procfile

ENV = {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
MAILBOX = 'python -m app.practice.server mailbox --port {port} --control {control} --folder "%(ENV_DATA_DIR)s/mail"'


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Processes]]:
    all_of_them: list[Processes] = []

    def open_one(*, folder: Path = tmp_path, **programs: dict[str, str]) -> Processes:
        folder.mkdir(exist_ok=True)
        ground = programs.get("ground", {"ground_one": "sleep 1000"})
        made = Processes(folder, ground, programs.get("service", {"service_one": "sleep 1000"}), ENV)
        all_of_them.append(made)
        made.start()
        return made

    yield open_one
    for each in all_of_them:
        each.stop()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def log(processes: Processes) -> str:
    return (processes.logs / "supervisord.log").read_text(encoding="utf-8")


def spawned(processes: Processes, name: str) -> list[int]:
    """Its process ids so far."""
    lines = [line for line in log(processes).splitlines() if f"spawned: '{name}'" in line]
    return [int(line.rpartition(" ")[2]) for line in lines]


def in_session(leader: int) -> list[int]:
    """Everybody alive in a session, whoever it is."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == leader and command_of(int(entry.name)):
                found.append(int(entry.name))
        except ProcessLookupError:
            continue
    return found


def mailbox() -> tuple[dict[str, str], str]:
    """A program of ours with something to ask over HTTP, and the address to ask."""
    ports = Ports.wanted(0)
    command = MAILBOX.format(port=ports.mail, control=ports.web)
    return {"practice_mailbox": command}, f"http://127.0.0.1:{ports.web}/_practice/switches"


@pytest.mark.processes
def test_the_service_stops_before_what_it_stands_on(opened: Callable[..., Processes]) -> None:
    processes = opened(
        ground={"ground_one": "sleep 1000", "ground_two": "sleep 1000"},
        service={"service_one": "sleep 1000", "service_two": "sleep 1000"},
    )
    until(lambda: len(in_session(processes.pid)) == 5)  # the supervisor and four: a new process has no command at first
    pids = in_session(processes.pid)
    began = time.monotonic()
    processes.stop()
    assert time.monotonic() - began < 15
    assert [pid for pid in pids if command_of(pid)] == []
    stopped = [line.split("stopped: ")[1].split("_")[0] for line in log(processes).splitlines() if "stopped: " in line]
    assert stopped == ["service", "service", "ground", "ground"]


@pytest.mark.processes
def test_what_does_not_listen_to_sigterm_is_killed_with_its_children(opened: Callable[..., Processes]) -> None:
    stubborn = "sh -c \"trap '' TERM; echo ready; sleep 1000; sleep 1000\""
    processes = opened(service={"stubborn": stubborn})
    until(lambda: processes.last_words("stubborn") == "ready")
    pids = in_session(processes.pid)
    processes.stop()
    assert [pid for pid in pids if command_of(pid)] == []


@pytest.mark.processes
def test_a_killed_program_is_started_again(opened: Callable[..., Processes]) -> None:
    processes = opened()
    until(lambda: spawned(processes, "service_one"))
    os.kill(spawned(processes, "service_one")[0], signal.SIGKILL)
    until(lambda: len(spawned(processes, "service_one")) == 2)
    processes.stop()
    processes.stop()  # a second time is no mistake


@pytest.mark.reach("all")
@pytest.mark.processes
def test_a_program_that_keeps_falling_is_named_with_its_last_words(opened: Callable[..., Processes]) -> None:
    processes = opened(service={"falling": "sh -c \"echo first; echo 'the port is taken' >&2; exit 3\""})
    with pytest.raises(StartError) as told:
        processes.await_url("http://127.0.0.1:9/", seconds=60)
    assert "falling" in str(told.value)
    assert "the port is taken" in str(told.value)
    assert str(processes.logs) in str(told.value)


@pytest.mark.processes
def test_a_supervisor_that_cannot_start_is_said_at_once(opened: Callable[..., Processes]) -> None:
    processes = opened(service={"bad": "echo %(ENV_NOBODY_SET_THIS)s"})
    began = time.monotonic()
    with pytest.raises(StartError, match="supervisord"):
        processes.await_url("http://127.0.0.1:9/", seconds=60)
    assert time.monotonic() - began < 30


@pytest.mark.processes
def test_nobody_answers(opened: Callable[..., Processes]) -> None:
    with pytest.raises(StartError, match="応答しません"):
        opened().await_url("http://127.0.0.1:9/", seconds=0.5)


@pytest.mark.few(2)
@pytest.mark.processes
@pytest.mark.parametrize("name", ["with space", "100%d %(here)s", "a ;b #c", "練習", "it's", "d" * 120])
def test_a_folder_may_be_called_anything(opened: Callable[..., Processes], tmp_path: Path, name: str) -> None:
    program, url = mailbox()
    processes = opened(folder=tmp_path / name, ground=program)
    processes.await_url(url)
    assert (tmp_path / name / "mail").is_dir()
    assert (tmp_path / name / "log" / "practice_mailbox.log").exists()
    assert [each.name for each in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ['"', "\\", "\n"])
def test_a_folder_the_supervisor_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartError, match="フォルダ名"):
        Processes(tmp_path / f"a{name}b", {}, {}, ENV).start()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.reach("all")
@pytest.mark.processes
def test_when_the_supervisor_is_killed_its_orphans_are_ended(opened: Callable[..., Processes]) -> None:
    program, url = mailbox()
    processes = opened(ground=program)
    processes.await_url(url)
    orphans = spawned(processes, "practice_mailbox")
    os.kill(processes.pid, signal.SIGKILL)
    assert processes.wait() == -signal.SIGKILL
    assert session(processes.pid) == orphans
    processes.stop()
    assert [pid for pid in orphans if command_of(pid)] == []


@pytest.mark.reach("all")
@pytest.mark.processes
def test_leftovers_of_a_killed_launcher_are_ended_by_the_next(opened: Callable[..., Processes], tmp_path: Path) -> None:
    program, url = mailbox()
    processes = opened(ground=program)
    processes.await_url(url)
    pids = in_session(processes.pid)
    until(lambda: (tmp_path / PID).exists())
    assert end_leftovers(tmp_path) == 2  # the supervisor and the mailbox; `sleep` is a stranger to us
    processes.wait()
    assert [pid for pid in pids if command_of(pid)] == []


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone(tmp_path: Path) -> None:
    """Another house, for example: its processes look like ours."""
    stranger = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)", "workers.worker"], start_new_session=True
    )
    while not command_of(stranger.pid):
        time.sleep(0.01)  # just born: it has no command line yet, like one that is gone
    try:
        for written in (str(stranger.pid), f"{stranger.pid}\n", str(os.getpid()), "", "no number"):
            (tmp_path / PID).write_text(written, encoding="ascii")
            assert end_leftovers(tmp_path) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_is_none_of_ours_is_left_alone() -> None:
    stranger = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        assert end_session(stranger.pid) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_folder_never_used_has_no_leftovers(tmp_path: Path) -> None:
    assert end_leftovers(tmp_path / "new") == 0


def test_one_launcher_per_folder(tmp_path: Path) -> None:
    with only_launcher(tmp_path):
        with only_launcher(tmp_path / "other"):
            pass
        with pytest.raises(StartError, match=str(os.getpid())), only_launcher(tmp_path):
            pass
    with only_launcher(tmp_path):
        pass


@pytest.mark.processes
def test_the_lock_of_a_killed_launcher_is_free(tmp_path: Path) -> None:
    script = (
        "import sys, time, pathlib\nfrom app.practice.house.process_lock import only_launcher\n"
        "with only_launcher(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(1000)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(StartError, match=str(holder.pid)), only_launcher(tmp_path):
        pass
    holder.kill()
    holder.communicate()
    with only_launcher(tmp_path):
        pass


def test_a_procfile_is_read_as_foreman_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: python -m x.y z:app\n\nrelay:python -m workers.relay\n", encoding="utf-8")
    assert procfile(file) == {"web": "python -m x.y z:app", "relay": "python -m workers.relay"}

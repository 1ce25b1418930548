"""`make run` as somebody uses it: started, used by its own words, stopped, started again, killed, refused."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.practice.house.demo import Api
from app.practice.house.processes import ROOT
from app.safety.files import open_to_others
from app.safety.socket_path import embedded_socket
from tests.beginnings_outside import begin_outside
from tests.e2e.processes import below, command_of, kill, matching
from tests.e2e.strangers import Strangers

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(600),
    pytest.mark.usefixtures("proc"),
]
STARTED = "Ctrl-C で終了します"
Start = Callable[..., "Launcher"]


class Launcher:
    """A running `make run` and what it has printed so far."""

    def __init__(self, folder: Path, *arguments: str, **env: str) -> None:
        self.printed = folder.parent / f"{folder.name}-{time.monotonic_ns()}.txt"
        with self.printed.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.practice.launch", "run", "--folder", str(folder), *arguments],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=out,
                stderr=out,
                umask=0,  # what it makes is private all the same
            )

    @property
    def text(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    def up(self) -> Launcher:
        end = time.monotonic() + 180
        while STARTED not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < end, self.text
            time.sleep(0.1)
        return self

    def value(self, label: str) -> str:
        found = re.search(rf"^  {label} +(\S+)", self.text, flags=re.MULTILINE)
        assert found, self.text
        return found[1]

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.value('API キー')}"}
        return requests.get(f"{self.value('Awase')}/api/v1/{path}", headers=headers, timeout=30).json()

    def pasted(self, begins: str) -> Any:
        """Paste the printed command that begins so into a shell; returns its JSON."""
        command = next(each for each in self.text.split("\n\n") if each.startswith(begins))
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        assert not isinstance(answer.get("status"), int), answer  # a problem document
        return answer

    def ended_run(self, run_id: str) -> Any:
        end = time.monotonic() + 120
        while (run := self.get(f"runs/{run_id}"))["finished_at"] is None:
            assert time.monotonic() < end
            time.sleep(0.3)
        return run

    def mails(self, expected: int) -> int:
        """How many came, with time for as many as are expected: they are sent after their runs have ended."""
        folder, end = Path(self.value("届いたメール")), time.monotonic() + 60
        while (found := len(list(folder.glob("*.eml")))) < expected and time.monotonic() < end:
            time.sleep(0.2)
        return found

    def stop(self, how: signal.Signals = signal.SIGINT) -> float:
        """Seconds until it had ended."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(60)
        return time.monotonic() - began


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Launcher] = []

    def start_one(*arguments: str, folder: Path = tmp_path / "var", **env: str) -> Launcher:
        folder.parent.mkdir(exist_ok=True)
        started.append(Launcher(folder, *arguments, **env))
        return started[-1]

    yield start_one
    for each in started:
        if each.process.poll() is None:
            each.stop()


def test_a_life_of_a_house(start: Start, tmp_path: Path) -> None:
    with Strangers() as strangers:
        first = start(**strangers.env).up()
        run = first.ended_run(first.pasted("curl -X POST")["id"])
        assert run["counts"]["succeeded"] > 0
        assert first.pasted("curl http")["items"][0]["id"] == run["id"]
        assert first.mails(2) == 2  # one is of the sync that the first start makes
        assert first.pasted("curl -X PUT")["position"] == "部長"
        assert strangers.callers == []
    assert list(open_to_others(tmp_path / "var")) == []

    second = start()
    assert second.process.wait(60) == 1
    assert str(first.process.pid) in second.text
    assert "すでに使われています" in second.text
    assert first.get("queue")  # undisturbed

    everybody = below(first.process.pid)
    assert first.stop() < 20
    assert first.process.returncode == 0
    assert [command_of(pid) for pid in everybody if command_of(pid)] == []
    assert "Traceback" not in first.text


@pytest.mark.reach("all")
def test_a_house_goes_on_where_it_was_left_however_it_ended(start: Start, tmp_path: Path) -> None:
    first = start().up()
    run = first.ended_run(first.pasted("curl -X POST")["id"])
    assert first.pasted("curl -X PUT")["position"] == "部長"
    first.stop()

    for left_open in (tmp_path / "var" / "awase.db", *(tmp_path / "var" / "log").iterdir()):
        left_open.chmod(0o666)  # as an earlier version would have made it
    third = start().up()  # the vendors remember: one edit on the screen is one difference
    assert third.value("API キー") == first.value("API キー")
    again = third.ended_run(third.pasted("curl -X POST")["id"])
    assert again["counts"]["succeeded"] == 1
    assert again["counts"]["unchanged"] >= run["counts"]["succeeded"]

    assert list(open_to_others(tmp_path / "var")) == []

    left = below(third.process.pid)
    third.process.kill()
    third.process.wait()
    assert any(command_of(pid) for pid in left)
    fourth = start().up()
    assert "残っていた" in fourth.text
    assert [command_of(pid) for pid in left if command_of(pid)] == []
    assert fourth.value("API キー") == first.value("API キー")
    everybody = below(fourth.process.pid)
    fourth.stop(signal.SIGTERM)
    assert [command_of(pid) for pid in everybody if command_of(pid)] == []


@pytest.mark.reach("all")
def test_once_switched_on_an_edit_at_smarthr_goes_to_freee_and_freees_echo_comes_back(start: Start) -> None:
    """Both vendors know where to tell of changes; until somebody switches it on nothing follows from it."""
    launcher = start(QUIET_SECONDS="0").up()
    launcher.pasted("curl -X PUT")
    smarthr = launcher.value("練習用の SmartHR").partition("/_practice")[0]
    wait_for(lambda: requests.get(f"{smarthr}/_practice/webhooks", timeout=30).json()["deliveries"])
    assert {run["trigger"] for run in launcher.get("runs")["items"]} == {"api"}  # what the first start leaves to see

    command = next(each for each in launcher.text.split("\n\n") if "set-automatic" in each)
    done = subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, check=True)
    assert "両方向" in done.stdout and "注意" not in done.stdout and "確認してから始まります" in done.stdout
    begin_outside(Api(launcher.value("Awase"), launcher.value("API キー")))
    assert requests.put(f"{smarthr}/_practice/crews/0001", json={"position": "課長"}, timeout=30).ok

    def ended() -> set[tuple[str, bool]]:
        """(direction, whether something was written) of the runs that notifications began."""
        runs = launcher.get("runs")["items"]
        told = [run for run in runs if run["trigger"] == "webhook" and run["finished_at"]]
        return {(run["direction"], run["counts"]["succeeded"] > 0) for run in told}

    wait_for(lambda: ended() >= {("smarthr_to_freee", True), ("freee_to_smarthr", False)})


def wait_for(found: Callable[[], Any], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.3)


@pytest.mark.reach("all")
def test_when_the_supervisor_dies_the_launcher_says_so(start: Start) -> None:
    launcher = start().up()
    everybody = below(launcher.process.pid)
    kill(matching(launcher.process.pid, "supervisor.supervisord")[0])
    assert launcher.process.wait(60) == 1
    assert "supervisord が終了しました" in launcher.text
    assert [command_of(pid) for pid in everybody if command_of(pid)] == []


@pytest.mark.reach("all")
def test_a_database_deleted_alone_gets_a_connection_again(start: Start, tmp_path: Path) -> None:
    first = start().up()
    key = first.value("API キー")
    first.stop()
    for file in (tmp_path / "var").glob("awase.db*"):
        file.unlink()
    second = start().up()
    assert second.value("API キー") != key
    assert second.get("connections")["items"][0]["key"] == second.value("練習用の接続")


@pytest.mark.reach("all")
def test_a_start_broken_off_between_connection_and_key_goes_on(start: Start, tmp_path: Path) -> None:
    first = start().up()
    connection = first.value("練習用の接続")
    first.stop()
    (tmp_path / "var" / "practice.json").write_text('{"connection": ', encoding="utf-8")
    second = start().up()
    assert second.value("練習用の接続") == connection
    assert [each["key"] for each in second.get("connections")["items"]] == [connection]


@pytest.mark.reach("all")
def test_a_path_full_of_traps(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / f"a b%d %(here)s ;c #d'é練習?{'x' * 100}" / "var"
    launcher = start(folder=folder).up()
    run = launcher.ended_run(launcher.pasted("curl -X POST")["id"])
    assert run["counts"]["succeeded"] > 0
    assert (folder / "awase.db").exists()
    assert (folder / "practice-freee.json").exists()
    socket_folder = embedded_socket(folder).parent
    assert socket_folder != folder
    assert socket_folder.is_dir()
    launcher.stop()
    assert not socket_folder.exists()
    assert [each.name for each in folder.parent.iterdir() if each.is_dir()] == ["var"]


@pytest.mark.reach("all")
def test_two_houses_started_in_the_same_moment_keep_apart(start: Start, tmp_path: Path) -> None:
    """Both find the usual ports free, seconds before anybody listens there."""
    both = [start(folder=tmp_path / name) for name in ("one", "other")]
    for each in both:
        each.up()
    assert both[0].value("Awase") != both[1].value("Awase")
    runs = [each.pasted("curl -X POST")["id"] for each in both]
    assert runs[0] != runs[1]
    for each, run in zip(both, runs, strict=True):
        assert each.ended_run(run)["counts"]["succeeded"] > 0
        known = [other["id"] for other in each.get("runs")["items"]]
        assert (known[0], len(known)) == (run, 3)  # and the two of the first start


@pytest.mark.reach("all")
def test_a_vendor_that_had_to_start_afresh_is_told_to_the_person(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "practice-smarthr.json").write_text("?", encoding="utf-8")
    assert "※ practice-smarthr.json は使えないため" in start().up().text


@pytest.mark.reach("all")
def test_several_companies_have_a_connection_each_and_one_that_comes_later_joins(start: Start) -> None:
    first = start("--companies", "2").up()
    both = [each["key"] for each in first.get("connections")["items"]]
    assert len(both) == 2 and first.value("練習用の接続") in both
    assert [line for line in first.text.splitlines() if line.endswith("(?company=2)")] == [f"{both[1]:>46}(?company=2)"]
    first.stop()
    second = start("--companies", "3").up()
    keys = [each["key"] for each in second.get("connections")["items"]]
    assert keys[:2] == both and len(keys) == 3
    body = {"connection": keys[2], "direction": "smarthr_to_freee", "as_of_date": "2026-11-22", "employees": "all"}
    run = Api(second.value("Awase"), second.value("API キー")).post("/api/v1/runs", body)
    assert second.ended_run(run["id"])["counts"]["succeeded"] > 0


# ── refused at once ───────────────────────────────────────────────────────────────────────────────────────────────────


def refusal(launcher: Launcher) -> str:
    assert launcher.process.wait(60) == 1, launcher.text
    assert "Traceback" not in launcher.text
    assert below(launcher.process.pid) == []
    return launcher.text


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_busy_port_that_was_asked_for(start: Start, way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        launcher = start("--port", port) if way == "option" else start(PORT=port)
        assert port in refusal(launcher)


@pytest.mark.few(2)
@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "65536"), ("--port", "http"), ("--employees", "1")])
def test_wrong_arguments(start: Start, arguments: tuple[str, str]) -> None:
    launcher = start(*arguments)
    assert launcher.process.wait(60) == 2
    assert arguments[0] in launcher.text


@pytest.mark.few(2)
@pytest.mark.parametrize("switch", ["mood", "mood=", "mood=sunny", "a b=true", "=true"])
def test_wrong_switches(start: Start, switch: str) -> None:
    launcher = start("--smarthr-switch", switch)
    assert launcher.process.wait(60) == 2
    assert "NAME=JSON" in launcher.text


def test_a_port_variable_that_is_none(start: Start) -> None:
    launcher = start(PORT="http")
    assert launcher.process.wait(60) == 2
    assert "--port" in launcher.text


@pytest.mark.parametrize("url", ["nonsense", "redis://:geheim@127.0.0.1:9/0"])
def test_a_broken_redis_url(start: Start, url: str) -> None:
    told = refusal(start(REDIS_URL=url))
    assert "REDIS_URL" in told
    assert "geheim" not in told


def test_a_setting_that_is_wrong(start: Start) -> None:
    assert "LEASE_SECONDS は数で指定してください" in refusal(start(LEASE_SECONDS="soon"))


def test_damaged_secrets(start: Start, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secrets.env").write_text("", encoding="utf-8")
    assert "secrets.env" in refusal(start())

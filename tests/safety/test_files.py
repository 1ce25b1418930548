"""Files of this machine are for their owner only: what is made under any umask, and what was left by an earlier one."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.practice.house.connecting import command
from app.practice.house.environment import Ports, environment
from app.practice.house.process_lock import only_launcher
from app.practice.house.processes import Processes
from app.practice.launch import in_folder
from app.safety.files import is_shared, mend, open_to_others, private_folder
from app.wiring import keep_files_private
from tests.practice.test_processes import until
from tests.restored import restored

ROOT = Path(__file__).resolve().parents[2]
UMASKS = [0o000, 0o022, 0o077]


@pytest.fixture(params=UMASKS, ids=[f"{umask:03o}" for umask in UMASKS])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    with restored(request.param):
        yield request.param


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): mode(path) for path in (folder, *folder.rglob("*")) if not path.is_symlink()}


def untidy(folder: Path) -> Path:
    """A data folder as an earlier version has left it under umask 000."""
    before = os.umask(0)
    try:
        for each in (folder, folder / "log", folder / "mail"):
            each.mkdir()
        for name in ("awase.db", "awase.db-wal", "awase.db-shm", "log/web.log", "log/web.log.1", "mail/1.eml", "pid"):
            (folder / name).write_text("x")
        (folder / "flask").write_text("x")
        (folder / "flask").chmod(0o755)
    finally:
        os.umask(before)
    return folder


def test_what_an_earlier_version_left_is_mended(tmp_path: Path, umask: int) -> None:
    folder = untidy(tmp_path / "var")
    assert len(list(open_to_others(folder))) == len(modes(folder)) == 11
    private_folder(folder)
    assert list(open_to_others(folder)) == []
    found = modes(folder)
    assert {name for name, bits in found.items() if bits == 0o700} == {".", "log", "mail", "flask"}
    assert set(found.values()) == {0o700, 0o600}
    assert mend(folder) == 0


def test_a_link_is_not_followed_and_a_shared_folder_not_touched(tmp_path: Path) -> None:
    folder, elsewhere = untidy(tmp_path / "var"), tmp_path / "elsewhere"
    elsewhere.write_text("x")
    elsewhere.chmod(0o644)
    (folder / "link").symlink_to(elsewhere)
    mend(folder)
    assert mode(elsewhere) == 0o644
    for each in (Path("/"), Path("/tmp"), Path("/var"), Path.home(), ROOT, ROOT.parent):
        assert is_shared(each)
    assert not is_shared(folder) and not is_shared(Path("/var/lib/awase")) and not is_shared(Path("/data"))


@pytest.mark.processes
@pytest.mark.parametrize("umask", [0o000], indirect=True)
def test_every_part_of_a_house_makes_private_files(tmp_path: Path, umask: int) -> None:
    """A folder of an earlier version, the commands, the launcher's own files, programs and whatever they write."""
    folder = untidy(tmp_path / "var")
    (folder / "awase.db").unlink()
    env = environment(folder, Ports(1, 2, 3, 4), around={"PATH": os.environ["PATH"]})
    command(env, "flask", "db", "upgrade")
    assert list(open_to_others(folder)) == []
    programs = {name: f"sh -c 'umask > \"{in_folder(name)}\"; sleep 1000'" for name in ("ground", "service")}
    house = Processes(folder, {"ground": programs["ground"]}, {"service": programs["service"]}, env)
    with only_launcher(folder):
        house.start()
        try:
            until(lambda: all((folder / name).is_file() and (folder / name).read_text() for name in programs))
        finally:
            house.stop()
    assert {(folder / name).read_text().strip() for name in programs} == {"0077"}  # so it is for whatever comes later
    assert list(open_to_others(folder)) == []


def test_sqlite_makes_its_further_files_as_private_as_the_first(tmp_path: Path, umask: int) -> None:
    """What SQLite makes anew beside the database (WAL, its index, a journal) has the rights of the database's file."""
    file = tmp_path / "awase.db"
    file.touch(0o600)
    with sqlite3.connect(file) as one:
        one.execute("PRAGMA journal_mode=WAL")
        one.execute("CREATE TABLE t (x)")
        made = {path.name: mode(path) for path in tmp_path.iterdir()}
    one.close()
    assert made == {f"awase.db{end}": 0o600 for end in ("", "-wal", "-shm")}


def test_a_process_that_stays_mends_its_folder_and_a_database_elsewhere(tmp_path: Path, umask: int) -> None:
    folder, elsewhere = untidy(tmp_path / "var"), tmp_path / "elsewhere.db"
    for end in ("", "-wal"):
        Path(f"{elsewhere}{end}").touch()
        Path(f"{elsewhere}{end}").chmod(0o666)
    keys = {"SECRET_KEY": "k" * 32, "ENCRYPTION_KEYS": "an-invented-encryption-key"}
    keep_files_private(Settings.from_env({**keys, "DATA_DIR": str(folder), "DATABASE_URL": f"sqlite:///{elsewhere}"}))
    assert list(open_to_others(folder)) == []
    assert {mode(Path(f"{elsewhere}{end}")) for end in ("", "-wal")} == {0o600}
    (tmp_path / "later").touch()
    assert mode(tmp_path / "later") == 0o600

"""The identity of an installation: the same for whoever shares its file, another one for whoever has a copy of what
stands in the data folder, and never half a file."""

from __future__ import annotations

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.safety import identity
from app.safety.identity import NoIdentity, existing_identity, identity_in

GIVEN = "an-invented-identity-of-more-than-32-characters"


def test_it_is_made_once_and_stays(tmp_path: Path) -> None:
    file = tmp_path / "var" / "house.id"
    assert existing_identity(file) is None and not file.parent.exists()
    first = identity_in(file, bound=True)
    assert identity_in(file, bound=True) == first == existing_identity(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["house.id"], "nothing is left of the making"


def test_many_who_start_at_once_have_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: identity_in(tmp_path / "house.id", bound=True), range(64)))
    assert len(found) == 1


@pytest.mark.parametrize("keeping_times", [True, False])
def test_a_copy_of_the_data_folder_is_another_house(tmp_path: Path, keeping_times: bool) -> None:
    here = identity_in(tmp_path / "var" / "house.id", bound=True)
    copy = shutil.copy2 if keeping_times else shutil.copy
    shutil.copytree(tmp_path / "var", tmp_path / "copy", copy_function=copy)
    assert identity_in(tmp_path / "copy" / "house.id", bound=True) != here
    (tmp_path / "var").rename(tmp_path / "moved")
    assert identity_in(tmp_path / "moved" / "house.id", bound=True) == here


def test_another_machine_is_another_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine tells its id in a file of the system's."""
    monkeypatch.setattr(identity, "_CONTAINER_SIGNS", ())
    found = []
    for number in ("1" * 32, "2" * 32, "uninitialized"):
        machine = tmp_path / "machine-id"
        machine.write_text(f"{number}\n")
        monkeypatch.setattr(identity, "_MACHINE_ID", machine)
        found.append(identity_in(tmp_path / "house.id", bound=True))
    assert len(set(found)) == 3


def test_in_a_container_the_machine_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign, machine = tmp_path / "sign", tmp_path / "machine-id"
    sign.touch()
    monkeypatch.setattr(identity, "_CONTAINER_SIGNS", (sign,))
    monkeypatch.setattr(identity, "_MACHINE_ID", machine)
    machine.write_text("1" * 32)
    first = identity_in(tmp_path / "house.id", bound=True)
    machine.write_text("2" * 32)
    assert identity_in(tmp_path / "house.id", bound=True) == first


def test_a_file_that_is_given_counts_everywhere(tmp_path: Path) -> None:
    (tmp_path / "one").write_text(GIVEN)
    (tmp_path / "two").write_text(f"{GIVEN}\n")
    assert identity_in(tmp_path / "one", bound=False) == identity_in(tmp_path / "two", bound=False)
    made = identity_in(tmp_path / "three", bound=False)
    shutil.copy(tmp_path / "three", tmp_path / "four")
    assert identity_in(tmp_path / "four", bound=False) == made


def test_what_cannot_be_used_says_so_without_its_content(tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("guessable")
    (tmp_path / "binary").write_bytes(b"\xff" * 64)
    for file in (short, tmp_path / "binary", tmp_path, tmp_path / "short" / "below"):
        with pytest.raises(NoIdentity, match="HOUSE_FILE") as refused:
            identity_in(file, bound=False)
        assert "guessable" not in str(refused.value)
    assert isinstance(existing_identity(short), NoIdentity)


def test_nothing_of_the_file_is_shown(tmp_path: Path) -> None:
    (tmp_path / "given").write_text(GIVEN)
    found = identity_in(tmp_path / "given", bound=False)
    assert GIVEN not in repr(found) and found.digest.startswith(found.mark)
    assert len(found.digest) == 64

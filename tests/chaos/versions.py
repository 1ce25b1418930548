"""F22: the version before the newest migration and this one, side by side on one database, and one after the other.

The older one is unpacked from git's history beside the house (`git archive`: nothing here changes). Where there is no
history, as in a shallow clone, this is told and not played.
"""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from app.practice.house.processes import ROOT
from tests.chaos.deployment import PROGRAMS, checkout_of, run_in, running
from tests.chaos.judge import Broken
from tests.chaos.scene import NotReached, Scene
from tests.chaos.workload import TO_SMARTHR

MIGRATIONS = Path("app/storage/migrations/versions")


def older_checkout(folder: Path) -> Path | None:
    """The last version that does not know the newest migration, unpacked in `folder`; None where git knows of none."""
    migrations = sorted((ROOT / MIGRATIONS).glob("[0-9]*.py"))
    if len(migrations) < 2:
        return None
    newest = MIGRATIONS / migrations[-1].name
    try:
        added = _git("log", "--diff-filter=A", "--format=%H", "--", newest.as_posix()).split()
        checkout = unpacked(f"{added[-1]}^" if added else "HEAD", folder)
    except (OSError, subprocess.SubprocessError):
        return None
    is_older = (checkout / "wsgi.py").exists() and not (checkout / newest).exists()
    return checkout if is_older else None


def unpacked(commit: str, folder: Path) -> Path:
    """The project as it was at this commit, in a new folder below `folder`. Raises CalledProcessError or OSError where
    git does not know the commit, or where there is no git."""
    checkout, packed = folder / "checkout", folder / "checkout.tar"
    folder.mkdir(parents=True, exist_ok=True)
    _git("archive", "--format=tar", f"--output={packed}", commit)
    with tarfile.open(packed) as archive:
        # Debian 12's Python (3.11.2) knows no filter yet; the archive is git's own.
        archive.extractall(checkout, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    packed.unlink()
    return checkout.resolve()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def side_by_side(scene: Scene) -> None:
    """The database is migrated under the older version's running processes; a worker of this version joins theirs; then
    they are replaced one by one, with work going on all the time."""
    house = scene.house
    scene.start(6, 2)
    scene.await_writes(2)
    _migrate(scene)
    scene.start(3, 1)
    with house.another("workers.worker", "interactive"):
        scene.start(4, 2)
        scene.start(2, 0, direction=TO_SMARTHR)
        house.deployment.put_in_service(ROOT)
        for program in PROGRAMS:
            house.deployment.replace_one_by_one(house.processes.pid, program)
            scene.start(1, 0)
    scene.over()
    scene.findings += judge_checkouts([checkout_of(pid) for pid in running(house.processes.pid)])


def one_after_the_other(scene: Scene) -> None:
    """The older version is stopped with work open, its database migrated, and this version finds that work."""
    house = scene.house
    scene.start(8, 2)
    scene.start(4, 0, direction=TO_SMARTHR)
    scene.await_writes(2)
    house.stop_service()
    if not _open_items(scene):
        raise NotReached("the work was over before")
    _migrate(scene)
    house.start_service()
    scene.over()
    scene.findings += judge_checkouts([checkout_of(pid) for pid in running(house.processes.pid)])


def judge_checkouts(found: list[Path | None]) -> list[Broken]:
    """Everything that runs is this version."""
    others = [each for each in found if each != ROOT]
    if others or len(found) != len(PROGRAMS):
        return [Broken("I9", f"{len(found)} programs run, {len(others)} of them not this version's")]
    return []


def _migrate(scene: Scene) -> None:
    run_in(ROOT, scene.house.env, "-m", "flask", "db", "upgrade")


def _open_items(scene: Scene) -> int:
    return scene.house.count("SELECT count(*) FROM items WHERE state IN ('waiting', 'running')")

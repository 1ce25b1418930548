"""`python -m tests.upgrades.make [REVISION …]`: makes what each release (or these) leaves anew, with its own code.

Needs the project's history and the installed requirements of today: the releases so far run with these.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.chaos.versions import unpacked
from tests.upgrades.releases import RELEASES, Release

LEAVE = Path(__file__).with_name("leave.py").resolve()


def make(release: Release) -> None:
    """Raises CalledProcessError when the release's own code fails."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = unpacked(release.commit, Path(folder))
        env = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, str(LEAVE), str(release.file)], cwd=checkout, env=env, check=True)


def main(wanted: list[str]) -> None:
    for release in RELEASES:
        if not wanted or release.revision in wanted:
            make(release)
            print(release.revision, release.file.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1:])

"""A release with one item more: this version's code, copied, with all that an item takes added and nothing else.

The item is invented for this: both vendors' contracts hold a mail address, and we do not exchange it. `ADDED` is the
whole of it: a row, a line in each vendor's schema, the English label.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.domain.mapping import BY_KEY
from tests.house import House

ROOT = Path(__file__).resolve().parents[2]
KEY = "email"
ADDED = {
    "app/domain/mapping.py": (
        "    # 税 ─",
        f'    FieldMapping(key="{KEY}", numbers=(32,), label="メールアドレス", step=_PROFILE,\n'
        f'                 smarthr=at("email", codec=Text()),\n'
        f'                 freee=at("profile_rule.email", codec=_FREEE_TEXT)),\n',
    ),
    "app/adapters/smarthr/schemas.py": ("    gender = _text()\n", "    email = _text()\n"),
    "app/adapters/freee/schemas.py": ("    gender = _text()\n", "    email = _text()\n"),
    "app/web/texts/en/words.toml": ('first_name = "First name"\n', f'{KEY} = "Mail address"\n'),
}
"""File → (what stands behind the new lines, the new lines)."""
FOLDERS, FILES = ("app", "workers", "tests", "docs"), ("pyproject.toml", "README.md")


def with_one_item_more(folder: Path) -> Path:
    """The checkout of the newer release in this folder. Raises ValueError where the invented item is one by now."""
    if KEY in BY_KEY:
        raise ValueError(f"{KEY} is exchanged: invent another item in {Path(__file__).name}")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "kept", "screenshots"))
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name, (before, lines) in ADDED.items():
        text = (folder / name).read_text(encoding="utf-8")
        if text.count(before) != 1:
            raise ValueError(f"{name} no longer holds {before!r} once")
        (folder / name).write_text(text.replace(before, lines + before), encoding="utf-8")
    return folder


def run_in(checkout: Path, *arguments: str) -> str:
    """What Python says, run with the newer release's own code. Raises CalledProcessError, with what it has said."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=checkout, env=env, capture_output=True, text=True, timeout=240
    )
    if done.returncode:
        raise AssertionError(f"{done.stdout}\n{done.stderr}")
    return done.stdout


def swept_by(checkout: Path, house: House) -> dict[str, Any]:
    """What a sweep of this house tells that a process of the newer release carries out. The house's clock goes on."""
    settings = house.ctx.settings
    told = {
        "now": house.clock.now().isoformat(),
        "folder": str(settings.data_dir),
        "smarthr": house.servers[0].url,
        "freee": house.servers[1].url,
        "variables": {"DATABASE_URL": settings.database_url, "FREEE_WEBHOOK_TOKEN": settings.freee_webhook_token},
    }
    found: dict[str, Any] = json.loads(
        run_in(checkout, "-m", "tests.upgrades.newer_release", json.dumps(told)).splitlines()[-1]
    )
    house.clock.turn(seconds=found["seconds"])
    return found

"""Who may read the files of this machine, whether we may write them, and how much room there is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from app.config import Settings
from app.safety.env_file import env_file
from app.safety.files import CODE, is_open, is_shared, open_to_others
from app.safety.findings import Finding, bad, notice, ok
from app.storage.schema import sqlite_files

SHOWN = 5
LITTLE, TOO_LITTLE = 1 << 30, 100 << 20
"""Free bytes that are told, and that stop the database soon."""


def look_at_files(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not folder.is_dir():
        above = _there(folder)
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            yield bad("data_dir_impossible", "DATA_DIR のフォルダを作れません。", "場所と権限を確認してください。")
            return
        yield notice(
            "data_dir_missing", "DATA_DIR のフォルダがまだありません。", "flask db upgrade を実行すると作られます。"
        )
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield bad("data_dir_read_only", "DATA_DIR に書き込めません。", "フォルダの持ち主と権限を確認してください。")
    shared = is_shared(folder)
    if shared:
        yield notice("data_dir_shared", "DATA_DIR はほかのものも入るフォルダなので、権限を直していません。",
                     "Awase だけが使うフォルダにしてください。")  # fmt: skip
    yield from _open_files(settings, folder, shared=shared)


def _open_files(settings: Settings, folder: Path, *, shared: bool) -> Iterator[Finding]:
    inside = [] if shared else list(islice(open_to_others(folder, anybody=True), SHOWN + 1))
    single = {*sqlite_files(settings.database_url), Path(".env").absolute(), CODE / ".env", *filter(None, [env_file()])}
    if settings.secrets_file:
        single.add(Path(settings.secrets_file).absolute())
    outside = [file for file in sorted(single) if folder not in file.parents and file.is_file() and is_open(file, True)]
    found = [*(str(file.relative_to(folder.resolve())) for file in inside), *map(str, outside)]
    if not found:
        yield ok("files_ok", "ファイルとフォルダは、持ち主だけが読み書きできます。")
        return
    more = "、ほか" if len(found) > SHOWN else ""
    yield bad(
        "files_open",
        f"ほかの利用者が読み書きできるファイルがあります: {'、'.join(found[:SHOWN])}{more}",
        "Awase を起動し直すと DATA_DIR の中は直ります。ほかは chmod 600(フォルダは 700)にしてください。",
    )


def look_at_disk(settings: Settings) -> Iterator[Finding]:
    folders = {settings.data_dir, *(file.parent for file in sqlite_files(settings.database_url)[:1])}
    free = min(shutil.disk_usage(_there(folder)).free for folder in folders)
    told = f"ディスクの空きは {free / (1 << 20):,.0f} MiB です。"
    if free >= LITTLE:
        yield ok("disk_ok", told)
        return
    level = bad if free < TOO_LITTLE else notice
    yield level(
        "disk_low", told, "要らないファイルを消すか、容量を増やしてください。書き込めないと受け付けが止まります。"
    )


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())

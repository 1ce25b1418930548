"""Whether the data folder can be used, as a sentence at the start instead of a traceback later."""

from __future__ import annotations

import os
from pathlib import Path

from app.safety.faults import Fault
from app.safety.files import FOLDER


def faults_of_folder(folder: Path) -> list[Fault]:
    """Make the folder where it is missing. What keeps this process from working in it."""
    try:
        folder.mkdir(parents=True, mode=FOLDER, exist_ok=True)
    except OSError:
        return [Fault("data_dir_impossible", "DATA_DIR", "のフォルダを作れません。", _WRITABLE)]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [Fault("data_dir_read_only", "DATA_DIR", "に書き込めません。", _WRITABLE)]
    return []


_WRITABLE = "サービスの利用者が書き込めるフォルダを指定してください。"

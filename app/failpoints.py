"""Failpoints: named boundaries at which the fault suite (`make chaos`) lets a real process die, fail or stand still.

They are off in service: unless AWASE_FAILPOINTS names a folder when the process starts, `failpoint()` looks at one
global and returns. With a folder, every boundary writes its name once to `<folder>/seen`, so that the suite knows all
of them. A file `<folder>/armed/<name>` tells what shall happen at that boundary. It happens once, in the one process
that takes the file (by moving it to `<folder>/hit/<name>.<pid>`): `kill` = SIGKILL to itself, `freeze` = SIGSTOP to
itself, `raise` = the error that this boundary really knows. Names hold kinds and functions, never an id or a value.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_FOLDER = Path(os.environ["AWASE_FAILPOINTS"]) if os.environ.get("AWASE_FAILPOINTS") else None
_CALLERS = ("app.use_cases.", "workers.", "app.web.")
_seen: set[str] = set()


def failpoint(kind: str, path: str = "", *, error: Callable[[], Exception]) -> None:
    """Mark a boundary: `kind` says which (`before_commit`), the last word of a request's `path` tells requests apart.

    Raises the error that `error` makes, when the suite has armed this boundary with `raise`.
    """
    if _FOLDER is not None:
        _reached(_FOLDER, site_of(kind, path), error)


def site_of(kind: str, path: str = "") -> str:
    """`<kind>[_<last word of path>]@<module.function of the nearest caller in a use case, a worker or the web>`."""
    words = [part for part in path.split("/") if re.fullmatch(r"[a-z]+(_[a-z]+)*", part)]
    frame = sys._getframe(1)
    while frame.f_back is not None and not frame.f_globals.get("__name__", "").startswith(_CALLERS):
        frame = frame.f_back
    place = f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_name}"
    return re.sub(r"[^\w.@-]", "_", "_".join([kind.lower(), *words[-1:]]) + f"@{place}")


def _reached(folder: Path, site: str, error: Callable[[], Exception]) -> None:
    if site not in _seen:
        _seen.add(site)
        with (folder / "seen").open("a", encoding="ascii") as out:
            out.write(f"{site}\n")
    hit = folder / "hit" / f"{site}.{os.getpid()}"
    try:
        (folder / "armed" / site).rename(hit)  # when several processes are here at once, only one succeeds
    except FileNotFoundError:
        return
    _do(hit.read_text(encoding="ascii").strip(), error)


def _do(what: str, error: Callable[[], Exception]) -> None:
    if what == "raise":
        raise error()
    os.kill(os.getpid(), {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}[what])

"""`python -m app.web.serving wsgi:app`: the web process. BIND, PORT, WEB_THREADS; WEB_CONCURRENCY processes answer."""

from __future__ import annotations

import os
import sys

from app.config import Settings, SettingsError
from app.safety.faults import Fault
from app.web.serving.processes import serve


def main() -> int:
    application = sys.argv[1] if len(sys.argv) == 2 else ""
    if ":" not in application:
        print("usage: python -m app.web.serving MODULE:NAME", file=sys.stderr)  # noqa: T201
        return 2
    try:
        settings = Settings.from_env()
        processes = _processes()
    except SettingsError as refused:
        print(refused, file=sys.stderr)  # noqa: T201
        return 1
    return serve(application, settings, processes=processes)


def _processes() -> int:
    """How many processes answer. Raises SettingsError."""
    given = os.environ.get("WEB_CONCURRENCY") or "1"
    if not given.isdecimal() or int(given) < 1:
        raise SettingsError([Fault("setting_malformed", "WEB_CONCURRENCY", "は 1 以上の整数にしてください。")])
    return int(given)


if __name__ == "__main__":
    sys.exit(main())

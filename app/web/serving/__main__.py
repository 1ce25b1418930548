"""`python -m app.web.serving wsgi:app`: the web process. BIND, PORT, WEB_THREADS; WEB_CONCURRENCY processes answer."""

from __future__ import annotations

import os
import sys

from app.config import Settings, SettingsError
from app.web.serving.processes import serve


def main() -> int:
    application = sys.argv[1] if len(sys.argv) == 2 else ""
    if ":" not in application:
        print("usage: python -m app.web.serving MODULE:NAME", file=sys.stderr)  # noqa: T201
        return 2
    try:
        settings = Settings.from_env()
        processes = int(os.environ.get("WEB_CONCURRENCY") or "1")
    except (SettingsError, ValueError) as error:
        print(f"the web process cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return serve(application, settings, processes=max(1, processes))


if __name__ == "__main__":
    sys.exit(main())

"""The web process: `python -m app.web.serving wsgi:app`, and what `flask` finds."""

from __future__ import annotations

import sys

from app.config import SettingsError
from app.factory import create_app

CANNOT_LOAD = 3
"""Servers that load this module (ours, gunicorn) take this code for: another process could not start either."""

try:
    app = create_app()
except SettingsError as refused:
    sys.stderr.write(f"{refused}\n")
    sys.exit(CANNOT_LOAD)

"""The web process: `python -m app.web.serving wsgi:app`, and what `flask` finds."""

from __future__ import annotations

from app.factory import create_app

app = create_app()

"""The address freee sends people back to."""

from __future__ import annotations

from app.config import Settings

CALLBACK = "/connect/freee/callback"


def callback_url(settings: Settings) -> str:
    """The address that has to be registered as コールバックURL of the application at freee."""
    return settings.base_url + CALLBACK

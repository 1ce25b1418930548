"""The address to which freee sends a person's browser back after the consent."""

from __future__ import annotations

from app.config import Settings

CALLBACK = "/connect/freee/callback"


def callback_url(settings: Settings) -> str:
    """The address that the operator has to register as コールバックURL of the application at freee."""
    return settings.base_url + CALLBACK

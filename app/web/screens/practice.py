"""The banner that says that this is a rehearsal, and where the practice vendors have screens of their own."""

from __future__ import annotations

from typing import Any

from app.domain.enums import System
from app.web.current import current_context
from app.web.plain_pages import origin_of
from app.web.screens.base import screens


@screens.app_context_processor
def practice_words() -> dict[str, Any]:
    """`practice`: system → the address of its screens; empty where the real products are connected. `practice_guide`:
    the address of the guided tasks, or ""."""
    settings = current_context().settings
    if not settings.practice_path:
        return {"practice": {}, "practice_guide": ""}
    vendors = {System.SMARTHR: settings.smarthr_url, System.FREEE: settings.freee_accounts_url}
    screens_of = {system: origin_of(url) + settings.practice_path for system, url in vendors.items()}
    return {"practice": screens_of, "practice_guide": settings.practice_guide}

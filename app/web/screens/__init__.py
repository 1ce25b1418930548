"""The pages people work in: one module per area, all on the blueprint of `screen`."""

from app.web.screens import (
    account,
    audit,
    connections,
    engine,
    engine_deliveries,
    history,
    home,
    links,
    practice,
    preview,
    run,
    sign_in,
    start,
    undo,
    users,
    wizard,
)
from app.web.screens.screen import attach_screens, screens

__all__ = [
    "account",
    "attach_screens",
    "audit",
    "connections",
    "engine",
    "engine_deliveries",
    "history",
    "home",
    "links",
    "practice",
    "preview",
    "run",
    "screens",
    "sign_in",
    "start",
    "undo",
    "users",
    "wizard",
]

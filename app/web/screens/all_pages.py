"""Every page of the screens: importing this module puts all of them on the blueprint."""

from __future__ import annotations

from app.web.screens import attention, home, links, practice
from app.web.screens.accounts import account, audit, keys, sessions, sign_in, users
from app.web.screens.base import attach_screens, screens
from app.web.screens.connections import connections, deletion, held_names, trials, wizard
from app.web.screens.engine import deliveries, engine
from app.web.screens.runs import decisions, history, people, preview, run, start, undo

__all__ = [
    "account",
    "attach_screens",
    "attention",
    "audit",
    "connections",
    "decisions",
    "deletion",
    "deliveries",
    "engine",
    "held_names",
    "history",
    "home",
    "keys",
    "links",
    "people",
    "practice",
    "preview",
    "run",
    "screens",
    "sessions",
    "sign_in",
    "start",
    "trials",
    "undo",
    "users",
    "wizard",
]

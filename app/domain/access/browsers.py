"""Which browser on which system a session belongs to, in two words, for a person to recognise. Pure.

What a browser calls itself is only its own claim: good enough to recognise one's own, never a reason to allow anything.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_AGENT = 300
LONGEST_ADDRESS = 64
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Vivaldi/", "Vivaldi"), ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"), ("python-requests/", "Python"),
)  # fmt: skip
"""Sign → name. Nearly every browser also claims to be Chrome or Safari, so those come last."""
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser_words(agent: str) -> str:
    """For example "Firefox · Windows"; "" when neither is known."""
    return " · ".join(filter(None, (_first(agent, _BROWSERS), _first(agent, _SYSTEMS))))


def bounded(text: str | None, longest: int) -> str:
    """The text without what does not print, and no longer than that: it is shown on pages."""
    return "".join(sign if sign.isprintable() else "?" for sign in (text or "")[:longest])


def _first(agent: str, table: Sequence[tuple[str, str]]) -> str:
    return next((name for sign, name in table if sign in agent), "")

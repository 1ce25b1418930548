"""The form in which a connection keeps how its attributes stand, inside the JSON of what it has learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.domain.enums import System
from app.domain.settings.readability import (
    Listing,
    Standing,
    Standings,
    after_listing,
    newly_gone,
    of_another_token,
)

MARKS = "token_marks"
_STANDINGS = "attributes"
_NAMES_ONLY = "readable_attributes"
"""Where SmartHR's attributes stood before their standing was kept: names only, without when and for whom."""


def standings_in(learned: Mapping[str, Any], system: System) -> dict[str, Standing]:
    names = learned.get(_NAMES_ONLY, ()) if system is System.SMARTHR else ()
    kept = learned.get(_STANDINGS, {}).get(system.value, {})
    return {**{name: Standing() for name in names}, **{name: _standing(stored) for name, stored in kept.items()}}


def store_standings(learned: dict[str, Any], system: System, standings: Standings) -> None:
    stored = {name: _stored(standing) for name, standing in sorted(standings.items())}
    learned[_STANDINGS] = {**learned.get(_STANDINGS, {}), system.value: stored}
    if system is System.SMARTHR:
        learned.pop(_NAMES_ONLY, None)


def learn_listing(learned: dict[str, Any], system: System, listing: Listing, *, by: str, now: datetime) -> list[str]:
    """Bring the standings up to date with a listing. Returns the attributes that have gone with it."""
    before = standings_in(learned, system)
    after = after_listing(before, listing, by=by, now=now)
    store_standings(learned, system, after)
    return newly_gone(before, after)


def with_new_token(learned: Mapping[str, Any], system: System) -> dict[str, Any]:
    """The same for another token of this system."""
    kept = dict(learned)
    marks = kept.get(MARKS, {})
    kept[MARKS] = {**marks, system.value: marks.get(system.value, 0) + 1}
    store_standings(kept, system, of_another_token(standings_in(kept, system)))
    return kept


def _stored(standing: Standing) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(standing).items() if value}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in kept.items()}


def _standing(stored: Mapping[str, Any]) -> Standing:
    moments = {name: datetime.fromisoformat(stored[name]) for name in ("seen_at", "gone_at") if name in stored}
    return Standing(**{**stored, **moments})

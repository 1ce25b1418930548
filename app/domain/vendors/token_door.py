"""The door to freee's token endpoint: when the one client of this installation may ask it again, and when each
connection's pair is renewed. Pure: moments and drawn chances are arguments.

freee limits that endpoint per client from 2026-12-15 (announcement 8711): 429, the threshold is not published, back-off
is demanded. One client is the whole installation. So a refusal closes the door for all connections, and what a refusal
without Retry-After teaches about the limit becomes a pace that all connections keep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

FIRST_SECONDS = 30.0
LONGEST_SECONDS = 900.0
"""The back-off without Retry-After: anywhere up to the first, doubled with every refusal in a row up to the longest."""
SHORTEST_SECONDS = 1.0
ASSUMED_WINDOW_SECONDS = 60.0
"""The window that an unknown limit is first taken to have: so many requests a minute. A refused probe doubles it."""
LONGEST_WINDOW_SECONDS = 3600.0
PACE_SECONDS = 3600.0
"""How long a learned pace is kept after the last refusal, because freee changes limits without notice."""
MOST_ANSWERS = 200

ACCESS_LIFE = timedelta(hours=6)
"""How long an access token of freee lives (expires_in 21600); used where the moment of its issue is not known."""
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Pace:
    """At most `permits` requests in any `seconds`, learned from a refusal; forgotten at `until`."""

    permits: int
    seconds: float
    until: datetime


@dataclass(frozen=True)
class Door:
    """What is known of the endpoint. `refusals`: how many in a row; `heard`: the moments of the latest requests to
    which the endpoint listened, oldest first."""

    refusals: int = 0
    closed_until: datetime | None = None
    heard: tuple[datetime, ...] = ()
    pace: Pace | None = None

    def opens_in(self, now: datetime) -> float:
        """Seconds until the endpoint may be asked, 0.0 when it may be asked now."""
        closed = (self.closed_until - now).total_seconds() if self.closed_until else 0.0
        return max(closed, self._paced(now), 0.0)

    def _paced(self, now: datetime) -> float:
        pace = self.pace
        if pace is None or pace.until <= now or len(self.heard) < pace.permits:
            return 0.0
        return (self.heard[-pace.permits] + timedelta(seconds=pace.seconds) - now).total_seconds()


def after_answer(door: Door, now: datetime) -> Door:
    """The endpoint listened: the door is open, and the back-off starts from its beginning next time."""
    since = now - timedelta(seconds=LONGEST_WINDOW_SECONDS)
    heard = tuple(moment for moment in door.heard if moment > since)[-MOST_ANSWERS + 1 :]
    pace = door.pace if door.pace and door.pace.until > now else None
    return Door(heard=(*heard, now), pace=pace)


def after_refusal(door: Door, now: datetime, *, retry_after: float | None, limited: bool, chance: float) -> Door:
    """The door after the endpoint refused.

    `retry_after`: the sane seconds it asked for, or None. `limited`: it answered 429, which says that its limit is
    reached, not that it is away. `chance`: 0.0 to 1.0, drawn anew each time (full jitter).
    """
    refusals = door.refusals + 1
    longest = min(FIRST_SECONDS * 2 ** min(refusals - 1, 30), LONGEST_SECONDS)
    wait = max(chance * longest, SHORTEST_SECONDS) if retry_after is None else retry_after
    # An endpoint that names the moment needs no guess of ours, and one that is away teaches nothing about its limit.
    pace = door.pace if retry_after is not None or not limited else _learned(door, now)
    return replace(door, refusals=refusals, closed_until=now + timedelta(seconds=wait), pace=pace)


def _learned(door: Door, now: datetime) -> Pace | None:
    """The pace that a refusal teaches: the limit allows what the endpoint heard lately. None where it heard nothing,
    because then nothing can be told about the limit."""
    until = now + timedelta(seconds=PACE_SECONDS)
    known = door.pace if door.pace and door.pace.until > now else None
    if known is None:
        lately = sum(moment > now - timedelta(seconds=ASSUMED_WINDOW_SECONDS) for moment in door.heard)
        return Pace(lately, ASSUMED_WINDOW_SECONDS, until) if lately else None
    if door.refusals:  # the probe came too early
        return Pace(known.permits, min(known.seconds * 2, LONGEST_WINDOW_SECONDS), until)
    return Pace(max(known.permits - 1, 1), known.seconds, until)


# ── when a pair is renewed ────────────────────────────────────────────────────────────────────────────────────────


def reserve_of(*, issued_at: datetime | None, expires_at: datetime) -> timedelta:
    """The last part of an access token's life, in which a job renews it itself: a twelfth, 30 minutes of freee's six
    hours. The cron process should have renewed the pair before; freee's pages differ on whether a renewal works after
    the end."""
    return _life(issued_at, expires_at) / 12


def renewal_due_at(connection_id: int, *, issued_at: datetime | None, expires_at: datetime) -> datetime:
    """When this connection's pair is renewed: a moment of its own in the last third of the access token's life, before
    the reserve. Multiples of the golden ratio lie evenly however many connections there are, so that pairs which were
    issued together do not fall due together."""
    third = _life(issued_at, expires_at) / 3
    spread = third - reserve_of(issued_at=issued_at, expires_at=expires_at)
    return expires_at - third + (connection_id * _GOLDEN % 1.0) * spread


def _life(issued_at: datetime | None, expires_at: datetime) -> timedelta:
    return max(expires_at - issued_at, timedelta(0)) if issued_at else ACCESS_LIFE

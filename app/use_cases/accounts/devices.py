"""Browsers in which an account has signed in before: a signed cookie tells which.

The cookie signs nobody in. It only spares its browser the brakes that strangers can reach, so that nobody can keep the
owner out by guessing. It carries a number that stands with the account: a new password, and the end of all sessions,
raise that number, and every cookie from before is worthless.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadData, URLSafeSerializer

from app.storage.access.rows import UserRow
from app.storage.keyring import Ring, SigningList
from app.use_cases.context import Context

KNOWN_FOR = timedelta(days=90)
MOST_ACCOUNTS = 5
"""How many accounts one browser remembers; the one that signed in longest ago goes first."""
_LONGEST = 2000
_SALT = "awase-known-device"


@dataclass(frozen=True)
class _Entry:
    user_id: int
    number: int
    device: str
    until: int
    """Seconds since 1970."""

    @property
    def packed(self) -> list[Any]:
        return [self.user_id, self.number, self.device, self.until]


def known_device(signing: Ring, cookie: str, user: UserRow | None, *, now: datetime) -> str | None:
    """The name of this browser, if this account has signed in with it before and nothing has revoked that since."""
    return next((each.device for each in _entries(signing, cookie) if user and _is_good(each, user, now)), None)


def remember_device(ctx: Context, cookie: str, user_id: int) -> str:
    """The cookie after a sign-in of this user, made from the one that the browser has sent."""
    now, signing = ctx.clock.now(), ctx.keys.signing
    with ctx.unit_of_work().reading() as uow:
        user = uow.users.get(user_id)
    assert user is not None  # the session of this user began a moment ago
    device = known_device(signing, cookie, user, now=now) or secrets.token_hex(8)
    mine = _Entry(user_id, user.devices_known_by, device, int((now + KNOWN_FOR).timestamp()))
    others = [each for each in _entries(signing, cookie) if each.user_id != user_id and each.until > now.timestamp()]
    kept = [mine, *others][:MOST_ACCOUNTS]
    return str(_signer(signing).dumps([each.packed for each in kept]))


def _is_good(entry: _Entry, user: UserRow, now: datetime) -> bool:
    return (entry.user_id, entry.number) == (user.id, user.devices_known_by) and entry.until > now.timestamp()


def _entries(signing: Ring, cookie: str) -> Iterator[_Entry]:
    """What the cookie holds; nothing when its signature is not ours."""
    if not 0 < len(cookie) <= _LONGEST:
        return
    try:
        packed = _signer(signing).loads(cookie)
    except BadData:
        return
    yield from (_Entry(*each) for each in packed)


def _signer(signing: Ring) -> URLSafeSerializer:
    return URLSafeSerializer(list(SigningList(signing)), salt=_SALT)

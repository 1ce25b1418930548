"""Counts attempts to sign in and makes those wait that come too often (which and how long: `domain.access.brakes`).

The counts stand in the database, so all web processes share them and a restart forgets none. An attempt is counted
before its password is looked at: a hundred at the same moment are a hundred. What turns out right is taken back. An
attempt that has to wait costs readings (who it is, the waits, whether the audit trail has room for it) and no hash, and
is the same whether the account exists or not.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from app.domain.access.brakes import ACCOUNT, DEVICE, NETWORK, PAIR, PROOF, Brake, network_of
from app.domain.errors import Refused
from app.storage.access.rows import UserRow
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.devices import known_device
from app.use_cases.context import Context

MOST_ROWS = 100_000
BRAKE_SECONDS = 300.0
"""How often old counts are deleted."""
HOME = "home"
HOME_MEMORY = timedelta(days=30)
"""How long a network counts as the account's own after a sign-in from it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Browser:
    """Where a sign-in comes from, as far as the request tells."""

    address: str = field(default="", repr=False)
    agent: str = field(default="", repr=False)
    device: str = field(default="", repr=False)
    """The cookie of a known device."""


class TooManyAttempts(Refused):
    """The attempt has to wait. `seconds`: the time until the next one is looked at. `until`: the moment."""

    def __init__(self, until: datetime, *, now: datetime) -> None:
        self.until = until
        self.seconds = max(1, math.ceil((until - now).total_seconds()))
        unit, size = ("seconds", 1) if self.seconds < 60 else ("minutes", 60)
        super().__init__(f"too_many_sign_ins.{unit}", status=429, n=math.ceil(self.seconds / size))

    @property
    def retry_after(self) -> float:
        return float(self.seconds)


@dataclass(frozen=True)
class Attempt:
    """An attempt that is counted and may be looked at. `waits`: what it holds up from here on, by key."""

    brakes: Mapping[str, Brake]
    waits: Mapping[str, datetime]
    home: str | None = None

    def was_right(self, uow: UnitOfWork, *, now: datetime) -> None:
        """The password was right: whoever comes from this network, or device, starts from nothing at this account, and
        what everybody shares loses this one attempt."""
        for key in sorted(self.brakes):  # in the order in which they are counted
            if self.brakes[key] in (NETWORK, ACCOUNT):
                uow.brakes.forgive(key, until=self.waits.get(key))
            else:
                uow.brakes.forget(key)
        if self.home is not None:
            uow.brakes.remember(self.home, forget_at=now + HOME_MEMORY)


def begin_attempt(ctx: Context, login: str, user: UserRow | None, browser: Browser) -> Attempt:
    """Count an attempt at the account with this login. `user`: who has it, None for nobody. Raises TooManyAttempts."""
    now = ctx.clock.now()
    device = known_device(ctx.keys.signing, browser.device, user, now=now)
    if user is not None and device is not None:
        return _counted_unless_waiting(ctx, {_key(ctx, DEVICE.key, str(user.id), device): DEVICE}, browser)
    name, network = login.strip().casefold(), network_of(browser.address)
    home = _key(ctx, HOME, name, network)
    everywhere = _key(ctx, ACCOUNT.key, name)
    brakes = {_key(ctx, PAIR.key, name, network): PAIR, _key(ctx, NETWORK.key, network): NETWORK}
    with ctx.unit_of_work().reading() as uow:
        if not uow.brakes.known(home, now=now):
            brakes[everywhere] = ACCOUNT
        _refuse_waiting(uow.brakes.waits(list(brakes), now=now).values(), browser, now=now)
    return _counted(ctx, brakes, browser, home=home)


def begin_proof(ctx: Context, user_id: int, browser: Browser) -> Attempt:
    """Count a password that is asked for inside a session of this user. Raises TooManyAttempts."""
    return _counted_unless_waiting(ctx, {_key(ctx, PROOF.key, str(user_id)): PROOF}, browser)


def forget_brakes(ctx: Context) -> int:
    """Delete the counts that are old, and so many more that at most MOST_ROWS are left. Returns how many."""
    with ctx.unit_of_work() as uow:
        return uow.brakes.purge(now=ctx.clock.now(), most=MOST_ROWS)


def _counted_unless_waiting(ctx: Context, brakes: Mapping[str, Brake], browser: Browser) -> Attempt:
    now = ctx.clock.now()
    with ctx.unit_of_work().reading() as uow:
        _refuse_waiting(uow.brakes.waits(list(brakes), now=now).values(), browser, now=now)
    return _counted(ctx, brakes, browser)


def _counted(ctx: Context, brakes: Mapping[str, Brake], browser: Browser, *, home: str | None = None) -> Attempt:
    now, waits = ctx.clock.now(), {}
    with ctx.unit_of_work() as uow:
        for key in sorted(brakes):  # in a fixed order, so that two sign-ins cannot wait for each other
            row = uow.brakes.count(key, now=now, forget_at=now + brakes[key].memory)
            _refuse_waiting([row.wait_until] if row.wait_until else [], browser, now=now)
            if wait := brakes[key].wait(row.attempts):
                waits[key] = now + wait
                uow.brakes.hold_back(key, until=waits[key])
    return Attempt(brakes, waits, home)


def _refuse_waiting(waits: Collection[datetime], browser: Browser, *, now: datetime) -> None:
    until = max(waits, default=now)
    if until > now:
        braked = TooManyAttempts(until, now=now)
        log.warning("sign_in_braked", address=browser.address, seconds=braked.seconds)
        raise braked


def _key(ctx: Context, *parts: str) -> str:
    """A keyed digest, so that neither a login nor an address can be read from the table. The key is the one that all
    processes use: with its own newest one, a process that was started anew would count for itself."""
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(ctx.keys.signing.in_use.text.encode(), text, hashlib.sha256).hexdigest()

"""Brakes on guessing passwords: after a few wrong ones the next attempt has to wait, each time longer. Pure.

Nobody is ever locked out: a wait ends by itself, and an attempt made while it lasts is neither looked at nor counted,
so asking does not make it longer. What counts together decides whom a wait hits:

- `PAIR`: one network at one account. Whoever guesses holds up themselves, not the owner, who comes from elsewhere.
- `NETWORK`: one network at all accounts. Looser, because an office, or everybody behind a proxy that the settings do
  not name, comes from one address; its waits stay so short that others get through in between.
- `ACCOUNT`: all networks at one account, over a day: guessing that is spread over many addresses. It does not hold up
  networks from which the account has signed in before.
- `DEVICE`: a browser in which this account has signed in before. It is held up by none of the brakes above, only by
  this one, which strangers cannot reach.
- `PROOF`: the password asked for again inside a session.

The waits of `PAIR` are never shorter than those of the others at the same number of attempts: so what a guesser in one
network is told does not depend on whether the account exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

UNKNOWN = "unknown"
_V4_BITS, _V6_BITS = 24, 64


@dataclass(frozen=True)
class Brake:
    """`free` attempts without a wait; then `first` seconds, doubled with each further attempt, at most `longest`. All
    of it is forgotten `memory` after the last attempt."""

    key: str
    free: int
    first: float
    longest: float
    memory: timedelta

    def wait(self, attempts: int) -> timedelta:
        """The wait after this many attempts."""
        if attempts <= self.free:
            return timedelta()
        doublings = min(attempts - self.free - 1, 30)  # beyond it every wait is the longest one
        return timedelta(seconds=min(self.longest, self.first * 2**doublings))


PAIR = Brake("pair", free=5, first=2, longest=900, memory=timedelta(hours=1))
NETWORK = Brake("network", free=60, first=1, longest=20, memory=timedelta(hours=1))
ACCOUNT = Brake("account", free=30, first=1, longest=120, memory=timedelta(days=1))
DEVICE = Brake("device", free=10, first=2, longest=900, memory=timedelta(hours=1))
PROOF = Brake("proof", free=5, first=2, longest=900, memory=timedelta(hours=1))


def network_of(address: str | None) -> str:
    """The network whose addresses count as one: /24 of IPv4 (also where it is written inside an IPv6 address), /64 of
    IPv6, which is the least that one customer of a provider gets. Anything else (a Unix socket) is one network."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    inner = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    found = inner or parsed
    return str(ip_network((found, _V4_BITS if found.version == 4 else _V6_BITS), strict=False))

"""The practice companies of one house: how each is called at both vendors and with which tokens it is reached.

The first is the practice company of every test and every picture. The others have the same stories with people of their
own: other ids, other surnames. So a value that crossed from one company to another would be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST = 100
"""More companies than this are no rehearsal."""


@dataclass(frozen=True)
class Tenant:
    """One company at both vendors. The tokens open nothing but the practice vendors."""

    number: int
    """From 1."""
    subdomain: str
    smarthr_token: str = field(repr=False)
    company_id: int
    company_name: str
    external_cid: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def connection_name(self) -> str:
        return "練習用の会社" if self.number == 1 else f"練習用の会社{self.number}"


def tenant(number: int) -> Tenant:
    """The practice company with this number. Raises ValueError below 1 and above MOST."""
    if not 1 <= number <= MOST:
        raise ValueError(f"a number from 1 to {MOST}")
    further = number - 1
    return Tenant(
        number=number,
        subdomain="awase-renshu" if number == 1 else f"awase-renshu-{number}",
        smarthr_token=f"shr_re{further:02d}_practicepracticepracticepractic1",
        company_id=1_234_567 + further,
        company_name="練習商事株式会社" if number == 1 else f"練習商事第{number}株式会社",
        external_cid="0a1b2c3d4e" if number == 1 else f"{0x0A1B2C3D4E + further:010x}",
        access_token=f"practice-access-token-{number}",
        refresh_token=f"practice-refresh-token-{number}",
    )


def tenants(count: int) -> list[Tenant]:
    """The first `count` companies. Raises ValueError."""
    return [tenant(number) for number in range(1, count + 1)]

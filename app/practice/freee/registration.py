"""What the companies of one registered application share: client, webhook address, token limit, lock.

freee keeps these per application and not per company: one address in the developer console, one limit of the token
endpoint, one page on which a person chooses the company to be connected.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol

from app.practice.freee.oauth import App, TokenDesk, TokenLimit
from app.practice.freee.webhooks import WebhookAddress
from app.practice.staff import practice_company
from app.practice.staff.tenants import Tenant
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.practice.vendor_kit.limits import Clock


class Company(Protocol):
    """What the application has to know of each of its companies."""

    tenant: Tenant
    injector: FaultInjector
    desk: TokenDesk


@dataclass
class Registration:
    """`companies` grows as they are made; the first is the one for whatever names no company."""

    clock: Clock
    first_address: WebhookAddress
    """Where notifications go at the start, and after a reset."""
    companies: list[Company] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    token_limit: TokenLimit = field(init=False)
    address: WebhookAddress = field(init=False)

    def __post_init__(self) -> None:
        self.start_again()

    def start_again(self) -> None:
        """The address and the counter of token requests as at the start."""
        self.token_limit = TokenLimit(self.clock)
        self.address = self.first_address

    def client_of(self, company: Company) -> App:
        """The application as this company's pages and tokens show it."""
        return App(
            practice_company.FREEE_CLIENT_ID,
            practice_company.FREEE_CLIENT_SECRET,
            company.tenant.company_id,
            company.tenant.company_name,
            company.tenant.external_cid,
        )

    def choices(self) -> dict[int, str]:
        """Company id → name, of all who can be connected."""
        return {each.tenant.company_id: each.tenant.company_name for each in self.companies}

    def company_of_token(self, token: str) -> Company | None:
        """The company for which this access or refresh token was made, alive or dead."""
        return next((each for each in self.companies if each.desk.knows(token)), None)

    def company_of_code(self, code: str) -> Company | None:
        return next((each for each in self.companies if each.desk.has_issued(code)), None)

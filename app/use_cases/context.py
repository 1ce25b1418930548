"""Context: ports, unit of work and settings, handed to every use case. `app.wiring` builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from argon2 import PasswordHasher

from app.config import Settings
from app.domain.enums import System
from app.domain.japanese.municipalities import Municipalities
from app.domain.mail_text.letter import Words
from app.domain.ports import (
    Clock,
    EmployeeGateway,
    JobQueue,
    Mailer,
    MeteredRateLimiter,
    SteeredClock,
    WebhookRegistry,
)
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.tokens import FreeeAuthorisation, TokenDoor, TokenStore
from app.storage.keyring import Keys
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.household import Household


@dataclass(frozen=True)
class Context:
    settings: Settings
    keys: Keys
    """The keys of this process and which of them is in use; `settings` only says which were given."""
    clock: Clock
    unit_of_work: Callable[[], UnitOfWork]
    """A new transaction: `with ctx.unit_of_work() as uow:` commits at the end, rolls back on any exception."""
    gateway: Callable[[Connection, System], EmployeeGateway]
    smarthr_of: Callable[[str, str], EmployeeGateway]
    """SmartHR by subdomain and token: for a tenant, or a token, that a use case tries before it keeps it."""
    webhook_registry: Callable[[Connection], WebhookRegistry]
    tokens: TokenStore
    token_door: TokenDoor
    keep_alive: Callable[[Connection], bool]
    """Renew a connection's pair of freee's tokens. True: this call has renewed it. False: another process is renewing
    it, or the answer of an earlier renewal was lost and its outcome is still in doubt. Raises TemporaryError with the
    seconds to wait, RunError when only a person can help."""
    authorisation: FreeeAuthorisation
    limiter: MeteredRateLimiter
    job_queue: JobQueue
    mailer: Mailer
    wording: Callable[[str], Words]
    """The words of a language ("ja", "en"), which mails share with the pages."""
    municipalities: Municipalities
    """The table by which addresses are split."""
    household: Household
    """Whether the database belongs to this installation; what begins work asks `shared.at_home`."""
    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    """How passwords are hashed: argon2id with the library's parameters (RFC 9106, low memory: 64 MiB, 3 passes), which
    grow with its versions."""
    intake_unit_of_work: Callable[[], UnitOfWork] | None = None
    """A new transaction on connections that only the intake of webhooks uses; None: on the common ones."""
    steered_clock: SteeredClock | None = None
    """`clock`, where it follows the database's; None where there is only one clock."""


def of_intake(ctx: Context) -> Context:
    """The context in which webhooks are stored: pages, the API and sign-ins cannot use up its database connections."""
    return replace(ctx, unit_of_work=ctx.intake_unit_of_work or ctx.unit_of_work)

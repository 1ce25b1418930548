"""The turn to create: of all processes and connections, one at a time creates an employee in a tenant or company.

Neither vendor has an idempotency key, so looking for a person and creating them must not meet another process that does
the same. The turn is a lease in the database: when its holder dies, it ends by itself.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from app.domain.enums import System
from app.domain.errors import TemporaryError
from app.domain.settings.connection_settings import Connection
from app.use_cases.context import Context
from app.use_cases.shared.lease import Lease, held, lease_end
from app.use_cases.shared.outages import when_it_answers

PATIENCE_SECONDS = 5.0
"""How long a job waits on the spot before it goes back to the queue."""
PAUSE_SECONDS = 0.05
RETRY_SECONDS = 2.0


@contextmanager
def turn_to_create(ctx: Context, connection: Connection, system: System) -> Iterator[Lease]:
    """Hold the turn of this tenant until the block ends. Raises TemporaryError when others hold it for long."""
    name = f"create:{system.value}:{connection.tenant_of(system)}"
    holder = uuid.uuid4().hex
    _take(ctx, name, holder)
    try:
        with held(ctx, lambda until: _taken(ctx, name, holder, until)) as lease:
            yield lease
    finally:
        # Also after an outage, which may be why the block has ended: nobody else creates before.
        when_it_answers(ctx, lambda uow: uow.leader.release(name, holder=holder))


def _take(ctx: Context, name: str, holder: str, *, patience: float = PATIENCE_SECONDS) -> None:
    until = time.monotonic() + patience
    while not (_is_free(ctx, name) and _taken(ctx, name, holder, lease_end(ctx))):
        if time.monotonic() >= until:
            raise TemporaryError("create_turn", retry_after=RETRY_SECONDS, counts=False)
        threading.Event().wait(PAUSE_SECONDS)


def _is_free(ctx: Context, name: str) -> bool:
    with ctx.unit_of_work().reading() as uow:
        return uow.leader.is_free(name, now=ctx.clock.now())


def _taken(ctx: Context, name: str, holder: str, until: datetime) -> bool:
    with ctx.unit_of_work() as uow:
        return uow.leader.take(name, holder=holder, now=ctx.clock.now(), lease_until=until)

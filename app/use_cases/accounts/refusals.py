"""What was refused, in the audit trail: sign-ins, rights, keys.

Strangers can cause such entries at will, so their number is limited: per hour MOST_PER_CALLER of one action, actor and
address, and MOST_PER_HOUR of all together; the last one says that more were left out. Nothing of that depends on
whether a login exists, and beyond the limit nothing is written at all, so a flood costs a read and no turn at the write
lock. The log has a line of every one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from app.domain.access.origin import current_origin
from app.storage.outages import OUTAGES
from app.storage.unit_of_work import UnitOfWork
from app.storage.vault import VaultError
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

WINDOW = timedelta(hours=1)
MOST_PER_CALLER = 30
MOST_PER_HOUR = 500
NOBODY = "nobody"
"""The actor in the audit trail for a person who is not signed in."""
LEFT_OUT = "refusals_left_out"
REFUSALS = (
    "sign_in_failed",
    "sign_in_braked",
    "password_change_failed",
    "proof_failed",
    "right_refused",
    "key_refused",
    LEFT_OUT,
)
"""Actions with a limit. A refusal of another kind belongs here as well."""


def note_refused(
    ctx: Context, *, action: str, subject: str, actor: str | None = None, detail: Mapping[str, Any] | None = None
) -> None:
    """Note a refusal in a transaction of its own. `actor` None: whom the door has recognised. The refusal stands also
    while nothing can be noted (the database is away, the trail's key is locked): the log then says so."""
    assert action in REFUSALS, action
    try:
        _note(ctx, action=action, subject=subject, actor=actor, detail=detail)
    except (*OUTAGES, VaultError) as error:
        log.warning("refusal_not_noted", action=action, kind=type(error).__name__)


def _note(ctx: Context, *, action: str, subject: str, actor: str | None, detail: Mapping[str, Any] | None) -> None:
    who, address, since = actor or current_origin().actor, current_origin().address, ctx.clock.now() - WINDOW
    with ctx.unit_of_work().reading() as uow:
        mine = uow.audit.count_since([action], since, actor=who, address=address)
        full = uow.audit.count_since(REFUSALS, since) >= MOST_PER_HOUR
        # not taken from the count: several at the same moment may step over it
        told = full and uow.audit.count_since([LEFT_OUT], since) > 0
    if mine >= MOST_PER_CALLER or told:
        return
    with ctx.unit_of_work() as uow:
        if full:
            _leave_out(ctx, uow)
        else:
            uow.audit.add(actor=who, action=action, subject=subject, now=ctx.clock.now(), detail=detail)


def _leave_out(ctx: Context, uow: UnitOfWork) -> None:
    detail = {"most": MOST_PER_HOUR}
    uow.audit.add(actor="service", action=LEFT_OUT, subject="audit", now=ctx.clock.now(), detail=detail)

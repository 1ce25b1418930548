"""What the clock does with the audit trail: purges its oldest entries, and writes the head down in the log.

Whoever keeps the log elsewhere can show with it that no tail of the trail was cut off (`flask audit verify --head`).
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from app.use_cases.context import Context

log = structlog.get_logger(__name__)


def keep_audit(ctx: Context) -> int:
    """Once a day. Purges entries older than AUDIT_DAYS (0: none ever). Returns how many."""
    now, days = ctx.clock.now(), ctx.settings.audit_days
    purged = 0
    if days:
        with ctx.unit_of_work() as uow:
            purged = uow.audit.purge(before=now - timedelta(days=days), now=now)
    with ctx.unit_of_work().reading() as uow:
        head = uow.audit.head()
    log.info("audit_head", position=head.position, digest=head.digest, purged=purged)
    return purged

"""What requests have shown that the settings do not know of, for `flask doctor` and the engine room."""

from __future__ import annotations

from datetime import datetime, timedelta

from app.storage.access.sightings import PROXY_HEADERS
from app.use_cases.context import Context

TOLD_FOR = timedelta(days=7)
"""How long after the last time it is told."""


def note_proxy_headers(ctx: Context) -> None:
    """Store that a request has brought a proxy's header although the settings name no proxy."""
    with ctx.unit_of_work() as uow:
        uow.sightings.note(PROXY_HEADERS, now=ctx.clock.now())


def proxy_headers_seen(ctx: Context) -> datetime | None:
    """When a request last brought X-Forwarded-For or Forwarded; None when it is long ago or TRUSTED_PROXIES is set.

    Then a proxy stands in front of which the settings do not know, so all people seem to come from its address; or
    somebody has made the header up.
    """
    if ctx.settings.trusted_proxies:
        return None
    with ctx.unit_of_work().reading() as uow:
        last = uow.sightings.last(PROXY_HEADERS)
    return last if last is not None and ctx.clock.now() - last <= TOLD_FOR else None

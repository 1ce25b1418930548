"""Reverse proxies: the last TRUSTED_PROXIES of them say which address asks, and whether it asks by TLS.

A header that passed none of our proxies is only the caller's own claim. So Awase believes no header unless the number
of its proxies (hops) is set. When it is not set and such a header comes all the same, it is told: to the log, to
`flask doctor` and in the engine room, because then everybody seems to come from one address.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import structlog
from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings
from app.use_cases.monitoring.sightings import note_proxy_headers
from app.web.current import current_context

TELL_AFTER = timedelta(minutes=10)
_HEADERS = ("X-Forwarded-For", "Forwarded")
_EXTENSION = "awase-proxy-headers"

log = structlog.get_logger("awase.web")


class Told:
    """When this process has told it last: strangers can send such a header with every request."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._lock = threading.Lock()

    def due(self, now: datetime) -> bool:
        with self._lock:
            due = self._last is None or now - self._last >= TELL_AFTER
            self._last = now if due else self._last
            return due


def trust_proxies(app: Flask, settings: Settings) -> None:
    hops = settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


def attach_proxy_watch(app: Flask) -> None:
    app.extensions[_EXTENSION] = Told()


def watch_for_proxies(app: Flask, *, database_errors: tuple[type[Exception], ...]) -> None:
    """Tell of proxies' headers while no proxy is named. Only pages are looked at: everybody comes through them sooner
    or later, and neither a webhook nor a health check waits for the database because of a header."""

    @app.before_request
    def look() -> None:
        if request.blueprint != "screens" or not any(name in request.headers for name in _HEADERS):
            return
        ctx = current_context()
        if ctx.settings.trusted_proxies or not app.extensions[_EXTENSION].due(ctx.clock.now()):
            return
        log.warning("proxy_headers_without_trusted_proxies", address=request.remote_addr)
        try:
            note_proxy_headers(ctx)
        except database_errors as error:
            log.warning("proxy_headers_not_noted", error=type(error).__name__)

"""Reverse proxies: the last TRUSTED_PROXIES of them say which address asks, and whether it asks by TLS.

A header that passed none of our proxies is only the caller's own claim. So Awase believes no header unless the number
of its proxies (hops) is set.
"""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings


def trust_proxies(app: Flask, settings: Settings) -> None:
    hops = settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

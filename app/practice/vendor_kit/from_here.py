"""Whether a request to a practice server comes from this machine itself: its switches ask for no key.

A server that listens on a loopback address can be reached from elsewhere all the same: through a reverse proxy, or by a
page in a browser on this machine, which sends its own host name (DNS rebinding) or its own origin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_FORWARDED = tuple(
    f"HTTP_{name}"
    for name in ("X_FORWARDED_FOR", "X_FORWARDED_HOST", "X_FORWARDED_PROTO", "X_REAL_IP", "FORWARDED", "VIA")
)
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def comes_from_here(environ: WSGIEnvironment) -> bool:
    """False for a request that passed a proxy, or was made for another host or by another host's page. Where somebody
    has let the server listen on more than this machine, any host name is right."""
    if any(name in environ for name in _FORWARDED):
        return False
    if str(environ.get("SERVER_NAME", "")) not in _HERE:
        return True
    origin = str(environ.get("HTTP_ORIGIN", ""))
    return _host(f"//{environ.get('HTTP_HOST', '')}") in _HERE and (not origin or _host(origin) in _HERE)


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None

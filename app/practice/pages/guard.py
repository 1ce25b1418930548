"""What keeps a practice page to itself: forms of its own only (a page of another address may not send one), and the
headers of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def same_origin(environ: WSGIEnvironment) -> bool:
    """Browsers name the origin of every form they send; without one nobody is known to have filled it in here."""
    origin = str(environ.get("HTTP_ORIGIN", ""))
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    here = (str(environ["wsgi.url_scheme"]), str(environ.get("HTTP_HOST", "")).lower())
    return bool(parts.netloc) and (parts.scheme, parts.netloc.lower()) == here


def guarded(response: Response) -> Response:
    """The answer with the headers that keep a browser to this page's own parts, and tell others nothing of it."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response

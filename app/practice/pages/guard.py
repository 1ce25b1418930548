"""Whether a form was sent by the practice product's own page: a page of another address may not send one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

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

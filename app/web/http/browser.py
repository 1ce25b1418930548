"""Where a request to sign in comes from: its address, what the browser calls itself, whether it is a known device.
And what a browser keeps for us: every cookie of ours has its name and its attributes from here."""

from __future__ import annotations

from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response

from app.config import Settings
from app.use_cases.accounts.brakes import Browser
from app.use_cases.accounts.devices import KNOWN_FOR
from app.web.current import current_context

_DEVICE = "device"


def browser_here() -> Browser:
    return Browser(
        address=request.remote_addr or "",
        agent=request.headers.get("User-Agent", ""),
        device=kept_cookie(_DEVICE),
    )


def set_device(answer: Response, cookie: str) -> None:
    """Let this browser be known from now on. The cookie is apart from the session's: it outlives the sign-out."""
    keep_cookie(answer, _DEVICE, cookie, max_age=KNOWN_FOR)


def cookie_name(settings: Settings, kind: str = "") -> str:
    """`kind` "": the session's. Behind TLS it begins with `__Host-`: browsers then take it from this host alone."""
    return "-".join(filter(None, ("__Host-awase" if settings.is_https else "awase", kind)))


def keep_cookie(answer: Response, kind: str, value: str, *, max_age: timedelta) -> None:
    settings = current_context().settings
    name, secure = cookie_name(settings, kind), settings.is_https
    answer.set_cookie(name, value, max_age=max_age, secure=secure, httponly=True, samesite="Lax")


def kept_cookie(kind: str) -> str:
    """What the browser sends of that kind; "" without it."""
    return request.cookies.get(cookie_name(current_context().settings, kind), "")

"""Where a request to sign in comes from: its address, what the browser calls itself, whether it is a known device."""

from __future__ import annotations

from flask import current_app, request
from werkzeug.wrappers import Response

from app.use_cases.accounts.brakes import Browser
from app.use_cases.accounts.devices import KNOWN_FOR


def browser_here() -> Browser:
    return Browser(
        address=request.remote_addr or "",
        agent=request.headers.get("User-Agent", ""),
        device=request.cookies.get(_name(), ""),
    )


def set_device(answer: Response, cookie: str) -> None:
    """Let this browser be known from now on. The cookie is apart from the session's: it outlives the sign-out."""
    answer.set_cookie(
        _name(),
        cookie,
        max_age=KNOWN_FOR,
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
        httponly=True,
        samesite="Lax",
    )


def _name() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-device"

"""Every request gets an id and one log line without personal data; answers get headers that protect a browser."""

from __future__ import annotations

import re
import secrets
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.domain.access.origin import Door, Origin, enter, leave
from app.web.current import current_context, request_id
from app.web.http.bearer_auth import known_caller
from app.web.http.errors import Problem
from app.web.http.problems import MAX_BODY_BYTES

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_DOORS = {"api": Door.API, "webhooks": Door.WEBHOOK, "metrics": Door.API, "health": Door.API}
_REFUSED = frozenset({401, 403, 429})
_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

log = structlog.get_logger("awase.web")


def watch_requests(app: Flask) -> None:
    app.before_request(_begin)
    app.before_request(_check_body)
    app.after_request(_finish)
    app.teardown_request(_end)


def protect_browsers(app: Flask) -> None:
    """Add the headers that only a browser heeds, to every answer: a browser can be led to any address."""
    app.after_request(_protect)


def allow_style(nonce: str, *, forms_to: str = "'none'") -> str:
    """The Content-Security-Policy of a page whose only resource is its own style sheet."""
    return f"{_POLICY}; form-action {forms_to}; style-src 'nonce-{nonce}'"


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.began = time.monotonic()
    g.origin = enter(Origin(_door(), "nobody", request.remote_addr or "", {"request": g.request_id}))


def _door() -> Door:
    return _DOORS.get(request.path.split("/", 2)[1], Door.SCREEN)


def _end(_error: BaseException | None) -> None:
    token = g.pop("origin", None)
    if token is not None:
        leave(token)


def _check_body() -> None:
    """Check the body's size before anything else, then its form: a body that is not JSON is refused, not guessed at.

    Webhooks have a size limit of their own.
    """
    if request.blueprint == "webhooks":
        return
    size = request.content_length or 0
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        # Our own server has put the length there already; another one has not, and Werkzeug silently cuts the body off.
        size = len(request.get_data())
    if size > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
    if size and request.path.startswith("/api/") and request.method == "POST" and not request.is_json:
        raise Problem("unsupported_media_type")


def _finish(answer: Response) -> Response:
    answer.headers["X-Request-ID"] = request_id()
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers.setdefault("Cache-Control", "no-store")
    _log(answer)
    return answer


def _protect(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", f"{_POLICY}; form-action 'none'")
    # Flask-WTF recognises our forms behind TLS by the Referer they send: that is why the screens say same-origin.
    answer.headers.setdefault("Referrer-Policy", "no-referrer")
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    answer.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    if request.is_secure:
        more = "; includeSubDomains" if current_context().settings.hsts_subdomains else ""
        answer.headers["Strict-Transport-Security"] = f"max-age=31536000{more}"
    return answer


def log_fields(**fields: Any) -> None:
    """Add fields to the log line of this request: ids, words and numbers of our own."""
    g.told = {**g.get("told", {}), **fields}


def _log(answer: Response) -> None:
    """Write the log line of a request, with the caller's address where it was refused. The line names the rule and not
    the path: a path without a rule can hold anything."""
    key = known_caller()
    refused = {"address": request.remote_addr} if answer.status_code in _REFUSED else {}
    log.info(
        "request",
        request_id=request_id(),
        method=request.method,
        rule=request.url_rule.rule if request.url_rule else None,
        status=answer.status_code,
        milliseconds=round((time.monotonic() - g.began) * 1000),
        key=key.prefix if key else None,
        run_id=(request.view_args or {}).get("run_id"),
        **refused,
        **g.get("told", {}),
    )

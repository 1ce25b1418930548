"""Bearer keys: which API key a request brings, what that key may do, and a brake on guessing keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flask import Flask, current_app, g, request
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from app.domain.access.origin import acting
from app.use_cases.accounts.api_keys import KeyView, Scope, verify_key
from app.use_cases.accounts.refusals import note_refused
from app.use_cases.context import Context
from app.use_cases.shared.at_home import check_at_home
from app.web.current import current_context
from app.web.http.errors import Problem

FAILURES = parse("20/minute")
"""Failed attempts per address before the answer is 429."""
WRITING = frozenset({Scope.RUNS_WRITE, Scope.ACCOUNTS_WRITE, Scope.OPS_WRITE})
_EXTENSION = "awase-failures"
_REALM = 'Bearer realm="awase"'
Verify = Callable[[Context, str], KeyView | None]
"""The key behind a bearer token; None when the token is not valid."""


def attach_limiter(app: Flask) -> None:
    """Count failed attempts in this process and not in Redis.

    Redis may be away and the API answers all the same, so no request waits for it. And the brake protects the log and
    the database, not the keys (256 random bits). A good key is never shut out, because behind a proxy all callers may
    share one address. The code uses `limits` itself: the Flask extension around it looks at every request, webhooks
    included.
    """
    app.extensions[_EXTENSION] = FixedWindowRateLimiter(MemoryStorage())


def require(scope: Scope, *, verify: Verify = verify_key) -> KeyView:
    """The key of this request. Raises Problem: unauthorized, too_many_failures, insufficient_scope; and Refused for a
    scope that changes something while the house rests."""
    key = caller(verify)
    if scope not in key.scopes:
        challenge = f'{_REALM}, error="insufficient_scope", scope="{scope}"'
        detail = f"この操作にはスコープ {scope} が必要です。"
        rule = request.url_rule.rule if request.url_rule else ""
        subject, told = f"operation:{request.method} {rule}", {"scope": scope.value}
        note_refused(current_context(), action="right_refused", subject=subject, detail=told)
        raise Problem("insufficient_scope", detail=detail, headers={"WWW-Authenticate": challenge})
    if scope in WRITING:
        check_at_home(current_context())
    return key


def caller(verify: Verify = verify_key) -> KeyView:
    header = request.headers.get("Authorization", "")
    kind, _, token = header.partition(" ")
    key = verify(current_context(), token.strip()) if kind.lower() == "bearer" else None
    if key is None:
        raise _refusal(given=bool(header))
    g.key = key
    acting(f"key:{key.prefix}", key_name=key.name)
    return key


def known_caller() -> KeyView | None:
    """The API key recognised in this request, for the log and for masking; None without one."""
    return cast("KeyView | None", g.get("key"))


def may_see_values() -> bool:
    key = known_caller()
    return key is not None and Scope.PERSONAL_READ in key.scopes


def _refusal(*, given: bool) -> Problem:
    limiter = cast("FixedWindowRateLimiter", current_app.extensions[_EXTENSION])
    if not limiter.hit(FAILURES, "auth", request.remote_addr or "unknown"):
        return Problem("too_many_failures", headers={"Retry-After": "60"})
    challenge = f'{_REALM}, error="invalid_token"' if given else _REALM
    return Problem("unauthorized", headers={"WWW-Authenticate": challenge})

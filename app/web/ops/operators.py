"""Who may see more than a word: whoever brings an API key with the scope of operations.

No address opens anything: behind a reverse proxy on this machine every caller comes from this machine.
"""

from __future__ import annotations

from flask import Flask, current_app

from app.use_cases.accounts.api_keys import KeyView, Scope
from app.use_cases.accounts.remembered_keys import RememberedKeys
from app.use_cases.context import Context, of_intake
from app.use_cases.monitoring.readiness import ReadinessWatch
from app.web.http.bearer_auth import require

_KEYS = "awase-remembered-keys"
_WATCH = "awase-readiness"


def attach_operations(app: Flask, ctx: Context) -> None:
    """What the health checks and the metrics of one process remember."""
    app.extensions[_WATCH] = ReadinessWatch(of_intake(ctx))
    app.extensions[_KEYS] = RememberedKeys()


def readiness_watch() -> ReadinessWatch:
    watch: ReadinessWatch = current_app.extensions[_WATCH]
    return watch


def require_operator() -> KeyView:
    """The operator's key. A key that was good when the database last answered stays good while it is away, because then
    is when operators have to look. Raises Problem."""
    keys: RememberedKeys = current_app.extensions[_KEYS]
    return require(Scope.OPS_READ, verify=keys.verify)

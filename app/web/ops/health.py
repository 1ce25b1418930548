"""/health/live and /health/ready: whether the process answers, and whether it can do its work."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request

from app import __version__
from app.use_cases.monitoring.readiness import OK, Readiness
from app.web.ops.operators import readiness_watch, require_operator

health = Blueprint("health", __name__, url_prefix="/health")

RETRY_AFTER_SECONDS = 5


@health.get("/live")
def live() -> Any:
    return jsonify(status=OK)


@health.get("/ready")
def ready() -> Any:
    """Answer 503 only when no webhook can be stored.

    Without the broker Awase still stores them: the relay hands them over when the broker is back. Strangers are told
    one word; whoever brings a key of operations is told the version and what was checked.
    """
    found = readiness_watch().readiness()
    answer = jsonify({"status": found.status, **(_details(found) if "Authorization" in request.headers else {})})
    if found.status == "unavailable":
        answer.status_code = 503
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _details(found: Readiness) -> dict[str, Any]:
    require_operator()
    return {"version": __version__, "checks": {each.name: each.word for each in found.findings}}

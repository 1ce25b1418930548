"""/health/live and /health/ready: whether the process answers, and whether it can do its work."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify

from app.use_cases.monitoring.readiness import check_readiness
from app.web.current import current_context

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Any:
    return jsonify(status="ok")


@health.get("/ready")
def ready() -> Any:
    """Answer 503 only when Awase cannot accept requests.

    Without the broker Awase still accepts them: the database keeps them, and the relay hands them over when the broker
    is back.
    """
    found = check_readiness(current_context())
    if not (found.database and found.migrated):
        status = "unavailable"
    else:
        status = "ok" if found.broker else "degraded"
    answer = jsonify(
        status=status,
        checks={
            "database": "ok" if found.database else "unreachable",
            "migrations": "ok" if found.migrated else "pending",
            "broker": "ok" if found.broker else "unreachable",
        },
    )
    answer.status_code = 503 if status == "unavailable" else 200
    if answer.status_code == 503:
        answer.headers["Retry-After"] = "5"
    return answer

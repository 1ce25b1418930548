"""/api/v1/queue and /api/v1/connections: what operators see, and the few things they do."""

from __future__ import annotations

from typing import Any

from app.use_cases import connections as connection_cases
from app.use_cases import monitor
from app.use_cases.access import Scope
from app.web import answers, present, schemas
from app.web.api_operation import make_blueprint, operation
from app.web.current import current_context

ops = make_blueprint("ops", description="運用")

_UNKNOWN = ("unknown_connection",)


@operation(ops, "GET", "/queue", scope=Scope.OPS_READ, answer=answers.QueueSchema)
def show_queue() -> Any:
    """待ち行列、滞留、連携先ごとの制限"""
    return present.queue(monitor.queue_status(current_context()))


@operation(
    ops,
    "POST",
    "/queue/requeue",
    scope=Scope.OPS_WRITE,
    body=schemas.NothingSchema,
    answer=answers.QueueSchema,
    status=202,
)
def requeue(body: dict[str, Any]) -> Any:
    """待っている処理をキューに入れ直す"""
    monitor.requeue(current_context())
    return present.queue(monitor.queue_status(current_context()))


@operation(ops, "GET", "/connections", scope=Scope.OPS_READ, answer=answers.ConnectionsSchema)
def list_connections() -> Any:
    """接続の一覧と状態"""
    return present.connections(connection_cases.list_connections(current_context()))


@operation(
    ops,
    "POST",
    "/connections/<public_id:key>/pause",
    scope=Scope.OPS_WRITE,
    body=schemas.NothingSchema,
    answer=answers.ConnectionsSchema,
    status=202,
    codes=_UNKNOWN,
)
def pause(body: dict[str, Any], key: str) -> Any:
    """接続を一時停止する(処理中の従業員は最後まで行い、新しい実行は 409 で断る)"""
    monitor.pause(current_context(), key)
    return present.connections(connection_cases.list_connections(current_context()))


@operation(
    ops,
    "POST",
    "/connections/<public_id:key>/resume",
    scope=Scope.OPS_WRITE,
    body=schemas.NothingSchema,
    answer=answers.ConnectionsSchema,
    status=202,
    codes=_UNKNOWN,
)
def resume(body: dict[str, Any], key: str) -> Any:
    """一時停止した接続を再開する"""
    monitor.resume(current_context(), key)
    return present.connections(connection_cases.list_connections(current_context()))

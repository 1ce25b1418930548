"""/api/v1/queue, /connections and /deliveries: what operators see, and the few things that they can do there."""

from __future__ import annotations

from typing import Any

from app.use_cases.accounts.api_keys import Scope
from app.use_cases.connections import connections as connection_cases
from app.use_cases.connections import pause_resume
from app.use_cases.intake import delivery_replay
from app.use_cases.monitoring import deliveries as delivery_cases
from app.use_cases.monitoring import queue_admin
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.web.api import request_schemas, response_schemas, serializers
from app.web.api.operation import make_blueprint, operation
from app.web.current import current_context

ops = make_blueprint("ops", description="運用")

_UNKNOWN = ("unknown_connection",)


@operation(ops, "GET", "/queue", scope=Scope.OPS_READ, answer=response_schemas.QueueSchema)
def show_queue() -> Any:
    """待ち行列、滞留、連携先ごとの制限"""
    return serializers.queue(queue_admin.queue_status(current_context()))


@operation(ops, "POST", "/queue/requeue", scope=Scope.OPS_WRITE, answer=response_schemas.QueueSchema)
def requeue(body: dict[str, Any]) -> Any:
    """待っている処理をキューに入れ直す"""
    queue_admin.requeue(current_context())
    return serializers.queue(queue_admin.queue_status(current_context()))


@operation(ops, "GET", "/connections", scope=Scope.OPS_READ, answer=response_schemas.ConnectionsSchema)
def list_connections() -> Any:
    """接続の一覧と状態"""
    return serializers.listed(connection_cases.list_connections(current_context()))


@operation(
    ops,
    "POST",
    "/connections/<public_id:key>/pause",
    scope=Scope.OPS_WRITE,
    answer=response_schemas.ConnectionsSchema,
    codes=_UNKNOWN,
)
def pause(body: dict[str, Any], key: str) -> Any:
    """接続を一時停止する(処理中の従業員は最後まで行い、新しい実行は 409 で断る)"""
    pause_resume.pause(current_context(), key)
    return serializers.listed(connection_cases.list_connections(current_context()))


@operation(
    ops,
    "POST",
    "/connections/<public_id:key>/resume",
    scope=Scope.OPS_WRITE,
    answer=response_schemas.ConnectionsSchema,
    codes=_UNKNOWN,
)
def resume(body: dict[str, Any], key: str) -> Any:
    """一時停止した接続を再開する"""
    pause_resume.resume(current_context(), key)
    return serializers.listed(connection_cases.list_connections(current_context()))


@operation(
    ops,
    "GET",
    "/deliveries",
    scope=Scope.OPS_READ,
    query=request_schemas.DeliveryListSchema,
    answer=response_schemas.DeliveryPageSchema,
    codes=_UNKNOWN,
)
def list_deliveries(query: dict[str, Any]) -> Any:
    """届いた Webhook の一覧(新しい順)"""
    wanted = _filter(query, state=query.get("state"))
    page = delivery_cases.list_deliveries(current_context(), wanted, after=query.get("after"), limit=query["limit"])
    return serializers.delivery_page(page)


@operation(
    ops,
    "GET",
    "/deliveries/<int:delivery_id>",
    scope=Scope.OPS_READ,
    answer=response_schemas.DeliveryDetailSchema,
    codes=("delivery_not_found",),
)
def show_delivery(delivery_id: int) -> Any:
    """届いた Webhook と、従業員ごとの結果"""
    return serializers.delivery(delivery_cases.get_delivery(current_context(), delivery_id))


@operation(
    ops,
    "POST",
    "/deliveries/<int:delivery_id>/replay",
    scope=Scope.OPS_WRITE,
    answer=response_schemas.ReplaySchema,
    codes=("delivery_not_found", "nothing_to_replay"),
)
def replay_delivery(body: dict[str, Any], delivery_id: int) -> Any:
    """1件の Webhook をやり直す

    従業員を両方のシステムから読み直します。すでにそろっていれば、変更なしで終わります。
    """
    return delivery_replay.replay(current_context(), delivery_id)


@operation(
    ops,
    "POST",
    "/deliveries/replay",
    scope=Scope.OPS_WRITE,
    body=request_schemas.ReplayRangeSchema,
    answer=response_schemas.ReplaySchema,
    codes=("replay_needs_since", *_UNKNOWN),
)
def replay_deliveries(body: dict[str, Any]) -> Any:
    """期間を決めて Webhook をやり直す(新しいものから limit 件まで)"""
    wanted = _filter(body)
    return delivery_replay.replay_many(current_context(), wanted, after=body.get("after"), limit=body["limit"])


def _filter(given: dict[str, Any], **more: Any) -> DeliveryFilter:
    return DeliveryFilter(
        connection=given.get("connection"),
        since=given.get("since"),
        until=given.get("until"),
        failed=given["failed"],
        **more,
    )

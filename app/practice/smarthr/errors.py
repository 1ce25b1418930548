"""SmartHR's error envelope: integer code, type, Japanese message, list of errors."""

from __future__ import annotations

from typing import Any

INACTIVE = "subdomain {subdomain} is inactive"

_TYPES: dict[str, tuple[int, int, str]] = {  # type: (code, HTTP status, message)
    "bad_request": (1, 400, "不正なリクエストパラメータです。"),
    "unauthorized_token": (2, 401, "無効なアクセストークンです"),
    "forbidden": (3, 403, "アクセスする権限がありません"),
    "not_found": (4, 404, "存在しない ID です"),
    "internal_server_error": (5, 500, "サーバーでエラーが発生しました"),
    "too_many_requests": (6, 429, "リクエスト数が上限を超えました"),
    "plan_limit_exceeded": (7, 403, "ご利用中のプランの上限に達しているため、従業員を追加できません"),
    "non_deletable_resource": (8, 400, "このリソースは削除できません"),
    "service_maintenance": (9, 503, "メンテナンス中です"),
    "ip_not_permitted": (15, 403, "許可されていない IP アドレスです"),
}


class Problem(Exception):
    """Ends a request with the vendor's envelope. `errors`: `{message, resource, field}` each."""

    def __init__(self, kind: str, *, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(kind)
        code, self.status, message = _TYPES[kind]
        self.envelope: dict[str, Any] = {"code": code, "type": kind, "message": message, "errors": errors}

"""The checks of a call before its handler: maintenance, token, address, limits, rights, company; and the error bodies.

Bodies A, B and C are the three forms in which freee refuses (docs/vendors/freee.md#refusals). `type` of
a 403 and the bodies of 429 and 503 are not documented.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, jsonify, request

from app.practice.freee.checks import MALFORMED
from app.practice.freee.months import Month
from app.practice.freee.oauth import TokenDesk
from app.practice.freee.rules import Refusal
from app.practice.vendor_kit.fault_injection import CONTROL, Switch
from app.practice.vendor_kit.limits import FreeeLimits

DENIED = "アクセスする権限がありません"
NO_ENDPOINT = "アプリケーションにこのエンドポイントへのアクセス権限がありません"
WRONG_ADDRESS = "接続元のIPアドレスからは、サービスをご利用いただくことができません"
TYPES = {400: "bad_request", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
PAGE_LIMIT, PAGE_MAX, LARGEST = 50, 100, 2_147_483_647

SWITCHES = (
    Switch("expired_status", 401, (401, 403), note="status of a dead access token"),
    Switch("ip_restriction", False, note="the customer allows only some addresses"),
    Switch("missing_permission", False, (False, True, "reauthorize"), note="the app lacks the endpoint's permission"),
    Switch("maintenance", False, note="everything answers 503"),
    Switch("role", "company_admin", ("company_admin", "self_only", "custom-jinji"), note="of the connecting user"),
)


def problem(status: int, *messages: str) -> Response:
    """An error answer with body A."""
    answer = jsonify(status_code=status, errors=[{"type": TYPES[status], "messages": list(messages)}])
    answer.status_code = status
    answer.mimetype = "application/problem+json"
    return answer


def denied(status: int, message: str, *, code: str | None = None) -> Response:
    """An error answer with body C."""
    answer = jsonify({"error": "access_denied", "message": message, **({"code": code} if code else {})})
    answer.status_code = status
    return answer


class ApiAuth:
    """The checks of every call under /hr. `desk` gives the present token desk (a reset makes a new one)."""

    def __init__(
        self, *, company_id: int, desk: Callable[[], TokenDesk], limits: FreeeLimits, switch: Callable[[str], Any]
    ) -> None:
        self._company_id = company_id
        self._desk = desk
        self._limits = limits
        self._switch = switch

    def guard(self, app: Flask, hr: Blueprint) -> None:
        app.before_request(self._maintenance)
        hr.before_request(self._check)
        app.after_request(_add_headers)
        app.register_error_handler(Refusal, lambda refusal: problem(refusal.status, *refusal.messages))
        app.register_error_handler(404, lambda _: problem(404, "指定されたURLは存在しません"))
        app.register_error_handler(405, lambda _: problem(405, "許可されていないメソッドです"))

    def _maintenance(self) -> Response | None:
        if self._switch("maintenance") and not request.path.startswith(CONTROL):
            return Response("<html><body>ただいまメンテナンス中です。</body></html>", 503, mimetype="text/html")
        return None

    def _check(self) -> Response | None:
        return self._token_fault() or self._limit_fault() or self._rights_fault()

    def _token_fault(self) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            answer = jsonify(message="ログインをしてください。")
            answer.status_code = 401
            return answer
        if not self._desk().accepts(token):
            return denied(self._switch("expired_status"), DENIED, code="expired_access_token")
        if self._switch("ip_restriction"):
            return denied(401, WRONG_ADDRESS, code="source_ip_address_limit")
        return None

    def _limit_fault(self) -> Response | None:
        verdict = self._limits.check(str(self._company_id))
        g.rate_headers = verdict.headers
        if verdict.refused == "burst":
            return denied(403, DENIED)  # the answer does not tell throttling from missing rights
        if verdict.refused == "quota":
            answer = jsonify(message="アクセス回数の上限に達しました。")
            answer.status_code = 429
            return answer
        return None

    def _rights_fault(self) -> Response | None:
        if request.path.endswith("/users/me"):
            return None
        if self._switch("missing_permission") == "reauthorize":
            return denied(401, "再認可が必要です。", code="re_authorization_required")
        if self._switch("missing_permission"):
            return problem(403, NO_ENDPOINT)
        return None if self._switch("role") == "company_admin" else problem(403, DENIED)

    # ── what the handlers ask for ─────────────────────────────────────────────────────────────────────────────────

    def own_company(self, company_id: Any) -> None:
        """Check a company id. Raises Refusal.

        A missing or foreign id gets 403 (seen in the field), one that is no whole number gets 400.
        """
        if company_id is None:
            raise Refusal(403, DENIED)
        if isinstance(company_id, bool) or not isinstance(company_id, int):
            raise Refusal(400, "company_idは数値で指定してください")
        if company_id != self._company_id:
            raise Refusal(403, DENIED)

    def body(self) -> dict[str, Any]:
        """The JSON object sent, its company checked. Raises Refusal."""
        sent = request.get_json(silent=True)
        if not isinstance(sent, dict):
            raise Refusal(400, MALFORMED)
        self.own_company(sent.get("company_id"))
        return sent

    def query_company(self) -> None:
        """Check company_id of the query. Raises Refusal."""
        self.own_company(query_number("company_id"))


def query_number(name: str, *, low: int = 1, high: int = LARGEST, default: int | None = None) -> int | None:
    """A whole number of the query. Raises Refusal(400)."""
    text = request.args.get(name)
    if text is None:
        return default
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None or not low <= int(text) <= high:
        raise Refusal(400, f"{name}の値が不正です")
    return int(text)


def query_month() -> Month:
    """year and month of the query, both required. Raises Refusal(400)."""
    year, month = query_number("year", low=2000, high=2100), query_number("month", high=12)
    if year is None or month is None:
        raise Refusal(400, "対象年月を指定してください")
    return Month(year, month)


def query_flag(name: str) -> bool:
    """A boolean of the query, false when absent. Raises Refusal(400)."""
    text = request.args.get(name, "false")
    if text not in ("true", "false"):
        raise Refusal(400, f"{name}の値が不正です")
    return text == "true"


def page_of(everything: list[Any]) -> list[Any]:
    """The slice that limit and offset ask for. Raises Refusal(400)."""
    limit = query_number("limit", high=PAGE_MAX, default=PAGE_LIMIT) or PAGE_LIMIT
    offset = query_number("offset", low=0, default=0) or 0
    return everything[offset : offset + limit]


def _add_headers(answer: Response) -> Response:
    if not request.path.startswith(CONTROL):
        answer.headers["X-Request-Id"] = str(uuid.uuid4())
        for name, value in g.get("rate_headers", {}).items():
            answer.headers[name] = value
    return answer

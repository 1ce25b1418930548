"""FreeeClient: one method per call of freee's HR API that this product makes; each returns parsed values.

Every call sends the connection's own `company_id`, because a token may see more companies than that one. A month is
the one in which a payroll period closes, not the one in which it is paid. Each method names its operation in
https://developer.freee.co.jp/reference/hr/reference
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from app.adapters.answers import AnswerSchema
from app.adapters.freee.errors import OPEN_TO_ALL, AccessExpired, NoRightOrThrottled, NotFound, classify
from app.adapters.freee.oauth import AccessToken, FreeeOAuth
from app.adapters.freee.schemas import (
    BANK_ACCOUNT_RULE,
    EMPLOYEE_PAGE,
    EVERYBODY,
    HEALTH_INSURANCE_RULE,
    ME,
    PENSION_INSURANCE_RULE,
    PROFILE_RULE,
    SHOWN_EMPLOYEE,
    WRITTEN_EMPLOYEE,
)
from app.adapters.freee.token_session import FreeeSession
from app.adapters.http import BeforeWrite, HttpClient, always
from app.adapters.paths import segment
from app.adapters.write_window import HttpWriteWindow
from app.config import Settings
from app.domain.employee import YearMonth
from app.domain.errors import RunError
from app.domain.ports import Clock, RateLimiter
from app.domain.vendors.tokens import FreeeTokens, TokenDoor, TokenStore

PAGE = 100
"""The largest page freee gives."""


class FreeeClient:
    """freee人事労務 for one company. Used by one thread."""

    def __init__(self, http: HttpClient, token: AccessToken, company_id: int) -> None:
        self.company_id = company_id
        self._http = http
        self.window = HttpWriteWindow(http)
        self._token = token

    @property
    def calls(self) -> int:
        return self._http.calls

    def users_me(self) -> dict[str, Any]:
        """ログインユーザーの取得 (operation `get_users_me`)

        All companies of the user, not only the one for which freee gave the token.
        """
        me: dict[str, Any] = self._read(OPEN_TO_ALL, answer=ME)
        return me

    def list_company_employees(self, offset: int) -> list[dict[str, Any]]:
        """全期間の従業員一覧 (operation `get_company_employees`)

        Up to PAGE rows, leavers and people outside payroll included; fewer than PAGE: the last page.
        """
        rows: list[dict[str, Any]] = self._read(
            f"/api/v1/companies/{segment(self.company_id)}/employees",
            query={"limit": PAGE, "offset": offset, "with_no_payroll_calculation": "true"},
            answer=EVERYBODY,
        )
        return rows

    def list_employees(self, month: YearMonth, offset: int) -> dict[str, Any]:
        """指定した月の従業員一覧 (operation `get_employees`)

        `{"employees": [complete records], "total_count": int | None}`; without people not employed in that month.
        """
        page: dict[str, Any] = self._read(
            "/api/v1/employees",
            query={
                **self._company(),
                **_month(month),
                "limit": PAGE,
                "offset": offset,
                "with_no_payroll_calculation": "true",
            },
            answer=EMPLOYEE_PAGE,
        )
        return page

    def get_employee(self, employee_id: int, month: YearMonth) -> dict[str, Any] | None:
        """従業員の取得 (operation `get_employee`)

        None when freee does not know the person, or does not show them in that month. A record that cannot be read
        names its odd fields (`app.adapters.records`).
        """
        try:
            answer = self._read(
                _employee(employee_id),
                query={**self._company(), **_month(month)},
                answer=SHOWN_EMPLOYEE,
            )
        except NotFound:
            return None
        return _inner(answer, "employee")

    def create_employee(self, employee: Mapping[str, Any]) -> dict[str, Any]:
        """従業員の作成 (operation `create_employee`)"""
        answer = self._write(
            "POST", "/api/v1/employees", {**self._company(), "employee": dict(employee)}, answer=WRITTEN_EMPLOYEE
        )
        return _inner(answer, "employee")

    def update_employee(
        self, employee_id: int, employee: Mapping[str, Any], *, month: YearMonth | None
    ) -> dict[str, Any]:
        """従業員の更新 (operation `update_employee`); `month` None only outside payroll."""
        body = {**self._company(), **(_month(month) if month else {}), "employee": dict(employee)}
        answer = self._write("PUT", _employee(employee_id), body, answer=WRITTEN_EMPLOYEE)
        return _inner(answer, "employee")

    def put_profile_rule(self, employee_id: int, rule: Mapping[str, Any], *, month: YearMonth) -> dict[str, Any] | None:
        """姓名・住所など (operation `update_employee_profile_rule`)"""
        return self._put_rule(employee_id, "profile_rule", rule, month=month, answer=PROFILE_RULE)

    def put_health_insurance_rule(
        self, employee_id: int, rule: Mapping[str, Any], *, month: YearMonth
    ) -> dict[str, Any] | None:
        """健康保険 (operation `update_employee_health_insurance_rule`)"""
        answer = HEALTH_INSURANCE_RULE
        return self._put_rule(employee_id, "health_insurance_rule", rule, month=month, answer=answer)

    def put_welfare_pension_insurance_rule(
        self, employee_id: int, rule: Mapping[str, Any], *, month: YearMonth
    ) -> dict[str, Any] | None:
        """厚生年金保険 (operation `update_employee_welfare_pension_insurance_rule`)"""
        answer = PENSION_INSURANCE_RULE
        return self._put_rule(employee_id, "welfare_pension_insurance_rule", rule, month=month, answer=answer)

    def put_bank_account_rule(
        self, employee_id: int, rule: Mapping[str, Any], *, month: YearMonth
    ) -> dict[str, Any] | None:
        """銀行口座 (operation `update_employee_bank_account_rule`)"""
        return self._put_rule(employee_id, "bank_account_rule", rule, month=month, answer=BANK_ACCOUNT_RULE)

    # ── one request ───────────────────────────────────────────────────────────────────────────────────────────────

    def _company(self) -> dict[str, int]:
        return {"company_id": self.company_id}

    def _put_rule(
        self, employee_id: int, name: str, rule: Mapping[str, Any], *, month: YearMonth, answer: AnswerSchema
    ) -> dict[str, Any] | None:
        """Replace a rule object as a whole; returns the one that freee answers, None when it answers none."""
        body = {**self._company(), **_month(month), f"employee_{name}": dict(rule)}
        answered = self._write("PUT", f"{_employee(employee_id)}/{name}", body, answer=answer)
        rule_now: dict[str, Any] | None = answered.get(f"employee_{name}")
        return rule_now

    def _read(self, path: str, *, answer: AnswerSchema, query: Mapping[str, str | int] | None = None) -> Any:
        return self._send("GET", path, query=query, answer=answer, is_read=True)

    def _write(self, method: str, path: str, body: Mapping[str, Any], *, answer: AnswerSchema) -> Any:
        return self._send(method, path, body=body, answer=answer, is_read=False)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        """Make one call, and resolve the two refusals that need another call: an expired token and a doubtful 403."""
        try:
            return self._signed(method, path, **options)
        except NoRightOrThrottled as error:
            # When freee throttles, this call raises TemporaryError. When it answers, the right is what is missing.
            self._signed("GET", OPEN_TO_ALL, answer=ME, is_read=True)
            raise RunError(error.code, error.detail) from None
        except RunError as error:
            if error.needs_consent:
                self._token.needs_consent()
            raise

    def _signed(self, method: str, path: str, **options: Any) -> Any:
        """Make one call; when freee refuses it for its token, send it once more with a newer token.

        That holds for writes as well, because freee has not carried out a request that it refused for its token.
        """
        try:
            return self._served(method, path, **options)
        except AccessExpired:
            self._token.renew()
        try:
            return self._served(method, path, **options)
        except AccessExpired as error:
            raise RunError(error.code, "a renewed access token was refused as well") from None

    def _served(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.send(method, path, **options)
        self._token.accepted()
        return answer


def _employee(employee_id: int) -> str:
    return f"/api/v1/employees/{segment(employee_id)}"


def _month(month: YearMonth) -> dict[str, int]:
    return {"year": month.year, "month": month.month}


def _inner(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner: dict[str, Any] = answer[name]
    return inner


def build_freee_client(
    settings: Settings,
    connection_id: int,
    company_id: int,
    tokens: TokenStore,
    door: TokenDoor,
    limiter: RateLimiter,
    clock: Clock,
    session: requests.Session | None = None,
    *,
    before_write: BeforeWrite = always,
    read_before: FreeeTokens | None = None,
) -> FreeeClient:
    """A client that signs its calls with the newest stored token of the connection. `session` pools connections.
    `read_before`: the pair that was read a moment ago."""
    oauth = FreeeOAuth(settings, clock, session, before_write=before_write)
    token = FreeeSession(
        oauth, tokens, door, clock, connection_id=connection_id, company_id=company_id, read_before=read_before
    )
    return freee_client(settings, company_id, token, limiter, session, sleep=clock.sleep, before_write=before_write)


def freee_client(
    settings: Settings,
    company_id: int,
    token: AccessToken,
    limiter: RateLimiter,
    session: requests.Session | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    before_write: BeforeWrite = always,
) -> FreeeClient:
    """A client over any source of access tokens."""
    http = HttpClient(
        settings.freee_api_url,
        headers=token.headers,
        classify=classify,
        limiter=limiter,
        limiter_key=f"freee:{company_id}",
        session=session,
        sleep=sleep,
        before_write=before_write,
    )
    return FreeeClient(http, token, company_id)

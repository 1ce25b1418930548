"""SmartHRClient: one method per API call that Awase uses. They are documented at https://developer.smarthr.jp/api

Every read of crews names in `fields=` only the attributes that Awase needs, so that SmartHR does not even transfer
anything else about a person.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import requests
from requests.utils import parse_header_links

from app.adapters.answers import Answer, AnswerSchema, count_in, server_time
from app.adapters.http import BeforeWrite, HttpClient, Query, always, bearer
from app.adapters.listing import Pages, mark
from app.adapters.paths import segment
from app.adapters.smarthr.errors import NotFound, classify
from app.adapters.smarthr.schemas import (
    CREWS,
    JOB_TITLES,
    ONE_CREW,
    WEBHOOKS,
    WRITTEN_CREW,
    CrewRecord,
    WebhookRecord,
    WebhookSchema,
    crew_fields,
)
from app.adapters.write_window import HttpWriteWindow
from app.config import Settings
from app.domain.completeness.listed import MOST_READINGS
from app.domain.errors import RunError, TemporaryError
from app.domain.ports import RateLimiter

PER_PAGE = 100
"""The largest page; the default of 10 would multiply the calls by ten."""
MAX_PAGES = 2_000
"""A list with more pages than this does not end, because the server repeats itself."""
STABLE_SORT = "created_at"
"""A key that does not move while records change; the default order is not documented."""

_SLACK = timedelta(seconds=3)
"""SmartHR's answer says the second in which it was made."""

_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")


class Page(NamedTuple):
    """`announced`: how many there are of all pages, None when SmartHR does not say; `began`: SmartHR's time, a little
    before it answered."""

    rows: list[dict[str, Any]]
    has_next: bool
    announced: int | None = None
    began: str = ""


class SmartHRClient:
    """The calls to one tenant, each parsed by its schema. Raises the three errors of `app.domain.errors`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self.window = HttpWriteWindow(http)
        self._fields = ",".join(crew_fields())

    @property
    def calls(self) -> int:
        return self._http.calls

    # ── 従業員 ────────────────────────────────────────────────────────────────────────────────────────────────────

    def list_crews(self, page: int) -> Page:
        """従業員のリストの取得 GET /v1/crews. All employees, 退職済 included, because no filter is asked for."""
        return self._page("/v1/crews", page, schema=CREWS, sort=STABLE_SORT, fields=self._fields)

    def list_newest_crews(self, page: int) -> Page:
        """The same list, those who were added last in front."""
        return self._page("/v1/crews", page, schema=CREWS, sort=f"-{STABLE_SORT}", fields=self._fields)

    def get_crew(self, crew_id: str) -> CrewRecord | None:
        """従業員の取得 GET /v1/crews/{id}. None when SmartHR says that the id does not exist."""
        try:
            record: CrewRecord = self._http.send(
                "GET", _crew(crew_id), is_read=True, query={"fields": self._fields}, answer=ONE_CREW
            )
        except NotFound:
            return None
        return record

    def find_crews(self, emp_code: str) -> list[CrewRecord]:
        """従業員のリストの取得 GET /v1/crews?emp_code=: id and 社員番号 of all employees with this number."""
        fields = "id,emp_code,created_at"
        return self._all("/v1/crews", schema=CREWS, sort=STABLE_SORT, emp_code=emp_code, fields=fields)

    def create_crew(self, body: Mapping[str, Any]) -> CrewRecord:
        """従業員の登録 POST /v1/crews. Not idempotent: after `outcome_unknown` look by number first."""
        record: CrewRecord = self._http.send("POST", "/v1/crews", is_read=False, body=body, answer=WRITTEN_CREW)
        return record

    def update_crew(self, crew_id: str, body: Mapping[str, Any]) -> CrewRecord:
        """従業員の部分更新 PATCH /v1/crews/{id}. An attribute that is not in the body stays, null clears."""
        record: CrewRecord = self._http.send("PATCH", _crew(crew_id), is_read=False, body=body, answer=WRITTEN_CREW)
        return record

    # ── masters ───────────────────────────────────────────────────────────────────────────────────────────────────

    def list_job_titles(self) -> list[dict[str, Any]]:
        """役職のリストの取得 GET /v1/job_titles."""
        return self._all("/v1/job_titles", schema=JOB_TITLES, sort=STABLE_SORT)

    # ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────

    def list_webhooks(self) -> list[WebhookRecord]:
        """Webhook のリストの取得 GET /v1/webhooks. Includes those of other applications; the call takes no `sort`."""
        return self._all("/v1/webhooks", schema=WEBHOOKS)

    def create_webhook(self, body: Mapping[str, Any]) -> WebhookRecord:
        """Webhook の登録 POST /v1/webhooks. Not idempotent: after `outcome_unknown` look by address first."""
        record: WebhookRecord = self._http.send(
            "POST", "/v1/webhooks", is_read=False, body=body, answer=WebhookSchema()
        )
        return record

    def update_webhook(self, webhook_id: str, body: Mapping[str, Any]) -> WebhookRecord:
        """Webhook の部分更新 PATCH /v1/webhooks/{id}. An attribute that is not in the body stays."""
        record: WebhookRecord = self._http.send(
            "PATCH", _webhook(webhook_id), is_read=False, body=body, answer=WebhookSchema()
        )
        return record

    def delete_webhook(self, webhook_id: str) -> None:
        """Webhook の削除 DELETE /v1/webhooks/{id}."""
        self._http.send("DELETE", _webhook(webhook_id), is_read=False)

    # ── paging ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _page(self, path: str, page: int, *, schema: AnswerSchema, **query: str) -> Page:
        if page > MAX_PAGES:
            raise TemporaryError("unreadable_answer", "the list does not end")
        asked: Query = {"page": page, "per_page": PER_PAGE, **query}
        answer = self._http.exchange("GET", path, is_read=True, query=asked, answer=schema)
        began = (server_time(answer) - _SLACK).isoformat()
        return Page(answer.payload, _has_next(answer, page), _announced(answer), began)

    def _all(self, path: str, *, schema: AnswerSchema, **query: str) -> list[dict[str, Any]]:
        """The rows of all pages. A list that shifts is read again; what one of the readings has shown counts."""
        rows: list[dict[str, Any]] = []
        for _ in range(MOST_READINGS):
            pages, page = Pages(), Page([], has_next=True)
            while page.has_next:
                page = self._page(path, len(pages.marks) + 1, schema=schema, **query)
                pages.add(page.rows, mark(path, first=False, announced=page.announced, began=page.began))
                rows += page.rows
            if pages.is_whole:
                break
        return list({row.get("id") or number: row for number, row in enumerate(rows)}.values())


def _crew(crew_id: str) -> str:
    return f"/v1/crews/{segment(crew_id)}"


def _webhook(webhook_id: str) -> str:
    return f"/v1/webhooks/{segment(webhook_id)}"


def _announced(answer: Answer) -> int | None:
    return count_in(answer.headers.get("x-total-count", ""))


def _has_next(answer: Answer, page: int) -> bool:
    """Whether another page follows. One of the two headers is enough to go on, so that no employee is lost when the
    other is wrong; an empty page always ends the list. `Link` is only looked at, never followed."""
    rows: list[Any] = answer.payload
    if not rows:
        return False
    links = parse_header_links(answer.headers.get("Link", ""))
    total, size = _announced(answer), count_in(answer.headers.get("x-per-page", ""))
    if not links and total is None:
        return len(rows) >= PER_PAGE
    said_by_total = total is not None and page * (size or PER_PAGE) < total
    return said_by_total or any(link.get("rel") == "next" for link in links)


def build_smarthr_client(
    settings: Settings,
    subdomain: str,
    token: str,
    limiter: RateLimiter,
    session: requests.Session | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    before_write: BeforeWrite = always,
) -> SmartHRClient:
    """The client of one tenant. Raises RunError for a subdomain or a token that cannot be one."""
    if not _SUBDOMAIN.fullmatch(subdomain):
        # The subdomain is part of a host name: any other text could send the token elsewhere.
        raise RunError("smarthr_subdomain_inactive", "not a subdomain")
    headers = bearer(token)
    return SmartHRClient(
        HttpClient(
            settings.smarthr_url.replace("{subdomain}", subdomain),
            headers=lambda: headers,
            classify=classify,
            limiter=limiter,
            limiter_key=f"smarthr:{subdomain}",
            session=session,
            sleep=sleep,
            before_write=before_write,
        )
    )

"""What a VendorSession sends is what `requests` itself would have sent."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from app.adapters.http import VendorSession

URL = "https://api.example.test/hr/api/v1/employees"
HEADERS = {"Accept": "application/json", "User-Agent": "awase", "Authorization": "Bearer abc"}
QUERY: dict[str, str | int] = {"company_id": 7, "fields": "id,emp_code", "q": "山田 花子&+", "sort": ""}
CALLS: dict[str, dict[str, Any]] = {
    "a read": {"method": "GET"},
    "a read with a query": {"method": "get", "params": QUERY},
    "a write": {"method": "PUT", "json": {"last_name": "髙橋", "blank": None, "list": [1, True]}},
    "a write with a query": {"method": "PATCH", "json": {"a": 1}, "params": {"year": 2026}},
    "an empty object": {"method": "POST", "json": {}},
    "a call without a body": {"method": "POST"},
    "a deletion": {"method": "DELETE", "params": {"company_id": 7}},
    "a form": {"method": "POST", "data": {"grant_type": "refresh_token", "code": "a b"}},
    "an address that has to be encoded": {"method": "GET", "url": "https://例え.test/従業員"},
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("cookies", [{}, {"lb": "node-3"}])
def test_a_call_is_prepared_as_by_requests(call: dict[str, Any], cookies: dict[str, str]) -> None:
    sent = []
    for session in (VendorSession(), requests.Session()):
        session.cookies.update(cookies)
        request = requests.Request(**{"url": URL, "headers": HEADERS, **call})
        prepared = session.prepare_request(request)
        sent.append(
            (prepared.method, prepared.url, prepared.body, dict(prepared.headers.lower_items()), prepared.hooks)
        )
    assert sent[0] == sent[1]

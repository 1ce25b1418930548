"""A caller with a token for SmartHR's simulator; every answer is held against the vendor's contract if it is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from werkzeug.test import TestResponse

from app.practice.smarthr.practice_smarthr import create_smarthr, smarthr_of
from app.practice.smarthr.simulator import PracticeSmartHR
from app.practice.staff.forms import Account, Place, Worker, crew_of
from app.practice.staff.practice_company import SMARTHR_TOKEN, SUBDOMAIN, PracticeCompany
from app.practice.vendor_kit.limits import FAST, Rates
from tests.contracts.openapi_checks import check_response, load_contract

BASE = f"/{SUBDOMAIN}/api"
HOME = Place("1060041", 12, "東京都", "港区", "麻布台1-2-3", "トウキョウト", "ミナトクアザブダイ")


def has_contract() -> bool:
    """Where CI promises the contract, its absence is an error of `load_contract` itself."""
    folder = Path(__file__).resolve().parents[2] / os.environ.get("CONTRACTS_DIR", "../shared/contracts")
    return bool(os.environ.get("CI")) or folder.is_dir()


def made(number: str = "00123", **changes: Any) -> Worker:
    """Somebody with every item filled."""
    return Worker(
        **{
            "number": number,
            "last_name": "佐藤",
            "first_name": "花子",
            "last_kana": "サトウ",
            "first_kana": "ハナコ",
            "birth": date(1990, 4, 2),
            "gender": "female",
            "hired": date(2020, 4, 1),
            "title": "課長",
            "home": HOME,
            "registered": HOME,
            "phone": ("090", "0000", "0001"),
            "account": Account("0005", "021", "1234567", "サトウ ハナコ"),
            "employment_number": "50000000011",
            "basic_pension": "3000000001",
            "health_number": 7,
            "pension_number": 7,
            "health_income": 300_000,
            "pension_income": 300_000,
            **changes,
        }
    )


def tenant_of(*workers: Worker) -> PracticeCompany:
    crews = [crew_of(each, f"00000000-0000-4000-8000-{i:012d}") for i, each in enumerate(workers, start=1)]
    return PracticeCompany(date(2026, 11, 11), crews, [], [])


class Caller:
    """Calls without real HTTP. `path` begins with /v1."""

    def __init__(
        self, *workers: Worker, switches: Mapping[str, Any] | None = None, rates: Rates = FAST, **options: Any
    ) -> None:
        self.app = create_smarthr(tenant_of(*(workers or (made(),))), switches, rates=rates, **options)
        self.smarthr: PracticeSmartHR = smarthr_of(self.app)
        self.injector = self.smarthr.injector
        self.client = self.app.test_client()
        self.headers = {"Authorization": f"Bearer {SMARTHR_TOKEN}"}
        self.contract = load_contract("smarthr") if has_contract() else None

    @property
    def first_id(self) -> str:
        return str(self.smarthr.crews[0]["id"])

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> TestResponse:
        response = self.client.open(f"{BASE}{path}", method=method, json=body, query_string=query, headers=self.headers)
        if self.contract is not None and path.startswith("/v1") and response.is_json:
            sparse = "fields" in query or self.injector.switch("hidden_attribute") == "absent"
            check_response(self.contract, method, path, response.status_code, response.get_json(), sparse=sparse)
        return response

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.send("GET", path, **query)

    def patch(self, body: Any) -> TestResponse:
        """Of the first crew."""
        return self.send("PATCH", f"/v1/crews/{self.first_id}", body)

    def faults(self, body: Any, *, method: str = "PATCH") -> list[tuple[str, str]]:
        """(field, message) of every fault of a refused write."""
        path = f"/v1/crews/{self.first_id}" if method == "PATCH" else "/v1/crews"
        response = self.send(method, path, body)
        assert response.status_code == 400, response.text
        told = response.get_json()
        assert (told["code"], told["type"]) == (1, "bad_request")
        assert all(each["resource"] == "Crew" for each in told["errors"])
        return [(each["field"], each["message"]) for each in told["errors"]]

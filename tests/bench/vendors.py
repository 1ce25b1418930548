"""Both practice vendors from outside: slow them down, count what reaches them, start again, compare what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import requests

NOT_CONTENT = frozenset({"id", "company_id", "employee_id", "user_id", "created_at", "updated_at"})
"""Ids and instants: they differ between two runs that did the same."""


@dataclass(frozen=True)
class Calls:
    reads: int
    writes: int

    @property
    def all(self) -> int:
        return self.reads + self.writes


@dataclass(frozen=True)
class Vendors:
    smarthr: str
    freee: str
    company: str | None = None
    """Of several only this one."""

    def start_again(self, delay: float) -> None:
        """Both as at the start, every API call from now on answered `delay` seconds late."""
        for url in (self.smarthr, self.freee):
            self._control("POST", url, "reset")
            if delay:
                self._control("POST", url, "faults", json={"path": "/api/", "delay": delay})

    def of_all(self) -> Vendors:
        """The same vendors, all companies of theirs."""
        return replace(self, company=None)

    def fault(self, rule: Mapping[str, Any]) -> None:
        """Of both vendors."""
        for url in (self.smarthr, self.freee):
            self._control("POST", url, "faults", json=dict(rule))

    def in_flight(self) -> int:
        """Calls that have arrived and are not answered yet."""
        rows = [row for url in (self.smarthr, self.freee) for row in self._requests(url)]
        return sum(row["status"] is None for row in rows)

    def arrivals(self, vendor: str) -> list[float]:
        """When each API call of this vendor arrived (epoch seconds); tokens are not counted."""
        rows = self._requests({"smarthr": self.smarthr, "freee": self.freee}[vendor])
        return [float(row["epoch"]) for row in rows if "/public_api/" not in row["path"]]

    def _requests(self, url: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._control("GET", url, "requests").json()["requests"]
        return rows

    def take_calls(self) -> Calls:
        """What has come since the last time; tokens are not counted."""
        reads = writes = 0
        for url in (self.smarthr, self.freee):
            for name, number in self._control("GET", url, "counters").json().items():
                if "/public_api/" not in name:
                    reads, writes = (reads + number, writes) if name.startswith("GET ") else (reads, writes + number)
            self._control("DELETE", url, "requests")
        return Calls(reads, writes)

    def content(self) -> dict[str, list[Any]]:
        """`crew <number>` and `employee <number>` → everything held of the people with that number."""
        crews = self._control("GET", self.smarthr, "state").json()["crews"]
        employees = self._control("GET", self.freee, "state").json()["employees"]
        return {**_by_number("crew", crews, "emp_code"), **_by_number("employee", employees, "num")}

    def _control(self, method: str, url: str, route: str, **options: Any) -> requests.Response:
        query = {"company": self.company}
        answer = requests.request(method, f"{url}/_practice/{route}", params=query, timeout=60, **options)
        answer.raise_for_status()
        return answer


def different(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]], numbers: Iterable[str]) -> list[str]:
    """Which of these people the two contents show differently."""
    keys = [f"{kind} {number}" for number in numbers for kind in ("crew", "employee")]
    return [key for key in keys if one.get(key) != other.get(key)]


def _by_number(kind: str, people: Iterable[Mapping[str, Any]], number: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for person in people:
        found.setdefault(f"{kind} {person[number] or ''}", []).append(_content(person))
    return found


def _content(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _content(inner) for name, inner in value.items() if name not in NOT_CONTENT}
    return [_content(each) for each in value] if isinstance(value, list) else value

"""What honest callers meet meanwhile: the health check, both vendors' webhooks, a person's pages."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from statistics import quantiles
from typing import Any

from tests.siege.floods import ask
from tests.storm.deliveries import of_freee


@dataclass
class Watch:
    """One kind of honest caller: asks again and again, each time on a new connection."""

    call: Callable[[], int]
    every: float
    wanted: int
    spans: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Answers other than the wanted status."""
    begun: int = 0

    @property
    def open(self) -> bool:
        """Whether somebody still waits for an answer."""
        return self.begun > len(self.spans)

    def run(self, end: float) -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            self.begun += 1
            threading.Thread(target=self._once, daemon=True).start()
            time.sleep(max(0.0, self.every - (time.monotonic() - began)))

    def _once(self) -> None:
        """One request; the next begins whether or not this one is answered."""
        began = time.monotonic()
        try:
            status = self.call()
        except (OSError, HTTPException) as error:
            self.wrong.append(type(error).__name__)
        else:
            if status != self.wanted:
                self.wrong.append(str(status))
        self.spans.append(time.monotonic() - began)

    def figures(self) -> dict[str, Any]:
        spans = [*self.spans, 0.0, 0.0][: max(2, len(self.spans))]
        return {
            "asked": self.begun,
            "p50_ms": round(quantiles(spans, n=2)[0] * 1000, 1),
            "p99_ms": round(quantiles(spans, n=100, method="inclusive")[98] * 1000, 1),
            "max_ms": round(max(spans) * 1000, 1),
            "wrong": sorted(self.wrong),
        }


def live(port: int) -> Callable[[], int]:
    return lambda: ask(port, "GET", "/health/live", headers={})[0]


def pages(port: int, cookie: str) -> Callable[[], int]:
    return lambda: ask(port, "GET", "/runs", headers={"Cookie": cookie})[0]


def smarthr_webhook(port: int, connection: str, secret: str, crew: str) -> Callable[[], int]:
    """Another event about this person each time."""

    def send() -> int:
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        body = {"event": "crew_updated", "crew": {"id": crew}, "triggered_at": moment, "sender": None}
        headers = {"X-SmartHR-Token": secret, "Content-Type": "application/json"}
        return ask(port, "POST", f"/webhooks/smarthr/{connection}", headers=headers, body=json.dumps(body))[0]

    return send


def freee_webhook(port: int, secret: str, employee: int) -> Callable[[], int]:
    def send() -> int:
        headers = {"x-freee-token": secret, "Content-Type": "application/json"}
        return ask(port, "POST", "/webhooks/freee", headers=headers, body=json.dumps(of_freee(employee)))[0]

    return send

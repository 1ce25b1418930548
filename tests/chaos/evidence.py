"""What the judge gets to see: values only, collected outside the system wherever that is possible."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from app.practice.house.processes import local_session
from tests.chaos.house import House
from tests.chaos.workload import Batch

_RUN_LINK = re.compile(r"/runs/([0-9a-f]{8}-[0-9a-f-]{27})(?!/confirm)(?![0-9a-f-])")
"""Of a summary; that a held run waits is told by a notice of its own, whose link leads to the confirmation."""


@dataclass(frozen=True)
class Call:
    """One request a vendor received. `at`: epoch seconds of its arrival; `status` None = the answer was cut."""

    system: str
    at: float
    method: str
    path: str
    status: int | None


@dataclass(frozen=True)
class Mail:
    run_id: str
    message_id: str


@dataclass(frozen=True)
class RunSeen:
    """A run as the public API tells it, beside what was asked for."""

    batch: Batch
    run: Mapping[str, Any]
    items: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Evidence:
    """Everything the judge decides by."""

    runs: Sequence[RunSeen] = ()
    listed: Sequence[str] = ()
    """Ids of all runs the API lists."""
    smarthr: Mapping[str, Any] = field(default_factory=lambda: {"crews": []}, repr=False)
    freee: Mapping[str, Any] = field(default_factory=lambda: {"employees": []}, repr=False)
    calls: Sequence[Call] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Name → what must hold no canary: logs, the broker's dump, metrics."""
    canaries: frozenset[str] = field(default=frozenset(), repr=False)
    missing: Sequence[str] = ()
    """Programs that do not run although nobody stopped them."""


def calls(house: House) -> list[Call]:
    return [
        Call(name, row["epoch"], row["method"], row["path"], row["status"])
        for name, vendor in {"smarthr": house.smarthr, "freee": house.freee}.items()
        for row in vendor.logged()
    ]


def mails(folder: Path) -> list[Mail]:
    """Which run each received mail is about, by the link in its text."""
    found = []
    for file in sorted(folder.glob("*.eml")):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = message.get_body(("plain",))
        link = _RUN_LINK.search(body.get_content() if body else "")
        found.append(Mail(link[1] if link else "", str(message["Message-ID"])))
    return found


def run_seen(house: House, batch: Batch) -> RunSeen:
    run = house.api.get(f"/api/v1/runs/{batch.run_id}")
    return RunSeen(batch, run, tuple(house.api.pages(f"/api/v1/runs/{batch.run_id}/items")))


def texts(house: House) -> dict[str, bytes]:
    told = {file.name: file.read_bytes() for file in house.processes.logs.glob("*.log")}
    told["broker"] = house.broker.dump()
    with local_session() as session:
        try:
            told["metrics"] = session.get(f"{house.api.url}/metrics", headers=house.api.headers, timeout=10).content
        except requests.RequestException as error:
            raise AssertionError("/metrics does not answer after the fault") from error
    return told


def collect(house: House, batches: Sequence[Batch], canaries: frozenset[str], *, ended: dict[str, RunSeen]) -> Evidence:
    """Of the house's company. `ended` remembers runs that were final when they were seen: nothing may change in them,
    and pages cost time. Without canaries to look for, no texts are collected."""
    for batch in batches:
        if batch.run_id and batch.run_id not in ended:
            ended[batch.run_id] = run_seen(house, batch)
    return Evidence(
        runs=tuple(ended[batch.run_id] for batch in batches if batch.run_id),
        listed=tuple(run["id"] for run in house.api.pages("/api/v1/runs") if run["connection"] == house.connection),
        smarthr=house.smarthr.state(),
        freee=house.freee.state(),
        calls=calls(house),
        texts=texts(house) if canaries else {},
        canaries=canaries,
        missing=house.missing_programs(),
    )

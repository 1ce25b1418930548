"""F17: one webhook of each vendor a hundred times at once. One answer, one delivery, one item, each write once."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.practice.staff import practice_company
from tests.chaos.automatic import is_quiet
from tests.chaos.evidence import Call, calls
from tests.chaos.house import FREEE_SECRET, House
from tests.chaos.judge import Broken
from tests.chaos.parts import Vendor, wait_for
from tests.chaos.scene import Scene
from tests.chaos.workload import TO_FREEE, TO_SMARTHR
from tests.storm.deliveries import Hook, smarthr_secret
from tests.storm.sender import Sender, Shot, packed

TIMES, CONNECTIONS = 100, 32
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Answered:
    """What came of one webhook sent many times."""

    system: str
    answers: Counter[tuple[int, int]]
    """(status, id of the delivery) → how many copies were answered so."""
    deliveries: Sequence[Mapping[str, Any]] = ()
    """The API's details of every delivery of this system that came in meanwhile and names this person; a sweep may be
    at work on others."""
    writes: Sequence[Call] = field(default=())
    """What the other side received for this person."""


def webhooks(scene: Scene) -> None:
    """SmartHR's, then freee's."""
    for direction in (TO_FREEE, TO_SMARTHR):
        _one(scene, direction)
    scene.over()


def _one(scene: Scene, direction: str) -> None:
    """The vendor's own webhook about the edit is lost, and this one comes instead, a hundred times."""
    house = scene.house
    source, target = (house.smarthr, house.freee) if direction == TO_FREEE else (house.freee, house.smarthr)
    system = "smarthr" if direction == TO_FREEE else "freee"
    known = {each["id"] for each in house.api.pages("/api/v1/deliveries")}
    since = time.time()
    with _lost(source):
        batch = scene.edit(1, 0, direction=direction)
    (number,) = batch.numbers
    ids = person_of(house, number)
    hook = _of_smarthr(house, ids) if direction == TO_FREEE else _of_freee(ids)
    answers = sent(house, hook)
    wait_for(lambda: is_quiet(house), seconds=60, what="the end of it")
    new = [each["id"] for each in house.api.pages("/api/v1/deliveries") if each["id"] not in known]
    details = [house.api.get(f"/api/v1/deliveries/{each}") for each in new]
    other = "freee" if target is house.freee else "smarthr"
    seen = Answered(
        system=system,
        answers=answers,
        deliveries=[each for each in details if each["system"] == system and ids[system] in each["people"]],
        writes=[
            call
            for call in calls(house)
            if (call.system, call.method in WRITES) == (other, True)
            and call.at >= since
            and ids[other] in call.path.split("/")
        ],
    )
    scene.findings += judge_repeated(seen)


def judge_repeated(seen: Answered) -> list[Broken]:
    """Every way in which a repetition was not one."""
    found = []
    if len(seen.answers) != 1 or any(status != 202 for status, _ in seen.answers) or seen.answers.total() != TIMES:
        told = dict(Counter(status for status, _ in seen.answers.elements()))
        found.append(
            Broken("I1", f"a webhook of {seen.system} sent {TIMES} times: {len(seen.answers)} answers, statuses {told}")
        )
    if len(seen.deliveries) != 1:
        found.append(Broken("I1", f"a webhook of {seen.system} is stored {len(seen.deliveries)} times"))
    items = sum(len(each["items"]) for each in seen.deliveries)
    if items != 1:
        found.append(Broken("I1", f"a webhook of {seen.system} became {items} items"))
    again = Counter((call.method, call.path) for call in seen.writes)
    if not again or max(again.values()) > 1:
        most = max(again.values(), default=0)
        found.append(Broken("I5", f"a webhook of {seen.system}: one write reached the other side {most} times"))
    return found


def sent(house: House, hook: Hook) -> Counter[tuple[int, int]]:
    """As often as a storm of copies, over many connections at once."""
    port = int(house.env["PORT"])
    sender = Sender(port, [packed(hook)], deque(Shot(0) for _ in range(TIMES)))
    answered = sender.send_all(connections=CONNECTIONS)["answered"]
    return Counter((status, row) for _, status, row in answered)


def person_of(house: House, number: str) -> dict[str, str]:
    """System → this person's id there."""
    crew = house.smarthr.ask("GET", f"crews/{number}")
    employee = next(each for each in house.freee.state()["employees"] if each["num"] == number)
    return {"smarthr": str(crew["id"]), "freee": str(employee["id"])}


def _of_smarthr(house: House, ids: Mapping[str, str]) -> Hook:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = {"event": "crew_updated", "triggered_at": moment, "sender": None, "crew": {"id": ids["smarthr"]}}
    return Hook(f"/webhooks/smarthr/{house.connection}", "X-SmartHR-Token", smarthr_secret(house), json.dumps(body))


def _of_freee(ids: Mapping[str, str]) -> Hook:
    now = datetime.now(UTC) + timedelta(hours=9)
    employee = {
        "id": int(ids["freee"]),
        "company_id": practice_company.FREEE_COMPANY_ID,
        "year": now.year,
        "month": now.month,
    }
    body = {
        "id": str(uuid.uuid4()),
        "application_id": 12_345,
        "resource": "hr:employee",
        "action": "updated",
        "created_at": f"{now:%Y-%m-%dT%H:%M:%S}+09:00",
        "employee": employee,
    }
    return Hook("/webhooks/freee", "x-freee-token", FREEE_SECRET, json.dumps(body))


@contextmanager
def _lost(vendor: Vendor) -> Iterator[None]:
    """What this vendor would tell by itself is lost meanwhile."""
    vendor.ask("PUT", "switches", {"webhook_loss": "all"})
    try:
        yield
    finally:
        vendor.ask("PUT", "switches", {"webhook_loss": "none"})

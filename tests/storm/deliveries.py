"""The webhooks of the storm, in both vendors' forms, each its own event: full bodies, ids only, family, imports."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.practice.staff import practice_company
from tests.chaos.house import FREEE_SECRET, House
from tests.storm.people import Person

COPIES = (1, 2, 3)


@dataclass(frozen=True)
class Hook:
    """One delivery as it is sent. `people`: numbers."""

    path: str
    header: str
    secret: str = field(repr=False)
    body: str = field(repr=False)
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Volley:
    """`order`: indexes of `hooks`, each as often as it is delivered, shuffled."""

    hooks: Sequence[Hook]
    order: Sequence[int]


def smarthr_secret(house: House) -> str:
    """What the service has made and told the vendor at the registration."""
    return str(house.smarthr.state()["webhooks"][0]["secret_token"])


def load_volley(crowds: Sequence[tuple[House, Sequence[Person]]], count: int, *, seed: int = 1) -> Volley:
    """`count` different deliveries, the same number of every company; every person has some of every system that knows
    them."""
    chance = random.Random(seed)
    share = count // len(crowds)
    hooks = [hook for company, people in crowds for hook in _hooks(company, people, share)]
    order = [index for index in range(len(hooks)) for _ in range(chance.choice(COPIES))]
    chance.shuffle(order)
    return Volley(hooks, order)


def _hooks(house: House, people: Sequence[Person], count: int) -> list[Hook]:
    """Of one company."""
    secret = smarthr_secret(house)
    crews = {each["id"]: each for each in house.smarthr.state()["crews"]}
    first = datetime.now(UTC) - timedelta(seconds=count / 1000)
    hooks = []
    for index in range(count):
        person, turn = people[index % len(people)], index // len(people)
        if turn % 2 and person.employee_id:
            sent = _json(of_freee(person.employee_id, house.tenant.company_id))
            hooks.append(Hook("/webhooks/freee", "x-freee-token", FREEE_SECRET, sent, (person.number,)))
        else:
            moment = (first + timedelta(milliseconds=index)).isoformat(timespec="milliseconds")
            body = {"triggered_at": moment.replace("+00:00", "Z"), "sender": None, **_of_smarthr(person, turn, crews)}
            path = f"/webhooks/smarthr/{house.connection}"
            hooks.append(Hook(path, "X-SmartHR-Token", secret, _json(body), (person.number,)))
    return hooks


def _of_smarthr(person: Person, turn: int, crews: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The four shapes in which SmartHR may tell, in turn."""
    crew, only_id = crews[person.crew_id], {"id": person.crew_id}
    event = "crew_created" if person.is_new else "crew_updated"
    shapes: tuple[dict[str, Any], ...] = (
        {"event": event, "crew": crew},
        {"event": event, "crew": only_id},
        {"event": "crew_imported", "crew_import_result": {"created_crews": [], "updated_crews": [only_id]}},
        {"event": "dependent_updated", "dependent": {"id": str(uuid.uuid4()), "crew_id": person.crew_id}},
    )
    return shapes[turn // 2 % len(shapes)]


def of_freee(employee_id: int, company_id: int = practice_company.FREEE_COMPANY_ID) -> dict[str, Any]:
    """What freee sends of an employee whom somebody has changed just now: whom, and never what."""
    now = datetime.now(UTC) + timedelta(hours=9)
    return {
        "id": str(uuid.uuid4()),
        "application_id": 12_345,
        "resource": "hr:employee",
        "action": "updated",
        "created_at": f"{now:%Y-%m-%dT%H:%M:%S}+09:00",
        "employee": {
            "id": employee_id,
            "company_id": company_id,
            "year": now.year,
            "month": now.month,
        },
    }


def _json(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)

"""10,000 strange bodies at both webhook routes: never a 5xx, and what is stored is stored whole.

The generator is seeded: the same bodies every time, and any one of them again by its number.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.storage.enums import DeliveryState
from tests.properties import PROFILE
from tests.web.application import application_on
from tests.web.hooks import (
    FREEE_EVENTS,
    FREEE_TOKEN,
    SMARTHR_EVENTS,
    freee_body,
    listen,
    send_freee,
    send_smarthr,
    smarthr_body,
    stored,
)
from tests.web.world import World

pytestmark = pytest.mark.reach("test")  # long journeys

LIMIT = 8192
SEED = 20261122
BODIES = {"sqlite": 8_500 if PROFILE == "long" else 1_500, "postgresql": 1_500}
"""The same bodies begin both, so `make test-all` sends all that `make test` sends, and more."""
PART = 250

STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 17, 1.5, -0.0, 1e308, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**18, 10**400),
    *(float("nan"), float("inf"), float("-inf"), [], {}, [[]], [None], [{}], {"id": None}, {"id": {"id": "a"}}),
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\ud800",
        "\udfff\ud800",
        "佐藤",
        "\u202e",
        "\ufeff",
        "\n",
        "a" * 65,
        "9" * 64,
        "x" * 4000,
    ),
    *("' OR 1=1 --", "../../v1/users", "%00", "{{7*7}}", "\x1b[31m", "hr:employee", "crew_updated", "1234567", "67890"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-11-22", "2026-W47-7T00Z"),
)


class Generator:
    """Bodies by kind of mischief; every kind begins with what a vendor would send."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        kinds = (
            *(self.valid, self.truncated, self.flipped, self.retyped, self.retyped, self.deep, self.not_utf8),
            *(self.number, self.character, self.doubled_key, self.sized, self.crowd, self.encoded, self.noise),
        )
        self.kinds: tuple[Callable[[str], bytes], ...] = kinds

    def bodies(self, count: int) -> Iterator[tuple[str, bytes]]:
        """(system, body)."""
        for number in range(count):
            system = self.random.choice(("smarthr", "freee"))
            yield system, self.kinds[number % len(self.kinds)](system)

    def valid(self, system: str) -> bytes:
        pick = self.random
        if system == "freee":
            return freee_body(pick.choice(FREEE_EVENTS), person=pick.randrange(1, 400), number=pick.randrange(3000))
        event = pick.choice(SMARTHR_EVENTS)
        people = [f"crew-{pick.randrange(400)}" for _ in range(pick.randrange(1, 6))]
        moment = pick.choice((None, f"2026-11-22T03:{pick.randrange(60):02d}:{pick.randrange(60):02d}Z"))
        return smarthr_body(event, *people, at=moment, full=pick.random() < 0.2)

    def record(self, system: str) -> Any:
        return json.loads(self.valid(system))

    def truncated(self, system: str) -> bytes:
        body = self.valid(system)
        return body[: self.random.randrange(len(body))]

    def flipped(self, system: str) -> bytes:
        body = bytearray(self.valid(system))
        for _ in range(self.random.randrange(1, 4)):
            body[self.random.randrange(len(body))] = self.random.randrange(256)
        return bytes(body)

    def retyped(self, system: str) -> bytes:
        """Values anywhere replaced by strange ones, keys lost."""
        record = self.record(system)
        for _ in range(self.random.randrange(1, 4)):
            self._spoil(record)
        return json.dumps(record).encode()

    def _spoil(self, node: Any) -> None:
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                return
            key = self.random.choice(keys)
            inner = node[key]
            if isinstance(inner, dict | list) and inner and self.random.random() < 0.6:
                node = inner
                continue
            if self.random.random() < 0.15:
                del node[key]
            else:
                node[key] = deepcopy(self.random.choice(STRANGE))
            return

    def deep(self, system: str) -> bytes:
        depth = self.random.choice((50, 900, 1000, 1100, 2500))
        inside = self.random.choice((("[", "]"), ('{"a":', "}")))
        nest = inside[0] * depth + ("1" if inside[0] != "[" else "") + inside[1] * depth
        return self.valid(system)[:-1] + b', "crew": ' + nest[: LIMIT - 600].encode() + b"}"

    def not_utf8(self, system: str) -> bytes:
        body = self.valid(system)
        place = self.random.randrange(len(body))
        wrong = self.random.choice((b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\x80"))
        return body[:place] + wrong + body[place:]

    def number(self, system: str) -> bytes:
        number = self.random.choice(
            ("9" * 25, "9" * 4300, "9" * 4301, "1e999", "-1e999", "NaN", "Infinity", "-0", "01")
        )
        return self.valid(system).replace(b"null", number.encode()).replace(b'"application_id": 12345', b'"x": 1')[
            :-1
        ] + b', "employee": {"id": %b, "company_id": %b}}' % (number.encode(), number.encode())

    def character(self, system: str) -> bytes:
        wrong = self.random.choice((b"\\u0000", b"\\ud800", b"\\udc00\\ud800", b"\\uffff", b"\0", b"\x7f", b"\\x41"))
        return self.valid(system).replace(b"crew-", b"crew-" + wrong).replace(b"updated", b"up" + wrong + b"dated")

    def doubled_key(self, system: str) -> bytes:
        body = self.valid(system)
        other = json.dumps(self.random.choice(STRANGE[:20])).encode()
        return b'{"event": %b, "resource": %b, "employee": %b, ' % (other, other, other) + body[1:]

    def sized(self, system: str) -> bytes:
        body = self.valid(system)
        size = LIMIT + self.random.choice((-1, 0, 1, 1, 2, 500))
        return body[:-1] + b" " * (size - len(body)) + b"}"

    def crowd(self, system: str) -> bytes:
        people: list[Any] = [{"id": f"crowd-{self.random.randrange(300)}"} for _ in range(self.random.randrange(150))]
        people[5:5] = self.random.choices(STRANGE[:40], k=2)
        lists = {"created_crews": people, self.random.choice(("updated_crews", "", "x")): people[::-2]}
        return json.dumps({"event": "crew_imported", "crew_import_result": lists}).encode()

    def encoded(self, system: str) -> bytes:
        text = self.valid(system).decode()
        return text.encode(self.random.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le", "cp037")))

    def noise(self, system: str) -> bytes:
        return self.random.choice(
            (b"", b" ", b"null", b"true", b"[]", b'""', b"0", b"{}", self.random.randbytes(self.random.randrange(300)))
        )


@pytest.fixture
def app(world: World) -> Flask:
    settings = replace(
        world.ctx.settings, freee_webhook_token=FREEE_TOKEN, webhook_max_bytes=LIMIT, log_level="WARNING"
    )
    world.ctx = replace(world.ctx, settings=settings)
    listen(world)
    return application_on(world.ctx)


def test_the_same_seed_makes_the_same_bodies() -> None:
    assert list(Generator(SEED).bodies(200)) == list(Generator(SEED).bodies(200))
    assert len({body for _, body in Generator(SEED).bodies(2000)}) > 1500


def test_strange_bodies_are_answered_and_stored_whole(app: Flask, world: World, database_kind: str) -> None:
    statuses: Counter[int] = Counter()
    ids: set[int] = set()

    def send(part: list[tuple[str, bytes]]) -> None:
        client = app.test_client()
        for system, body in part:
            answer = send_freee(client, body) if system == "freee" else send_smarthr(client, body)
            assert answer.status_code in (202, 400, 413), (answer.status_code, system, body)
            assert (answer.status_code == 413) is (len(body) > LIMIT), (system, len(body))
            statuses[answer.status_code] += 1
            if answer.status_code == 202:
                ids.add(answer.get_json()["id"])

    bodies = list(Generator(SEED).bodies(BODIES[database_kind]))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, (bodies[start : start + PART] for start in range(0, len(bodies), PART))))
    assert sum(statuses.values()) == len(bodies)
    assert min(statuses[202], statuses[400]) > len(bodies) / 5 and statuses[413] > len(bodies) / 100
    check_whole(world, ids)


def check_whole(world: World, answered: set[int]) -> None:
    """Every delivery that was answered is there and no other; accepted ones have an item per person; each item was
    asked for by a delivery."""
    found = stored(world.database)
    assert {delivery.id for delivery in found.deliveries} == answered
    states = Counter(delivery.state for delivery in found.deliveries)
    assert states[DeliveryState.ACCEPTED] and states[DeliveryState.UNKNOWN] and states[DeliveryState.UNROUTED]
    people = {item.id: item.source_id for item in found.items}
    for delivery in found.deliveries:
        linked = [people[item] for item in found.links.get(delivery.id, ())]
        wanted = delivery.people if delivery.state is DeliveryState.ACCEPTED else []
        assert sorted(map(str, linked)) == sorted(wanted)
        assert delivery.people or delivery.state is not DeliveryState.ACCEPTED
    assert set(people) == {item for linked in found.links.values() for item in linked}
    for run in found.runs:
        mine = [item.source_id for item in found.items if item.run_id == run.id]
        assert len(mine) == len(set(mine)) > 0

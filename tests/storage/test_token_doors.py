"""The token door in the database: one inside at a time, for every process; a dead holder is followed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.vendors.tokens import Passage
from app.storage.metrics.counters import labels
from app.storage.token_store import REFUSALS, DatabaseTokenDoor
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW
from tests.storage.test_token_store import Clock
from tests.together import together

pytestmark = pytest.mark.sql


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def door(database: Database, clock: Clock) -> DatabaseTokenDoor:
    return door_of(database, clock)


def door_of(database: Database, clock: Clock, client: str = "an-invented-client") -> DatabaseTokenDoor:
    return DatabaseTokenDoor(database.unit_of_work, clock, client, chance=lambda: 1.0)


def entered(door: DatabaseTokenDoor) -> Passage:
    passage = door.enter()
    assert isinstance(passage, Passage)
    return passage


def test_one_of_many_goes_in(door: DatabaseTokenDoor) -> None:
    answers = together(lambda _: door.enter(), 8)
    assert sum(isinstance(each, Passage) for each in answers) == 1
    assert [each for each in answers if not isinstance(each, Passage)] == [0.0] * 7, "busy, not closed"
    assert door.opens_in() == 0.0


def test_each_end_of_a_passage_lets_the_next_one_in(door: DatabaseTokenDoor) -> None:
    door.heard(entered(door))
    door.left(entered(door))
    entered(door)


def test_a_refusal_closes_the_door_for_every_process_and_is_counted(
    database: Database, door: DatabaseTokenDoor, clock: Clock
) -> None:
    assert door.refused(entered(door), status=429, retry_after=40.0) == 40.0
    other = door_of(database, clock)
    assert (other.enter(), other.opens_in()) == (40.0, 40.0)
    clock.instant = NOW + timedelta(seconds=41)
    assert other.refused(entered(other), status=503, retry_after=None) == 60.0
    with database.unit_of_work().reading() as uow:
        counted = uow.counters.all()[REFUSALS]
    assert counted == {labels(status="429"): 1, labels(status="503"): 1}


def test_the_door_belongs_to_the_client_id(database: Database, door: DatabaseTokenDoor, clock: Clock) -> None:
    door.refused(entered(door), status=429, retry_after=40.0)
    entered(door_of(database, clock, "another-client"))


def test_what_was_heard_survives_in_the_row(database: Database, door: DatabaseTokenDoor, clock: Clock) -> None:
    for second in (0, 1):
        clock.instant = NOW + timedelta(seconds=second)
        door.heard(entered(door))
    door.refused(entered(door), status=429, retry_after=None)
    clock.instant = NOW + timedelta(seconds=40)
    assert door_of(database, clock).opens_in() == 20.0, "two a minute"


def test_a_dead_holder_is_followed_and_says_nothing_any_more(door: DatabaseTokenDoor, clock: Clock) -> None:
    frozen = entered(door)
    clock.instant = NOW + timedelta(seconds=89)
    assert not isinstance(door.enter(), Passage)
    clock.instant = NOW + timedelta(seconds=91)
    mine = entered(door)
    door.refused(frozen, status=429, retry_after=3000.0)
    assert not isinstance(door.enter(), Passage), "I am still inside"
    door.heard(mine)
    entered(door)

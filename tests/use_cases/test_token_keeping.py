"""Tokens are kept alive through one door: spread, in order, patient, and never lost to a limit."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.domain.employee import YearMonth
from app.domain.enums import Direction, System
from app.domain.errors import RunError, TemporaryError
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Connection
from app.domain.vendors.token_door import renewal_due_at
from app.domain.vendors.tokens import FreeeTokens
from app.practice.staff import practice_company
from app.storage.enums import RefreshState
from app.use_cases.shared.backoff import next_try
from app.use_cases.upkeep.token_keeping import KEEP_SECONDS, keep_tokens_alive, settle_doubts
from tests.house import House
from tests.reach import thinned
from tests.storage.databases import add_connection
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.reach("test")  # long journeys

SIX_HOURS = timedelta(hours=6)

# ── who is renewed when ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_pair_is_renewed_at_its_moment_and_not_before(room: Room) -> None:
    connection = room.connection.id
    issued = room.clock.now()
    due = renewal_due_at(connection, issued_at=issued, expires_at=issued + SIX_HOURS)
    room.clock.turn(seconds=(due - issued).total_seconds() - 1)
    assert (keep_tokens_alive(room.ctx), room.sign_in.kept) == (0, [])
    room.clock.turn(seconds=2)
    assert (keep_tokens_alive(room.ctx), room.sign_in.kept) == (1, [connection])


def test_who_ends_first_is_first_and_a_closed_door_ends_the_turn(room: Room) -> None:
    second = add_connection(room.database, "second", now=room.clock.now()).id
    with room.database.unit_of_work() as uow:
        tokens = FreeeTokens("a", "r", room.clock.now() + timedelta(hours=5))
        uow.connections.set_freee_tokens(second, tokens, now=room.clock.now())
    room.clock.turn(hours=7)
    assert keep_tokens_alive(room.ctx) == 2
    assert room.sign_in.kept == [second, room.connection.id]
    room.sign_in.trouble = TemporaryError("E22", retry_after=60.0, counts=False)
    assert keep_tokens_alive(room.ctx) == 0
    assert len(room.sign_in.kept) == 3, "nobody after the first knocks at a closed door"


def test_trouble_of_one_connection_does_not_hold_up_the_next(room: Room) -> None:
    add_connection(room.database, "second", now=room.clock.now())
    room.clock.turn(hours=7)
    room.sign_in.trouble = RunError("needs_consent", needs_consent=True)
    assert keep_tokens_alive(room.ctx) == 0
    assert len(room.sign_in.kept) == 2


def test_a_pair_that_needs_a_person_or_is_in_doubt_is_left_alone(room: Room) -> None:
    room.clock.turn(hours=7)
    room.ctx.tokens.mark_refresh_unknown(room.connection.id, version=1)
    assert keep_tokens_alive(room.ctx) == 0
    room.ctx.tokens.mark_needs_consent(room.connection.id, version=1)
    assert (keep_tokens_alive(room.ctx), room.sign_in.kept) == (0, [])


def test_a_doubt_is_settled_by_one_call_and_only_a_doubt(room: Room) -> None:
    listing = room.listings[System.FREEE]
    assert (settle_doubts(room.ctx), listing.asked) == (0, 0)
    assert room.ctx.tokens.claim_refresh(room.connection.id, version=1, seconds=90)
    assert settle_doubts(room.ctx) == 0, "it is being renewed right now"
    room.clock.turn(seconds=91)
    assert (settle_doubts(room.ctx), listing.asked) == (1, 1)
    room.ctx.tokens.mark_needs_consent(room.connection.id, version=1)
    assert settle_doubts(room.ctx) == 0


# ── many connections against a limit ──────────────────────────────────────────────────────────────────────────────

CONNECTIONS, LIMIT, WORKERS, KEEPERS = 50, 5, 4, 2
ALONE = (CONNECTIONS / LIMIT - 1) * 60.0
"""Seconds in which the limit lets so many through, the first of them at once."""


def many(house: House) -> list[Connection]:
    """Connections with a pair of their own each, all issued at this moment."""
    for number in range(CONNECTIONS):
        access, refresh = f"an-access-token-{number}", f"a-refresh-token-{number}"
        with house.freee.lock:
            house.freee.desk.start_with(access, refresh)
        with house.ctx.unit_of_work() as uow:
            now = house.clock.now()
            made = uow.connections.add(
                key=f"many-{number}",
                name=f"練習{number}",
                smarthr_subdomain=f"many-{number}",
                smarthr_token=practice_company.SMARTHR_TOKEN,
                freee_company_id=practice_company.FREEE_COMPANY_ID,
                now=now,
            )
            uow.connections.set_freee_tokens(made.id, FreeeTokens(access, refresh, now + SIX_HOURS), now=now)
    with house.ctx.unit_of_work() as uow:
        return [each for each in uow.connections.list_all() if each.key.startswith("many-")]


class Day:
    """What the processes do, in the order of a clock that is turned: workers whose jobs need a token and come back when
    they were told to, and cron processes that keep tokens alive."""

    def __init__(self, house: House, connections: list[Connection]) -> None:
        self.house, self.began = house, house.clock.now()
        self.served: dict[int, datetime] = {}
        self.told: list[TemporaryError] = []
        self._order = itertools.count()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._jobs = list(connections)
        for _ in range(WORKERS):
            self.at(0.0, self.work)
        for number in range(KEEPERS):
            self.at(number * KEEP_SECONDS / KEEPERS, self.keep)

    def at(self, seconds: float, work: Callable[[], None]) -> None:
        moment = self.house.clock.now() + timedelta(seconds=seconds)
        heapq.heappush(self._due, (moment, next(self._order), work))

    def pass_until(self, done: Callable[[], bool]) -> float:
        """Seconds until then."""
        while not done():
            moment, _, work = heapq.heappop(self._due)
            self.house.clock.instant = max(moment, self.house.clock.instant)
            work()
        return (self.house.clock.now() - self.began).total_seconds()

    def work(self) -> None:
        """A worker takes the next job; each takes a tenth of a second."""
        if self._jobs:
            self.serve(self._jobs.pop(0))
            self.at(0.1, self.work)

    def serve(self, connection: Connection) -> None:
        try:
            self.house.ctx.gateway(connection, System.FREEE).read("100001", month=YearMonth(2026, 11))
        except TemporaryError as error:
            self.told.append(error)
            wait = next_try(self.house.ctx.settings, failures=0, retry_after=error.retry_after)
            self.at(wait.total_seconds(), lambda: self.serve(connection))
        else:
            self.served[connection.id] = self.house.clock.now()

    def keep(self) -> None:
        keep_tokens_alive(self.house.ctx)
        self.at(KEEP_SECONDS, self.keep)


def token_requests(house: House) -> int:
    return house.freee_injector.calls("POST", "/public_api/token")


def states(house: House) -> list[tuple[RefreshState, bool]]:
    with house.ctx.unit_of_work().reading() as uow:
        return [
            (uow.connections.status(each.id).refresh_state, each.needs_consent) for each in uow.connections.list_all()
        ]


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(("says", "jobs"), thinned(3, ["retry_after", "date", "nothing"], [True, False]))
def test_fifty_pairs_that_end_together_are_all_kept_in_the_time_the_limit_demands(
    open_practice: Callable[..., House], says: str, jobs: bool
) -> None:
    house = open_practice(turn_freee=True, freee_switches={"token_limit": LIMIT, "token_limit_says": says})
    connections = many(house)
    house.clock.turn(hours=6, seconds=1)  # all dead: nobody kept them alive
    day = Day(house, connections if jobs else [])
    renewed: Callable[[], bool] = lambda: house.freee.desk.dump()["pairs_issued"] >= 2 * (CONNECTIONS + 1)  # noqa: E731
    seconds = day.pass_until(lambda: renewed() and len(day.served) == (CONNECTIONS if jobs else 0))

    assert seconds <= (ALONE + 60.0) * 1.2, "one more pair is the house's own connection's"
    assert states(house) == [(RefreshState.OK, False)] * (CONNECTIONS + 1)
    assert house.freee.desk.dump()["pairs_issued"] == 2 * (CONNECTIONS + 1), "no refresh token was spent twice"
    assert all(not error.counts for error in day.told), "nobody's attempt is spent by waiting"
    refusals = token_requests(house) - (CONNECTIONS + 1)
    assert refusals <= CONNECTIONS / LIMIT + 2, "one probe at a time"


@pytest.mark.database("sqlite")
def test_without_a_limit_nobody_waits(open_practice: Callable[..., House]) -> None:
    house = open_practice(turn_freee=True)
    connections = many(house)
    house.clock.turn(hours=6, seconds=1)
    day = Day(house, connections)
    seconds = day.pass_until(lambda: len(day.served) == CONNECTIONS)
    assert seconds <= CONNECTIONS / WORKERS * 0.1 + 0.1
    assert day.told == []


@pytest.mark.reach("all")
@pytest.mark.database("sqlite")
def test_pairs_that_were_issued_together_are_renewed_over_two_hours_and_before_the_last_half(
    open_practice: Callable[..., House],
) -> None:
    house = open_practice(turn_freee=True, freee_switches={"token_limit": LIMIT})
    many(house)
    moments: list[float] = []
    house.clock.turn(hours=3, minutes=59)
    assert keep_tokens_alive(house.ctx) == 0
    for minute in range(239, 331):
        moments += [minute] * keep_tokens_alive(house.ctx)
        house.clock.turn(minutes=1)
    assert len(moments) == CONNECTIONS + 1
    assert max(moments.count(each) for each in moments) <= 2
    assert token_requests(house) == CONNECTIONS + 1, "nobody was refused"


# ── a run meets the limit ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("says", thinned(2, ["retry_after", "nothing"]))
def test_a_run_without_a_living_token_waits_for_the_door_and_loses_nobody(
    open_practice: Callable[..., House], says: str
) -> None:
    house = open_practice(turn_freee=True, freee_switches={"token_limit": 1, "token_limit_says": says})
    house.clock.turn(hours=6, seconds=1)
    spend_the_limit(house)
    ended = house.run(Direction.SMARTHR_TO_FREEE)
    expected = open_practice().run(Direction.SMARTHR_TO_FREEE)
    assert (ended.state, ended.counts) == (expected.state, expected.counts)
    assert ended.state is RunState.PARTLY_FAILED and ended.counts[ItemState.SUCCEEDED] > 0
    assert states(house) == [(RefreshState.OK, False)]
    assert token_requests(house) > 1, "it was refused at first"


def spend_the_limit(house: House) -> Any:
    """Another application of the same client has used up this minute."""
    with house.freee.lock:
        return house.freee.token_limit.refusal(1, says="nothing")

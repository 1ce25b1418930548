"""Whom the brakes on guessing hold up, over many addresses and accounts: every sign-in as its use case, no page."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.domain.access.brakes import ACCOUNT, NETWORK, PAIR
from app.domain.errors import Refused, TemporaryError
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.api_keys import add_user
from app.use_cases.accounts.brakes import Browser, TooManyAttempts, forget_brakes
from app.use_cases.accounts.devices import remember_device
from app.use_cases.accounts.sign_in import sign_in, signed_in_by
from app.use_cases.upkeep.heartbeat import note_keys
from tests.web.visitor import PASSWORD
from tests.web.world import World, make_world, with_keys

LOGIN, OTHER = "tanto@example.invalid", "other@example.invalid"
PROXY = "10.0.0.1"


def attempt(world: World, login: str, address: str, password: str = "not-it", device: str = "") -> str:
    """What comes of it, in a word."""
    try:
        sign_in(world.ctx, login, password, Browser(address=address, device=device))
    except TooManyAttempts:
        return "wait"
    except Refused:
        return "wrong"
    return "in"


def test_one_client_behind_a_proxy_that_nobody_named_keeps_nobody_out(world: World) -> None:
    """All seem to come from one address. Who was here before is not held up at all, who was not waits for seconds."""
    for login in (LOGIN, OTHER):
        add_user(world.ctx, login, PASSWORD)
    assert attempt(world, LOGIN, PROXY, PASSWORD) == "in"
    device = remember_device(world.ctx, "", 1)
    for n in range(NETWORK.free + 10):
        attempt(world, f"user-{n}", PROXY)
    world.clock.turn(seconds=NETWORK.longest)
    for _ in range(PAIR.free + 1):
        attempt(world, LOGIN, PROXY)
        world.clock.turn(seconds=NETWORK.longest)
    attempt(world, LOGIN, PROXY)
    assert attempt(world, LOGIN, PROXY, PASSWORD) == "wait"
    assert attempt(world, LOGIN, PROXY, PASSWORD, device) == "in"
    attempt(world, "one-more", PROXY)
    assert attempt(world, OTHER, PROXY, PASSWORD) == "wait"
    world.clock.turn(seconds=NETWORK.longest)
    assert attempt(world, OTHER, PROXY, PASSWORD) == "in"


@pytest.mark.parametrize("network", ["2001:db8:1:2::{:x}", "::ffff:192.0.2.{}", "192.0.2.{}"])
def test_the_addresses_of_one_network_are_braked_as_one(network: str, world: World) -> None:
    told = [attempt(world, f"user-{n}", network.format(n)) for n in range(1, 111)]
    assert told == ["wrong"] * (NETWORK.free + 1) + ["wait"] * (110 - NETWORK.free - 1)
    assert attempt(world, "user-1", "2001:db8:1:3::1") == "wrong"


def test_guesses_that_are_spread_over_networks_are_braked_as_well(world: World) -> None:
    add_user(world.ctx, LOGIN, PASSWORD)
    assert attempt(world, LOGIN, "192.0.2.1", PASSWORD) == "in"
    spread = (f"10.{n // 200}.{n % 200}.1" for n in range(10_000))
    assert [attempt(world, LOGIN, next(spread)) for _ in range(ACCOUNT.free + 2)][-1] == "wait"
    tries = 0
    for _ in range(60):
        world.clock.turn(seconds=60)
        tries += sum(attempt(world, LOGIN, next(spread)) == "wrong" for _ in range(3))
    assert tries <= 36, "in an hour: soon one each two minutes, from however many networks"
    assert attempt(world, LOGIN, next(spread), PASSWORD) == "wait"
    assert attempt(world, LOGIN, "192.0.2.99", PASSWORD) == "in", "the network from which the account has signed in"


def test_who_signs_in_rightly_uses_up_nothing_of_the_office(world: World) -> None:
    add_user(world.ctx, LOGIN, PASSWORD)
    assert {attempt(world, LOGIN, "192.0.2.1", PASSWORD) for _ in range(NETWORK.free + 5)} == {"in"}


@pytest.mark.sql
def test_many_at_the_same_moment_are_many(world: World) -> None:
    def once(_: int) -> str:
        try:
            return attempt(world, LOGIN, "192.0.2.1")
        except TemporaryError as busy:  # the brakes let it through, and no turn was left to compute the hash
            assert busy.code == "passwords_busy"
            return "wrong"

    with ThreadPoolExecutor(16) as together:
        told = list(together.map(once, range(32)))
    assert sorted(told) == ["wait"] * (32 - PAIR.free - 1) + ["wrong"] * (PAIR.free + 1)


def test_an_attempt_that_has_to_wait_reads_three_times_and_stands_in_the_trail(world: World) -> None:
    for _ in range(PAIR.free + 1):
        attempt(world, LOGIN, "192.0.2.1")
    opened: list[UnitOfWork] = []

    def counted() -> UnitOfWork:
        opened.append(world.ctx.unit_of_work())
        return opened[-1]

    with pytest.raises(TooManyAttempts):
        sign_in(replace(world.ctx, unit_of_work=counted), LOGIN, "not-it", Browser(address="192.0.2.1"))
    assert len(opened) == 4, "three to read, and one for the entry while there is room for it"
    with world.ctx.unit_of_work() as uow:
        assert [row.action for row in uow.audit.page(limit=2)] == ["sign_in_braked", "sign_in_failed"]


def test_another_process_and_a_restart_know_of_it(world: World) -> None:
    for _ in range(PAIR.free + 1):
        attempt(world, LOGIN, "192.0.2.1")
    other = make_world(world.ctx.settings)
    assert attempt(other, LOGIN, "192.0.2.1") == "wait"
    other.database.dispose()


def test_a_process_that_knows_a_newer_key_already_counts_with_the_others(world: World) -> None:
    with world.ctx.unit_of_work() as uow:
        note_keys(world.ctx, uow)
    newer = with_keys(world.ctx, signing=("a-newer-key-that-is-not-in-use-yet", world.ctx.settings.secret_key))
    for _ in range(PAIR.free + 1):
        attempt(world, LOGIN, "192.0.2.1")
    with pytest.raises(TooManyAttempts):
        sign_in(newer, LOGIN, "not-it", Browser(address="192.0.2.1"))


@pytest.mark.sql
def test_what_is_remembered_has_a_bound(world: World) -> None:
    add_user(world.ctx, LOGIN, PASSWORD)
    attempt(world, LOGIN, "192.0.2.1", PASSWORD)
    for n in range(20):
        attempt(world, f"user-{n}", f"10.0.{n}.1")
        world.clock.turn(seconds=1)
    with world.ctx.unit_of_work() as uow:
        assert uow.brakes.purge(now=world.clock.now(), most=30) > 20
        assert uow.brakes.purge(now=world.clock.now(), most=30) == 0
    world.clock.turn(days=1, hours=1)
    assert forget_brakes(world.ctx) > 0
    with world.ctx.unit_of_work() as uow:
        assert uow.brakes.purge(now=world.clock.now(), most=0) == 1, "the owner's network alone is left"


def test_a_session_tells_where_it_began(world: World) -> None:
    add_user(world.ctx, LOGIN, PASSWORD)
    agent = "Mozilla/5.0 <b>\n" + "x" * 1000
    token = sign_in(world.ctx, LOGIN, PASSWORD, Browser(address="192.0.2.1", agent=agent))
    who = signed_in_by(world.ctx, token)
    assert who is not None
    with world.ctx.unit_of_work() as uow:
        (session,) = uow.sessions.of_user(who.user_id)
    assert session.address == "192.0.2.1" and len(session.agent) == 300 and "\n" not in session.agent

"""Tokens: renewed in time, once, by one of many; kept before use; never sent twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cryptography.fernet import Fernet

from app.adapters.freee.client import build_freee_client
from app.adapters.freee.consent import FreeeConsent
from app.adapters.freee.oauth import FreeeOAuth, InvalidGrant
from app.adapters.freee.token_session import CLAIM_SECONDS, FreeeSession
from app.domain.errors import RunError, TemporaryError
from app.domain.vendors.tokens import FreeeTokens, Passage
from app.practice.staff import practice_company
from app.storage.schema import migrate
from app.storage.token_store import DatabaseTokenDoor, DatabaseTokenStore
from app.storage.unit_of_work import Database
from app.storage.vault import Vault
from tests.adapters.canned import CannedServer, OpenLimiter, Reply, answer, raw, reset, silence
from tests.adapters.freee_world import (
    COMPANY_ID,
    CONNECTION_ID,
    NOVEMBER,
    NOW,
    SAME_MONTH_PAYER,
    HandClock,
    MemoryDoor,
    MemoryTokens,
    World,
    freee_world,
    settings_for,
)
from tests.together import together

REDIRECT = "http://127.0.0.1:9/freee/callback"


@pytest.fixture
def world() -> Iterator[World]:
    with freee_world() as world:
        yield world


def refreshes(world: World) -> int:
    return world.freee.injector.calls("POST", "/public_api/token")


def pairs_issued(world: World) -> int:
    issued: int = world.freee.dump()["tokens"]["pairs_issued"]
    return issued


# ── in time ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_token_before_its_last_half_hour_is_used_as_it_is(world: World) -> None:
    """To renew it earlier is the business of who keeps tokens alive: no job waits for that."""
    world.clock.turn(hours=5, minutes=29)
    world.read(SAME_MONTH_PAYER)

    assert refreshes(world) == 0


def test_a_token_in_its_last_half_hour_is_renewed_before_the_call_and_kept(world: World) -> None:
    world.clock.turn(hours=5, minutes=31)
    world.read(SAME_MONTH_PAYER)

    assert refreshes(world) == 1
    assert world.tokens.tokens.version == 2
    assert world.tokens.tokens.access_token != practice_company.FREEE_ACCESS_TOKEN
    assert world.tokens.tokens.refresh_token != practice_company.FREEE_REFRESH_TOKEN
    assert world.tokens.tokens.expires_at == world.clock.now() + timedelta(hours=6)


def test_an_expired_token_is_renewed(world: World) -> None:
    world.clock.turn(days=3)
    world.read(SAME_MONTH_PAYER)

    assert refreshes(world) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_refused_before_its_time_is_renewed_once_and_the_call_repeated(world: World, status: int) -> None:
    world.freee.injector.set_switch("expired_status", status)
    world.freee.expire_access_tokens()
    world.read(SAME_MONTH_PAYER)

    assert refreshes(world) == 1
    assert [each.status for each in world.injector.exchanges] == [status, 200, 200]


def test_a_write_refused_for_its_token_is_repeated_as_well(world: World) -> None:
    world.freee.expire_access_tokens()
    body = {"birth_date": "1990-04-01", "entry_date": "2023-04-01", "num": "A-1"}
    world.client().update_employee(SAME_MONTH_PAYER, body, month=NOVEMBER)

    assert world.shown(SAME_MONTH_PAYER)["num"] == "A-1"
    assert refreshes(world) == 1


def test_a_renewed_token_that_is_refused_too_stops_the_run_after_one_refresh(world: World) -> None:
    world.freee.injector.fault(path="/employees", status=401, body={"message": "ログインをしてください。"})
    with pytest.raises(RunError) as caught:
        world.read(SAME_MONTH_PAYER)

    assert type(caught.value) is RunError
    assert caught.value.code == "E18"
    assert refreshes(world) == 1


def test_a_token_renewed_by_somebody_else_meanwhile_is_taken_without_a_refresh(world: World) -> None:
    """Two clients hold version 1; the second one's refusal finds version 2 stored."""
    first, second = world.client(), world.client()
    second.users_me()
    world.freee.expire_access_tokens()
    first.users_me()
    before = refreshes(world)
    second.users_me()

    assert (before, refreshes(world)) == (1, 1)


# ── one of many ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("known_to_us", [True, False], ids=["expired by the clock", "expired for freee only"])
def test_thirty_two_threads_with_an_expired_token_refresh_once(world: World, known_to_us: bool) -> None:
    """A second refresh would be the reuse of a spent token: the connection would be lost."""
    if known_to_us:
        world.clock.turn(hours=7)
    else:
        world.freee.expire_access_tokens()
    records = together(lambda _: world.gateway().read(str(SAME_MONTH_PAYER), month=NOVEMBER), 32)

    assert all(record is not None for record in records)
    assert refreshes(world) == 1
    assert pairs_issued(world) == 2
    assert world.tokens.consent_wanted == []


def test_with_the_real_store_as_well_one_of_many_refreshes(world: World, tmp_path: Path) -> None:
    """Claim and compare-and-set in SQLite, each thread with connections of its own."""
    url = f"sqlite:///{tmp_path / 'tokens.db'}"
    migrate(url)
    database = Database(url, Vault([Fernet.generate_key().decode()]))
    with database.unit_of_work() as uow:
        connection = uow.connections.add(
            key="k",
            name="練習",
            smarthr_subdomain="awase-renshu",
            smarthr_token="unused",
            freee_company_id=COMPANY_ID,
            now=NOW,
        )
        uow.connections.set_freee_tokens(connection.id, world.tokens.tokens, now=NOW)
    store = DatabaseTokenStore(database.unit_of_work, world.clock)
    door = DatabaseTokenDoor(database.unit_of_work, world.clock, practice_company.FREEE_CLIENT_ID)
    world.clock.turn(hours=7)

    def read(_: int) -> Any:
        client = build_freee_client(
            world.settings, connection.id, COMPANY_ID, store, door, world.limiter, world.clock, requests.Session()
        )
        return client.get_employee(SAME_MONTH_PAYER, NOVEMBER)

    assert all(together(read, 16))
    assert refreshes(world) == 1
    assert pairs_issued(world) == 2
    assert store.freee_tokens(connection.id).access_token != practice_company.FREEE_ACCESS_TOKEN


def test_the_others_go_on_with_the_old_token_while_one_renews(world: World) -> None:
    """The access token still lives: nobody waits for a slow token endpoint."""
    world.clock.turn(hours=5, minutes=45)
    assert world.tokens.claim_refresh(CONNECTION_ID, version=1, seconds=CLAIM_SECONDS)
    world.read(SAME_MONTH_PAYER)

    assert refreshes(world) == 0
    assert world.injector.exchanges[-1].status == 200


def session_of(
    server: CannedServer,
    tokens: MemoryTokens,
    clock: HandClock,
    *,
    wait_seconds: float = 0.2,
    door: MemoryDoor | None = None,
) -> FreeeSession:
    oauth = FreeeOAuth(settings_for(server.url), clock, timeout=(1.0, 0.5))
    return FreeeSession(
        oauth,
        tokens,
        door or MemoryDoor(clock),
        clock,
        connection_id=CONNECTION_ID,
        company_id=COMPANY_ID,
        wait_seconds=wait_seconds,
    )


def pair(left: timedelta) -> tuple[MemoryTokens, HandClock]:
    clock = HandClock()
    return MemoryTokens(FreeeTokens("old-access", "old-refresh", NOW + left, version=4), clock), clock


ALIVE, DEAD = timedelta(minutes=10), timedelta(minutes=-1)


def test_who_finds_a_dead_token_and_another_ones_claim_waits_a_little_and_then_comes_back(vendor: CannedServer) -> None:
    tokens, clock = pair(DEAD)
    tokens.claim_refresh(CONNECTION_ID, version=4, seconds=60)
    with pytest.raises(TemporaryError) as caught:
        session_of(vendor, tokens, clock).headers()

    assert (caught.value.code, caught.value.counts) == ("E18", False)
    assert vendor.seen == []


def test_who_waits_takes_the_new_token_as_soon_as_it_is_stored(vendor: CannedServer) -> None:
    tokens, clock = pair(DEAD)
    tokens.claim_refresh(CONNECTION_ID, version=4, seconds=60)
    new = FreeeTokens("new-access", "new-refresh", NOW + timedelta(hours=6))
    threading.Timer(0.1, lambda: tokens.store_refreshed(CONNECTION_ID, new, version=4)).start()

    headers = session_of(vendor, tokens, clock, wait_seconds=5).headers()
    assert headers == {"Authorization": "Bearer new-access"}


def test_a_pair_given_meanwhile_is_not_blamed_for_the_one_that_freee_refused(vendor: CannedServer) -> None:
    tokens, clock = pair(timedelta(hours=5))
    session = session_of(vendor, tokens, clock)
    session.headers()
    tokens.tokens = FreeeTokens("given-access", "given-refresh", NOW + timedelta(hours=6), version=5)
    session.needs_consent()

    assert tokens.consent_wanted == [4]


# ── what can go wrong with a refresh ──────────────────────────────────────────────────────────────────────────────


def granted(**changes: Any) -> dict[str, Any]:
    """A token answer as freee documents it: the company id is text."""
    return {
        "access_token": "new-access",
        "token_type": "bearer",
        "expires_in": 21600,
        "refresh_token": "new-refresh",
        "scope": "read write",
        "company_id": str(COMPANY_ID),
        "external_cid": "0a1b2c3d4e",
    } | changes


def test_a_refresh_sends_the_documented_form_and_keeps_the_answer(vendor: CannedServer) -> None:
    tokens, clock = pair(ALIVE)
    vendor.will(answer(granted()))
    headers = session_of(vendor, tokens, clock).headers()

    sent = vendor.seen[0]
    assert (sent.method, sent.target) == ("POST", "/public_api/token")
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in sent.headers
    assert parse_qs(sent.body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["old-refresh"],
        "client_id": [practice_company.FREEE_CLIENT_ID],
        "client_secret": [practice_company.FREEE_CLIENT_SECRET],
    }
    assert headers == {"Authorization": "Bearer new-access"}
    assert tokens.tokens == FreeeTokens("new-access", "new-refresh", NOW + timedelta(hours=6), version=5)


LOST: list[Reply] = [reset(), silence(1.5), raw(b"<html>", status=502), raw(b'{"access_tok'), answer({"ok": True})]
LOST_IDS = ["cut", "time-out", "502", "half an answer", "another shape"]


@pytest.mark.parametrize("reply", LOST, ids=LOST_IDS)
@pytest.mark.parametrize("left", [ALIVE, DEAD], ids=["alive", "dead"])
def test_a_lost_answer_is_marked_and_never_asked_for_again(vendor: CannedServer, reply: Reply, left: timedelta) -> None:
    tokens, clock = pair(left)
    vendor.will(reply)
    session = session_of(vendor, tokens, clock)
    if left is ALIVE:
        assert session.headers() == {"Authorization": "Bearer old-access"}
    else:
        with pytest.raises(TemporaryError) as caught:
            session.headers()
        assert (caught.value.code, caught.value.counts) == ("refresh_unknown", False)

    assert len(vendor.seen) == 1
    assert tokens.unknown == [4]
    clock.turn(seconds=CLAIM_SECONDS * 2)
    if left is ALIVE:
        session.headers()
    else:  # the old access token can tell nothing any more
        with pytest.raises(RunError) as lost:
            session.headers()
        assert (lost.value.code, lost.value.needs_consent) == ("needs_consent", True)
        assert tokens.consent_wanted == [4]
    assert len(vendor.seen) == 1


def test_a_lost_refresh_that_never_happened_is_told_by_the_old_token(vendor: CannedServer) -> None:
    """A refresh kills the old access token at once: it works, so the refresh token is not spent."""
    tokens, clock = pair(ALIVE)
    vendor.will(reset(), answer(granted()))
    session = session_of(vendor, tokens, clock)
    session.headers()
    assert session.headers() == {"Authorization": "Bearer old-access"}
    assert len(vendor.seen) == 1, "doubt alone sends nothing"
    session.accepted()
    assert tokens.unknown == []
    clock.turn(seconds=CLAIM_SECONDS + 1)
    assert session.headers() == {"Authorization": "Bearer new-access"}
    assert len(vendor.seen) == 2


def test_a_lost_refresh_that_happened_is_told_by_the_old_token(vendor: CannedServer) -> None:
    tokens, clock = pair(ALIVE)
    vendor.will(reset())
    session = session_of(vendor, tokens, clock)
    session.headers()
    session.headers()
    with pytest.raises(RunError) as lost:
        session.renew()  # the old access token was refused
    assert lost.value.needs_consent
    assert tokens.consent_wanted == [4]
    assert len(vendor.seen) == 1, "the spent refresh token is not shown again"


BODIES = [b"", b"<html>busy</html>", b'{"error":"invalid_grant"}', b'{"error":"invalid_client"}', b"[1]"]


@pytest.mark.parametrize("body", BODIES, ids=["empty", "html", "invalid_grant", "invalid_client", "a list"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_refresh_that_was_not_heard_is_no_lost_answer_and_costs_no_consent(
    vendor: CannedServer, status: int, body: bytes
) -> None:
    tokens, clock = pair(DEAD)
    vendor.will(raw(body, status=status), answer(granted()))
    session = session_of(vendor, tokens, clock)
    with pytest.raises(TemporaryError) as caught:
        session.headers()

    assert (caught.value.code, caught.value.counts, tokens.unknown) == ("E22", False, [])
    assert tokens.consent_wanted == []
    assert caught.value.retry_after == 15.0, "half of the first back-off"
    clock.turn(seconds=16)
    assert session.headers() == {"Authorization": "Bearer new-access"}, "as soon as the door opens"


@pytest.mark.parametrize("status", [429, 503])
def test_a_closed_door_is_closed_for_every_connection_and_one_probe_opens_it(vendor: CannedServer, status: int) -> None:
    clock = HandClock()
    door = MemoryDoor(clock)
    sessions = [
        session_of(vendor, MemoryTokens(FreeeTokens(f"a{n}", f"r{n}", NOW + DEAD, version=4), clock), clock, door=door)
        for n in range(5)
    ]
    vendor.will(raw(b"", status=status, headers={"Retry-After": "120"}))
    waits = [refused(session) for session in sessions]
    assert (waits, len(vendor.seen)) == ([120.0] * 5, 1)
    clock.turn(seconds=119)
    assert [refused(session) for session in sessions] == [1.0] * 5
    clock.turn(seconds=1)
    assert [refused(session) for session in sessions] == [120.0] * 5
    assert len(vendor.seen) == 2, "one probe"
    clock.turn(seconds=120)
    vendor.will(answer(granted()), answer(granted()))
    vendor.forget()
    for session in sessions:
        assert session.headers() == {"Authorization": "Bearer new-access"}


def refused(session: FreeeSession) -> float | None:
    with pytest.raises(TemporaryError) as caught:
        session.headers()
    assert (caught.value.code, caught.value.counts) == ("E22", False)
    return caught.value.retry_after


def test_a_job_with_a_living_token_waits_for_nobody(vendor: CannedServer) -> None:
    """Neither for a closed door nor for one who is inside."""
    tokens, clock = pair(ALIVE)
    door = MemoryDoor(clock)
    session = session_of(vendor, tokens, clock, door=door, wait_seconds=60)
    inside = door.enter()
    assert isinstance(inside, Passage)
    assert session.headers() == {"Authorization": "Bearer old-access"}
    door.refused(inside, status=429, retry_after=300.0)
    assert session.headers() == {"Authorization": "Bearer old-access"}
    assert vendor.seen == []


NONSENSE = ["", " ", "soon", "nan", "-nan", "-5", "0", "-inf", "1,5", "Mon, 32 Jan 2026 00:00:00 GMT", "\xb9"]
NONSENSE += ["Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999999999999", "0x10", "1e-400"]


@pytest.mark.parametrize("text", NONSENSE)
def test_a_wish_that_names_no_time_to_come_counts_as_none(vendor: CannedServer, text: str) -> None:
    tokens, clock = pair(DEAD)
    vendor.will(raw(b"", status=429, headers={"Retry-After": text}))
    assert refused(session_of(vendor, tokens, clock)) == 15.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7), ("0.2", 1), ("1e9", 3600), ("inf", 3600), ("99999999999999999999", 3600)]
)
def test_a_wish_is_kept_between_a_second_and_an_hour(vendor: CannedServer, text: str, seconds: float) -> None:
    tokens, clock = pair(DEAD)
    vendor.will(raw(b"", status=429, headers={"Retry-After": text}))
    assert refused(session_of(vendor, tokens, clock)) == pytest.approx(seconds)


def test_a_wish_as_a_date_is_counted_from_the_clock_of_the_vendor(vendor: CannedServer) -> None:
    tokens, clock = pair(DEAD)
    dates = {"Date": "Tue, 15 Dec 2026 03:00:00 GMT", "Retry-After": "Tue, 15 Dec 2026 03:01:30 GMT"}
    vendor.will(raw(b"", status=429, headers=dates))
    assert refused(session_of(vendor, tokens, clock)) == 90.0


def test_a_throttle_of_the_accounts_host_closes_the_door_as_well(vendor: CannedServer) -> None:
    tokens, clock = pair(DEAD)
    vendor.will(raw(b"", status=403))
    assert refused(session_of(vendor, tokens, clock)) == 600.0
    assert tokens.unknown == tokens.consent_wanted == []


def test_an_accounts_host_that_cannot_be_reached_is_not_a_lost_answer() -> None:
    tokens, clock = pair(DEAD)
    gone = CannedServer()
    session = session_of(gone, tokens, clock)
    gone.close()
    with pytest.raises(TemporaryError) as caught:
        session.headers()

    assert (caught.value.code, caught.value.counts, tokens.unknown) == ("unreachable", False, [])


def test_a_dead_refresh_token_asks_for_consent() -> None:
    with freee_world() as world:
        world.freee.revoke_all_tokens()
        with pytest.raises(RunError) as caught:
            world.read(SAME_MONTH_PAYER)

        assert (caught.value.code, caught.value.needs_consent) == ("needs_consent", True)
        assert set(world.tokens.consent_wanted) == {1}
        assert refreshes(world) == 1


def test_invalid_grant_after_somebody_authorised_anew_takes_the_new_pair(vendor: CannedServer) -> None:
    tokens, clock = pair(ALIVE)
    renewed = FreeeTokens("consented-access", "consented-refresh", NOW + timedelta(hours=6))
    refusal = answer({"error": "invalid_grant", "error_description": "…"}, status=401)

    def reply(connection: Any) -> None:
        tokens.store_refreshed(CONNECTION_ID, renewed, version=4)
        refusal(connection)

    vendor.will(reply)
    assert session_of(vendor, tokens, clock).headers() == {"Authorization": "Bearer consented-access"}
    assert tokens.consent_wanted == []


def test_a_token_of_another_company_is_never_used(vendor: CannedServer) -> None:
    tokens, clock = pair(ALIVE)
    vendor.will(answer(granted(company_id="7654321")))
    with pytest.raises(RunError) as caught:
        session_of(vendor, tokens, clock).headers()

    assert caught.value.needs_consent
    assert tokens.tokens.access_token == "old-access"


def test_a_wrong_client_secret_stops_the_run_without_asking_for_consent(vendor: CannedServer) -> None:
    """And without a doubt about the pair: nothing was done with it."""
    tokens, clock = pair(DEAD)
    vendor.will(answer({"error": "invalid_client"}, status=401), answer(granted()))
    session = session_of(vendor, tokens, clock)
    with pytest.raises(RunError) as caught:
        session.headers()

    assert (caught.value.code, caught.value.needs_consent) == ("E23", False)
    assert (tokens.consent_wanted, tokens.given_back) == ([], [4])


def test_no_secret_is_in_an_error_or_a_repr(vendor: CannedServer) -> None:
    tokens, clock = pair(DEAD)
    vendor.will(answer({"error": "old-refresh", "error_description": "old-refresh old-access"}, status=400))
    with pytest.raises(RunError) as caught:
        session_of(vendor, tokens, clock).headers()

    shown = f"{caught.value!r} {tokens.tokens!r}"
    assert "old-access" not in shown
    assert practice_company.FREEE_CLIENT_SECRET not in shown
    assert "old-refresh" not in shown


# ── the way to a consent ──────────────────────────────────────────────────────────────────────────────────────────


def consent_of(world: World) -> FreeeConsent:
    return FreeeConsent(world.settings, OpenLimiter(), world.door, world.clock)


def code_for(world: World, consent: FreeeConsent, verifier: str) -> str:
    """What a person does: follow the link, allow, come back."""
    url = consent.url(redirect_uri=REDIRECT, state="the-state", verifier=verifier)
    back = requests.get(url, allow_redirects=False, timeout=5).headers["Location"]
    assert back.startswith(REDIRECT)
    query = parse_qs(urlsplit(back).query)
    assert query["state"] == ["the-state"]
    return query["code"][0]


def test_the_link_binds_to_one_company_and_proves_the_caller(world: World) -> None:
    url = consent_of(world).url(redirect_uri=REDIRECT, state="s", verifier="v" * 64)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    assert urlsplit(url).path == "/public_api/authorize"
    assert query.pop("code_challenge")
    assert query == {
        "response_type": "code",
        "client_id": practice_company.FREEE_CLIENT_ID,
        "redirect_uri": REDIRECT,
        "state": "s",
        "prompt": "select_company",
        "code_challenge_method": "S256",
    }


def test_a_consent_gives_the_company_of_the_token_and_not_the_users_first_one(world: World) -> None:
    consent = consent_of(world)
    verifier = consent.new_verifier()
    done = consent.finish(code_for(world, consent, verifier), redirect_uri=REDIRECT, verifier=verifier)

    assert (done.company_id, done.external_cid) == (COMPANY_ID, practice_company.FREEE_EXTERNAL_CID)
    assert done.company_name == "練習商事株式会社"
    assert done.tokens.expires_at == NOW + timedelta(hours=6)
    assert done.tokens.access_token not in repr(done)


def test_a_user_who_is_no_administrator_cannot_connect(world: World) -> None:
    world.freee.injector.set_switch("role", "custom-jinji")
    consent = consent_of(world)
    verifier = consent.new_verifier()
    with pytest.raises(RunError) as caught:
        consent.finish(code_for(world, consent, verifier), redirect_uri=REDIRECT, verifier=verifier)

    assert caught.value.code == "E19"


def test_a_code_works_once_and_only_with_its_verifier(world: World) -> None:
    consent = consent_of(world)
    verifier, other = consent.new_verifier(), consent.new_verifier()
    code = code_for(world, consent, verifier)
    with pytest.raises(InvalidGrant):
        consent.finish(code, redirect_uri=REDIRECT, verifier=other)
    with pytest.raises(InvalidGrant):
        consent.finish(code, redirect_uri=REDIRECT, verifier=verifier)

    assert verifier != other
    assert len(verifier) >= 43


def test_an_answer_that_names_no_company_connects_nothing(vendor: CannedServer) -> None:
    vendor.will(answer(granted(company_id=None)))
    clock = HandClock()
    consent = FreeeConsent(settings_for(vendor.url), OpenLimiter(), MemoryDoor(clock), clock)
    with pytest.raises(RunError) as caught:
        consent.finish("code", redirect_uri=REDIRECT, verifier="v" * 43)

    assert caught.value.code == "E23"


def test_a_code_waits_at_the_closed_door_without_being_sent(world: World) -> None:
    consent = consent_of(world)
    verifier = consent.new_verifier()
    code = code_for(world, consent, verifier)
    world.freee.injector.set_switch("token_limit", 1)
    assert consent.finish(code, redirect_uri=REDIRECT, verifier=verifier).company_id == COMPANY_ID
    another = code_for(world, consent, verifier)
    for _ in range(3):
        with pytest.raises(TemporaryError) as caught:
            consent.finish(another, redirect_uri=REDIRECT, verifier=verifier)
        assert (caught.value.code, caught.value.counts) == ("E22", False)
    assert refreshes(world) == 2
    world.clock.turn(seconds=61)
    assert consent.finish(another, redirect_uri=REDIRECT, verifier=verifier).company_id == COMPANY_ID

"""freee's token pair: one refresh at a time, never a lost pair, never a blind second one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.errors import RunError
from app.domain.vendors.tokens import FreeeTokens
from app.storage.token_store import DatabaseTokenStore
from app.storage.unit_of_work import Database
from tests.storage.databases import NOW, add_connection
from tests.together import together

pytestmark = pytest.mark.sql


class Clock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self):  # type: ignore[no-untyped-def]
        return self.instant


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> DatabaseTokenStore:
    return DatabaseTokenStore(database.unit_of_work, clock)


def new_pair(word: str) -> FreeeTokens:
    return FreeeTokens(f"access-{word}", f"refresh-{word}", NOW + timedelta(hours=12))


def test_one_of_many_may_refresh(database: Database, store: DatabaseTokenStore) -> None:
    connection = add_connection(database)
    version = store.freee_tokens(connection.id).version
    claims = together(lambda _: store.claim_refresh(connection.id, version=version, seconds=90), 8)
    assert claims.count(True) == 1


def test_a_stored_pair_moves_the_version_and_frees_the_claim(database: Database, store: DatabaseTokenStore) -> None:
    connection = add_connection(database)
    version = store.freee_tokens(connection.id).version
    assert store.claim_refresh(connection.id, version=version, seconds=90)
    assert store.store_refreshed(connection.id, new_pair("b"), version=version)
    tokens = store.freee_tokens(connection.id)
    assert (tokens.access_token, tokens.refresh_token, tokens.version) == ("access-b", "refresh-b", version + 1)
    assert tokens.expires_at == NOW + timedelta(hours=12)
    assert not store.store_refreshed(connection.id, new_pair("late"), version=version)
    assert not store.claim_refresh(connection.id, version=version, seconds=90)
    assert store.claim_refresh(connection.id, version=version + 1, seconds=90)


def test_a_claim_ends_by_itself(database: Database, store: DatabaseTokenStore, clock: Clock) -> None:
    connection = add_connection(database)
    assert store.claim_refresh(connection.id, version=1, seconds=90)
    clock.instant = NOW + timedelta(seconds=89)
    assert not store.claim_refresh(connection.id, version=1, seconds=90)
    clock.instant = NOW + timedelta(seconds=91)
    assert not store.claim_refresh(connection.id, version=1, seconds=90), "its holder died, perhaps after sending"
    assert store.freee_tokens(connection.id).refresh_unknown


def test_a_refresh_that_was_not_done_may_be_tried_after_a_pause(
    database: Database, store: DatabaseTokenStore, clock: Clock
) -> None:
    connection = add_connection(database)
    assert store.claim_refresh(connection.id, version=1, seconds=90)
    store.refresh_not_done(connection.id, version=1)
    assert not store.claim_refresh(connection.id, version=1, seconds=90)
    clock.instant = NOW + timedelta(seconds=91)
    assert store.claim_refresh(connection.id, version=1, seconds=90)


def test_an_old_token_that_works_ends_the_doubt(database: Database, store: DatabaseTokenStore, clock: Clock) -> None:
    connection = add_connection(database)
    store.claim_refresh(connection.id, version=1, seconds=90)
    store.mark_refresh_unknown(connection.id, version=1)
    assert store.freee_tokens(connection.id).refresh_unknown
    store.old_token_works(connection.id, version=1)
    assert not store.freee_tokens(connection.id).refresh_unknown
    clock.instant = NOW + timedelta(seconds=91)
    assert store.claim_refresh(connection.id, version=1, seconds=90)


def test_after_a_lost_answer_nobody_refreshes_blindly(
    database: Database, store: DatabaseTokenStore, clock: Clock
) -> None:
    connection = add_connection(database)
    store.mark_refresh_unknown(connection.id, version=1)
    clock.instant = NOW + timedelta(days=1)
    assert not store.claim_refresh(connection.id, version=1, seconds=90)
    assert store.freee_tokens(connection.id).access_token == "freee-access-invented"  # still worth trying


def test_needs_consent_shows_and_a_new_authorisation_ends_it(database: Database, store: DatabaseTokenStore) -> None:
    connection = add_connection(database)
    store.mark_needs_consent(connection.id, version=1)
    with database.unit_of_work() as uow:
        found = uow.connections.get(connection.id)
        assert found is not None
        assert found.needs_consent
        uow.connections.set_freee_tokens(connection.id, new_pair("c"), now=NOW)
        found = uow.connections.get(connection.id)
    assert found is not None
    assert not found.needs_consent
    assert store.claim_refresh(connection.id, version=2, seconds=90)


def test_a_late_verdict_on_an_old_pair_changes_nothing(database: Database, store: DatabaseTokenStore) -> None:
    connection = add_connection(database)
    store.store_refreshed(connection.id, new_pair("b"), version=1)
    store.mark_needs_consent(connection.id, version=1)
    store.mark_refresh_unknown(connection.id, version=1)
    with database.unit_of_work() as uow:
        found = uow.connections.get(connection.id)
    assert found is not None
    assert not found.needs_consent
    assert store.claim_refresh(connection.id, version=2, seconds=90)


def test_without_tokens_a_person_is_needed(database: Database, store: DatabaseTokenStore) -> None:
    with database.unit_of_work() as uow:
        connection = uow.connections.add(
            key="new",
            name="新しい会社",
            smarthr_subdomain="new",
            smarthr_token="smarthr-token-invented",
            freee_company_id=1,
            now=NOW,
        )
    assert connection.needs_consent
    with pytest.raises(RunError) as caught:
        store.freee_tokens(connection.id)
    assert caught.value.needs_consent
    assert store.smarthr_token(connection.id) == "smarthr-token-invented"

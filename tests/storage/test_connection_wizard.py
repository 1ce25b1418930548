"""Setups: credentials encrypted, one state at a time, the connection takes them over; and what lists need."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.domain.enums import System
from app.domain.settings.connection_settings import ExportSettings, PayType
from app.domain.settings.readability import Listing
from app.domain.vendors.tokens import FreeeTokens
from app.storage.connections.rows import WizardRow
from app.storage.tables.access_models import WizardTable
from app.storage.unit_of_work import Database, UnitOfWork

pytestmark = pytest.mark.sql

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TOKENS = FreeeTokens("an-invented-access", "an-invented-refresh", NOW + timedelta(hours=6))
SEEN = {"seen": ["tel_number"], "missing": [], "employment_types": [], "people": 3}


def add(uow: UnitOfWork, key: str = "k") -> WizardRow:
    uow.wizards.add(
        key=key,
        name="合わせ",
        smarthr_subdomain="awase-renshu",
        smarthr_token="an-invented-token",
        seen=SEEN,
        mail_to=["a@example.com"],
        started_by="user:1",
        now=NOW,
    )
    row = uow.wizards.get(key)
    assert row is not None
    return row


def test_who_reads_english_is_kept_apart_and_a_former_setup_has_nobody(database: Database) -> None:
    addressed = {"mail_to": ["a@example.com", "b@example.com"], "mail_english": ["c@example.com", "b@example.com"]}
    with database.unit_of_work() as uow:
        setup = {"name": "n", "smarthr_subdomain": "x", "smarthr_token": "an-invented-token", "started_by": "user:1"}
        uow.wizards.add(key="k", seen=SEEN, now=NOW, **setup, **addressed)
        found = uow.wizards.get("k")
        assert found is not None and found.mail_to == ("a@example.com", "c@example.com", "b@example.com")
        assert found.mail_english == ("c@example.com", "b@example.com")
        uow._transaction.session.execute(update(WizardTable).values(seen=SEEN))  # as a former version has left it
        uow._transaction.session.expire_all()
        found = uow.wizards.get("k")
        assert found is not None and found.mail_english == () and len(found.mail_to) == 3


def send(uow: UnitOfWork, setup: WizardRow, state: str) -> None:
    until = NOW + timedelta(minutes=30)
    uow.wizards.send_to_freee(
        setup.id, state_hash=state, verifier="v-" + state, redirect_uri="http://x", until=until, browser_hash="b"
    )


def test_a_setup_is_kept_with_its_credentials_sealed(database: Database) -> None:
    with database.unit_of_work() as uow:
        setup = add(uow)
        uow.wizards.keep_grant(setup.id, TOKENS, company_id=7, company_name="見本", external_cid="cid")
    with database.unit_of_work() as uow:
        found = uow.wizards.get("k")
        assert found is not None and (found.freee_company_id, found.mail_to) == (7, ("a@example.com",))
        assert uow.wizards.smarthr_token(setup.id) == "an-invented-token"
        assert uow.wizards.freee_tokens(setup.id) == TOKENS
        assert uow.wizards.get("another") is None and [each.key for each in uow.wizards.all()] == ["k"]
    with database.engine.connect() as connection:
        row = repr(connection.execute(select(WizardTable.__table__)).one())
    assert "an-invented" not in row and "a@example.com" not in row


def test_a_key_is_there_once(database: Database) -> None:
    with database.unit_of_work() as uow:
        add(uow)
    with pytest.raises(IntegrityError), database.unit_of_work() as uow:
        add(uow)


def test_a_state_is_good_once_in_time_and_until_the_next(database: Database) -> None:
    with database.unit_of_work() as uow:
        setup = add(uow)
        send(uow, setup, "first")
        send(uow, setup, "second")
        assert not uow.wizards.knows_state("first") and uow.wizards.take_state("first", now=NOW) is None
        assert uow.wizards.knows_state("second")
        taken = uow.wizards.take_state("second", now=NOW + timedelta(minutes=30))
        assert taken is not None and (taken.setup.key, taken.verifier, taken.redirect_uri) == (
            "k",
            "v-second",
            "http://x",
        )
        assert uow.wizards.take_state("second", now=NOW) is None
        send(uow, setup, "third")
        assert uow.wizards.take_state("third", now=NOW + timedelta(minutes=31)) is None
        assert not uow.wizards.knows_state("third"), "too late is used as well"


def test_a_grant_can_be_thrown_away(database: Database) -> None:
    with database.unit_of_work() as uow:
        setup = add(uow)
        uow.wizards.keep_grant(setup.id, TOKENS, company_id=7, company_name="見本", external_cid="cid")
        uow.wizards.drop_grant(setup.id)
        found = uow.wizards.get("k")
        assert found is not None and (found.freee_company_id, found.freee_company_name) == (None, None)
        assert uow.wizards.freee_tokens(setup.id) is None


# ── what a connection learns and keeps ────────────────────────────────────────────────────────────────────────────────


def connected(uow: UnitOfWork) -> Any:
    return uow.connections.add(key="c", name="n", smarthr_subdomain="s", smarthr_token="t", freee_company_id=1, now=NOW)


def test_a_check_adds_what_was_seen_and_replaces_what_was_missing(database: Database) -> None:
    with database.unit_of_work() as uow:
        made = connected(uow)
        for seen, missing in ((["a", "b"], ["x"]), (["b", "c"], ["y"])):
            listing = Listing(dict.fromkeys(seen, "1"), missing=frozenset(missing), complete=False)
            assert uow.connections.learn_token(made.id, listing, employment_types=["正社員"], now=NOW) == []
        found = uow.connections.get(made.id)
        assert found is not None and found.readable_attributes == {"b", "c"}
        assert found.hoped(System.SMARTHR) == {"a", "b", "c"}, "the second check, of a part, has not shown a"
        assert found.missing_attributes == {"y"} and found.attributes_checked_at == NOW
        uow.connections.set_smarthr_token(made.id, "another")
        found = uow.connections.get(made.id)
        assert found is not None and not found.readable_attributes and not found.missing_attributes
        assert found.attributes_checked_at is None


def test_sets_by_employment_type_are_kept_with_the_options(database: Database) -> None:
    sets = {"アルバイト・パート": ExportSettings("シフト", "アルバイト", PayType.HOURLY, 1_200)}
    with database.unit_of_work() as uow:
        made = connected(uow)
        uow.connections.set_options(replace(made, export_settings_by_type=sets))
        found = uow.connections.get(made.id)
    assert found is not None and found.export_settings_by_type == sets


def test_without_runs_nothing_has_succeeded_and_nothing_is_proven(database: Database) -> None:
    with database.unit_of_work() as uow:
        made = connected(uow)
        assert uow.connection_facts.last_successes() == {} and uow.connection_facts.last_successes(made.id) == {}
        assert uow.connection_facts.written_to_smarthr(made.id) == frozenset()
        assert uow.connection_facts.companies() == {made.id: ("", "")}
        uow.connections.set_freee_tokens(made.id, TOKENS, company_name="見本", external_cid="cid", now=NOW)
        assert uow.connection_facts.companies() == {made.id: ("見本", "cid")}

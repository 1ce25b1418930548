"""Encryption at rest: keys of any kind, rotation, and a database file in which nothing can be read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.exc import StatementError

from app.domain.enums import Step, System
from app.domain.mail_text.letter import Letter
from app.domain.runs.run_state import ItemState
from app.domain.settings.recipients import Language
from app.domain.snapshot import ABSENT, BLANK, FieldState, Unconvertible
from app.domain.vendors.tokens import FreeeTokens
from app.storage.enums import MailKind
from app.storage.runs.rows import NewChange
from app.storage.schema import migrate
from app.storage.unit_of_work import Database
from app.storage.values import dump_state, load_state
from app.storage.vault import BadKey, Vault, VaultError
from tests.storage.databases import KEY, NOW, add_connection, add_run, end_item, running_run, start_item


def test_any_string_of_16_characters_is_a_key() -> None:
    vault = Vault(["ただの長い文字列でもよい鍵になります"])
    assert vault.decrypt(vault.encrypt("値")) == "値"


@pytest.mark.parametrize("keys", [[], ["short"], [KEY, "short"]])
def test_short_or_missing_keys_are_refused(keys: list[str]) -> None:
    with pytest.raises(BadKey):
        Vault(keys)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = "the-old-key-of-last-year", "the-new-key-of-this-year"
    token = Vault([old]).encrypt_bytes(b"x")
    both = Vault([new, old])
    assert both.decrypt_bytes(token) == b"x"
    renewed = both.renewed(token)
    assert renewed is not None and Vault([new]).decrypt_bytes(renewed) == b"x"
    assert both.renewed(renewed) is None
    with pytest.raises(VaultError):
        Vault([new]).decrypt_bytes(token)
    with pytest.raises(VaultError):
        Vault([new]).renewed(token)
    assert [vault.key_of(token) == Vault([old]).ring.in_use.id for vault in (both, Vault([new]))] == [True, False]


def test_the_same_text_never_looks_the_same() -> None:
    vault = Vault([KEY])
    assert vault.encrypt("値") != vault.encrypt("値")


def test_the_keys_do_not_show() -> None:
    assert KEY not in repr(Vault([KEY]))


@pytest.mark.parametrize(
    "state",
    [
        *(ABSENT, BLANK, Unconvertible("foreign_address")),
        *("山田", "", "true", "2026-01-01", 0, 450_000, True, False, date(1990, 4, 1)),
    ],
)
def test_every_state_of_a_field_survives_storage(state: FieldState) -> None:
    loaded = load_state(dump_state(state))
    assert loaded == state
    assert type(loaded) is type(state)


SECRETS = {
    "smarthr token": "smarthr-token-invented",
    "freee access token": "freee-access-invented",
    "freee refresh token": "freee-refresh-invented",
    "refreshed token": "freee-refreshed-invented",
    "planned value": "架空町一丁目",
    "value before": "見本町二丁目",
    "vendor's message": "架空の従業員さんの生年月日が不正です",
    "candidate": "crew-candidate-id",
    "survey row": "画面花子",
    "recipient": "jinji@example.com",
    "mail body": "【0001】失敗理由",
    "oauth verifier": "pkce-verifier-invented",
}


def test_nothing_personal_or_secret_can_be_read_in_the_database_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'awase.db'}"
    migrate(url)
    database = Database(url, Vault([KEY]))
    connection = add_connection(database)
    _, (item, other) = running_run(database, connection, items=2)
    attempt = start_item(database, item)
    tokens = FreeeTokens(SECRETS["refreshed token"], SECRETS["freee refresh token"], NOW + timedelta(hours=6))
    with database.unit_of_work() as uow:
        assert uow.connections.store_refreshed(connection.id, tokens, version=1, now=NOW)
        change = NewChange("home_address", SECRETS["value before"], SECRETS["planned value"], Step.PROFILE)
        uow.changes.replace(item, [change])
        uow.items.record_outcome(
            item,
            attempt,
            state=ItemState.FAILED,
            error_code="E17",
            detail=SECRETS["vendor's message"],
            candidates=[{"system": "freee", "id": SECRETS["candidate"], "number": "", "reason": "kana"}],
            now=NOW,
        )
        run = uow.runs.get(1)
        assert run is not None
        uow.survey_pages.add(
            run.id, System.SMARTHR, seq=0, rows=[{"last_name": SECRETS["survey row"]}], next_cursor=None
        )
        mail = uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id="<1@x>", now=NOW)
        uow.mails.keep_letters(
            mail,
            [Letter(Language.JAPANESE, (SECRETS["recipient"],), "件名", SECRETS["mail body"], SECRETS["mail body"])],
        )
        uow.consents.add(
            "hash", connection.id, verifier=SECRETS["oauth verifier"], redirect_uri="http://x", expires_at=NOW
        )
    end_item(database, other, detail=SECRETS["vendor's message"])
    with database.unit_of_work() as uow:  # all of it can be read back, so the search below looks for the right things
        assert uow.changes.of_items([item])[item][0].after == SECRETS["planned value"]
        assert list(uow.survey_pages.rows(run.id, System.SMARTHR)) == [{"last_name": SECRETS["survey row"]}]
        found = uow.items.get(item)
        assert found is not None
        assert found.detail == SECRETS["vendor's message"]
        assert uow.connections.smarthr_token(connection.id) == SECRETS["smarthr token"]
    database.dispose()
    content = b"".join(path.read_bytes() for path in tmp_path.glob("awase.db*"))
    assert "件名".encode() in content  # what is stored plainly is found: the search works
    readable = [name for name, secret in SECRETS.items() if secret.encode() in content]
    assert readable == []


def test_rows_do_not_show_values(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'awase.db'}"
    migrate(url)
    database = Database(url, Vault([KEY]))
    connection = add_connection(database)
    _, (item,) = running_run(database, connection)
    end_item(database, item, state=ItemState.FAILED, detail=SECRETS["vendor's message"])
    with database.unit_of_work() as uow:
        uow.changes.replace(item, [NewChange("home_address", SECRETS["value before"], SECRETS["planned value"])])
        shown = repr([uow.items.get(item), uow.changes.of_items([item]), uow.connections.freee_tokens(connection.id)])
    database.dispose()
    assert [name for name, secret in SECRETS.items() if secret in shown] == []


def test_instants_keep_their_zone(database: Database) -> None:
    japan = timezone(timedelta(hours=9))
    run = add_run(
        database, add_connection(database), deadline_at=datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=japan)
    )
    with database.unit_of_work() as uow:
        stored = uow.runs.get(run.id)
    assert stored is not None
    assert stored.deadline_at == datetime(2026, 11, 22, 3, 0, 0, 123456, tzinfo=UTC)
    assert stored.deadline_at.utcoffset() == timedelta(0)


def test_instants_without_a_zone_are_refused(database: Database) -> None:
    connection = add_connection(database)
    with pytest.raises(StatementError, match="zone"):
        add_run(database, connection, deadline_at=datetime(2026, 11, 22))  # noqa: DTZ001 - this is what is refused

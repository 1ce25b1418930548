"""Rotation of the encryption keys, on both databases: nothing is lost, nothing stays under the old key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from app.domain.enums import Step, System
from app.domain.mail_text.letter import Letter
from app.domain.planning.plan import Trace
from app.domain.runs.run_state import ItemState
from app.domain.settings.recipients import Language
from app.domain.vendors.tokens import FreeeTokens
from app.storage.enums import MailKind
from app.storage.links.attention import Ended
from app.storage.links.rows import Identity, KnownPerson
from app.storage.runs.rows import NewChange, RunRow
from app.storage.runs.traces import SealedTrace
from app.storage.tables.access_models import ConsentTable
from app.storage.tables.models import Base, ConnectionTable, PreviewNameTable, SurveyPageTable
from app.storage.unit_of_work import Database, UnitOfWork
from app.storage.upkeep.rotation import encrypted_columns
from app.storage.vault import Vault, VaultError
from tests.storage.databases import KEY, NOW, add_connection, end_item, new_item, running_run

pytestmark = pytest.mark.sql

NEW = "the-key-of-the-coming-year"
ROWS = [{"id": "crew-1", "last_name": "架空"}]


def opened(database: Database, *keys: str) -> Database:
    """The same database with other keys; shares the pool, so it needs no disposal."""
    other = Database(database.engine.url.render_as_string(hide_password=False), Vault(keys))
    other.engine.dispose()
    return other


def traced(trace: Trace | SealedTrace | None) -> Trace | None:
    return trace.open() if isinstance(trace, SealedTrace) else trace


def changed(item_id: int) -> NewChange:
    raw = {"profile_rule.phone1": "03", "profile_rule.phone2": f"{item_id:04d}"}
    trace = Trace(read=(f"03-0000-{item_id:04d}",), lost=("hyphens",))
    return NewChange("phone", f"03-0000-{item_id:04d}", "03-1111-1111", Step.PROFILE, raw=raw, trace=trace)


def waits(run: RunRow) -> Ended:
    """Somebody who waits for a person's action."""
    return Ended(
        connection_id=run.connection_id,
        direction=run.direction,
        source_id="crew-7",
        target_id=None,
        number="0007",
        state=ItemState.FAILED,
        code="E1",
        notes=(),
        trigger=run.trigger,
        run_id=run.id,
        item_id=None,
        at=NOW,
        name="架空 待子",
    )


@pytest.fixture
def full(database: Database) -> Database:
    """Something in every encrypted column."""
    connection = add_connection(database)
    run, ids = running_run(database, connection, items=5)
    with database.unit_of_work() as uow:
        for item_id in ids:
            uow.changes.replace(item_id, [changed(item_id)])
        uow.survey_pages.add(run.id, System.SMARTHR, seq=0, rows=ROWS, next_cursor=None)
        mail = uow.mails.add(run.id, kind=MailKind.SUMMARY, message_id="<1@x>", now=NOW)
        uow.mails.keep_letters(mail, [Letter(Language.JAPANESE, ("jinji@example.com",), "件名", "本文")])
        uow.webhook_registrations.set_secret(connection.id, "ein-geheimnis-1", previous_until=NOW)
        uow.webhook_registrations.set_secret(connection.id, "ein-geheimnis-2", previous_until=NOW)
        uow.audit.add(actor="cli", action="queue_requeued", subject="queue", now=NOW)
        uow.consents.add("h", connection.id, verifier="v" * 43, redirect_uri="http://x", expires_at=NOW)
        known = KnownPerson("9", "0009", "d", Identity("カクウ", "タロウ", NOW.date()), NOW)
        uow.known_people.keep(connection.id, System.FREEE, "1234567", [known])
        setup: dict[str, Any] = {"seen": {}, "mail_to": ["b@example.com"], "started_by": "user:1", "now": NOW}
        uow.wizards.add(key="s", name="n", smarthr_subdomain="x", smarthr_token="ein-token-3", **setup)
        (begun,) = uow.wizards.all()
        uow.wizards.send_to_freee(
            begun.id, state_hash="g", verifier="w" * 43, redirect_uri="http://x", until=NOW, browser_hash="b"
        )
        tokens = FreeeTokens("ein-zugang", "ein-erneuern", NOW)
        uow.wizards.keep_grant(begun.id, tokens, company_id=1, company_name="n", external_cid="c")
        uow.items.add_many([new_item(run, 7, holds_slot=False, name="架空 花子")])
        uow.second_persons.keep_reason(run.id, "架空の理由で急ぐため")
        inviter = uow.users.add(login="kanri", password_hash="h", role="admin", now=NOW)
        later = NOW + timedelta(hours=72)
        uow.invitations.add(
            token_hash="t", mail="hana@example.com", role="member", invited_by=inviter.id, now=NOW, expires_at=later
        )
    with database.engine.begin() as connection:
        names = database.vault.encrypt_bytes(b"as a former release kept them")
        connection.execute(insert(PreviewNameTable), {"run_id": run.id, "people_enc": names})
    with database.unit_of_work() as uow:
        uow.attention.ended([waits(run)])
        (row,) = uow.attention.of_connection(run.connection_id)
        uow.attention.waive(row, until=NOW.date(), reason="架空の理由で待つため", by="user:1", now=NOW)
    candidate = {"system": "freee", "id": "9", "number": "", "reason": "kana"}
    end_item(database, ids[0], state=ItemState.FAILED, detail="架空の理由", candidates=[candidate])
    return database


def stored(database: Database) -> dict[tuple[str, str], list[Any]]:
    """(table, column) → what is in it."""
    found: dict[tuple[str, str], list[Any]] = {}
    with database.engine.connect() as connection:
        for table, column in encrypted_columns():
            place = Base.metadata.tables[table].c[column]
            found[table, column] = list(connection.scalars(select(place).where(place.is_not(None))))
    return found


def rotate(database: Database, *, limit: int = 2) -> tuple[int, int]:
    """All columns in small batches, as the use case does it: (values looked at, values that no key opens)."""
    done = locked = 0
    for table, column in encrypted_columns():
        after, rows = None, limit
        while rows == limit:
            with database.unit_of_work() as uow:
                portion = uow.rotation.rotate(table, column, after=after, limit=limit)
            after, rows = portion.last, portion.rows
            done, locked = done + rows, locked + portion.locked
    return done, locked


def everything(uow: UnitOfWork) -> list[object]:
    items = uow.items.page(1, after=-1, limit=10)
    changes = uow.changes.of_items([item.id for item in items])
    mail = uow.mails.get(1)
    return [
        [(item.detail, item.candidates) for item in items],
        [
            (change.before, change.after, change.raw, traced(change.trace))
            for item in items
            for change in changes[item.id]
        ],
        list(uow.survey_pages.rows(1, System.SMARTHR)),
        (mail.to, mail.body) if mail else None,
        uow.connections.smarthr_token(1),
        uow.connections.freee_tokens(1),
        [connection.mail_to for connection in uow.connections.list_all()],
        [item.name for item in items],
        [(setup.mail_to, uow.wizards.smarthr_token(setup.id)) for setup in uow.wizards.all()],
        [uow.wizards.freee_tokens(setup.id) for setup in uow.wizards.all()],
        [invitation.mail for invitation in uow.invitations.open(NOW)],
        uow.second_persons.reason(1),
        [(row.name, row.waived_reason) for row in uow.attention.of_connection(1)],
        [known.identity for known in uow.known_people.of_tenant(System.FREEE, "1234567").values()],
    ]


def test_every_encrypted_column_is_filled_by_this_test(full: Database) -> None:
    assert [place for place, values in stored(full).items() if not values] == []


def test_what_was_readable_before_is_readable_after_with_the_new_key_alone(full: Database) -> None:
    before, sealed = stored(full), everything_of(full)
    assert rotate(opened(full, NEW, KEY)) == (sum(map(len, before.values())), 0)
    assert everything_of(opened(full, NEW)) == sealed
    after = stored(full)
    assert not any(set(before[place]) & set(after[place]) for place in before)
    vault = Vault([KEY])
    for values in after.values():
        for value in values:
            with pytest.raises(VaultError):
                vault.decrypt(value if isinstance(value, str) else value.decode())


def everything_of(database: Database) -> list[object]:
    with database.unit_of_work().reading() as uow:
        return everything(uow)


def test_during_a_rotation_both_kinds_are_read(full: Database) -> None:
    sealed = everything_of(full)
    both = opened(full, NEW, KEY)
    for table, column in encrypted_columns()[::2]:
        with both.unit_of_work() as uow:
            uow.rotation.rotate(table, column, after=None, limit=3)
        assert everything_of(both) == sealed


def test_a_wrong_key_changes_nothing_and_all_is_told(full: Database) -> None:
    before = stored(full)
    everything = sum(map(len, before.values()))
    assert rotate(opened(full, NEW, "quite-another-old-key")) == (everything, everything)
    assert stored(full) == before


def test_a_value_that_no_key_opens_stays_as_it_is_and_keeps_no_other_one_back(full: Database) -> None:
    lost = Vault(["a-key-nobody-knows"]).encrypt("x")
    with full.engine.begin() as connection:
        connection.execute(update(ConnectionTable).values(freee_refresh_token_enc=lost))
    assert rotate(opened(full, NEW, KEY))[1] == 1
    found = {sealed for values in stored(full).values() for sealed in values}
    vault = Vault([NEW])
    assert [each for each in found if vault.key_of(each if isinstance(each, bytes) else each.encode()) is None] == [
        lost
    ]


def test_a_second_pass_has_nothing_left_to_write(full: Database) -> None:
    rotate(opened(full, NEW, KEY))
    after = stored(full)
    rotate(opened(full, NEW, KEY))
    assert stored(full) == after


@pytest.mark.database("postgresql")
def test_a_token_renewed_between_looking_and_writing_stays(database: Database) -> None:
    """On SQLite the rotation's transaction keeps writers out; on PostgreSQL a renewal may come in between, and wins."""
    add_connection(database)
    rotating, renewing = (opened(database, NEW, KEY) for _ in range(2))
    tokens = FreeeTokens("newer-access", "newer-refresh", NOW + timedelta(hours=6))
    renewed: list[bool] = []

    def renew(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith("UPDATE connections") and not renewed:
            with renewing.unit_of_work() as uow:
                renewed.append(uow.connections.store_refreshed(1, tokens, version=1, now=NOW))

    event.listen(rotating.engine, "before_cursor_execute", renew)
    with rotating.unit_of_work() as uow:
        uow.rotation.rotate("connections", "freee_access_token_enc", after=None, limit=10)
    rotating.dispose()
    assert renewed == [True]
    with opened(database, NEW).unit_of_work().reading() as uow:
        kept = uow.connections.freee_tokens(1)
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == ("newer-access", "newer-refresh")


def test_the_bytes_of_a_page_stay_bytes(full: Database) -> None:
    rotate(opened(full, NEW, KEY))
    with full.engine.connect() as connection:
        (packed,) = connection.scalars(select(SurveyPageTable.rows_enc))
    assert isinstance(packed, bytes)
    with opened(full, NEW).unit_of_work().reading() as uow:
        assert list(uow.survey_pages.rows(1, System.SMARTHR)) == ROWS


def test_a_consent_on_its_way_survives_a_rotation(full: Database) -> None:
    rotate(opened(full, NEW, KEY))
    with opened(full, NEW).unit_of_work() as uow:
        consent = uow.consents.take("h", now=NOW)
    assert consent is not None
    assert consent.verifier == "v" * 43
    with full.engine.connect() as connection:
        assert list(connection.scalars(select(ConsentTable.state_hash))) == []

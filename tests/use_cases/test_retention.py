"""What is erased after the retention time, column by column, and what stays; previews nobody decided on included."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from app.domain.enums import Step, System
from app.domain.matching.name_search import Names
from app.domain.runs.run_state import ItemState, RunState
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.rows import NewChange
from app.storage.tables.models import Base, PreviewNameTable
from app.storage.tables.outgoing_models import OutboxTable
from app.storage.unit_of_work import Database
from app.use_cases.finish import notify
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.finish.notices import tell_consent_needed, tell_webhook_silent
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.links.pairs import find_people
from app.use_cases.queries.history import get_run, list_items
from app.use_cases.shared.name_search import name_keys_of
from app.use_cases.upkeep.bounds import keep_bounds
from app.use_cases.upkeep.reconcile import reconcile_once
from tests.storage.databases import end_item, new_item, running_run, start_item
from tests.storage.test_rotation import opened
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.sql

ERASED = {
    "runs": {"alone_reason_enc"},
    "field_changes": {"before_enc", "after_enc", "raw_enc", "trace_enc"},
    "items": {"detail_enc", "candidates_enc", "name_enc"},
    "mails": {"to_enc", "subject", "body_enc", "letters_enc"},
}
KEPT_ENCRYPTED = {
    "webhooks",
    "connections",
    "consents",
    "survey_pages",
    "rosters",
    "invitations",
    "setups",
    "known_people",
    "attention",
    "audit_head",
}
"""Tables whose encrypted columns are not blanked: their rows go as a whole, with the connection, with the survey, with
the values of the run (rosters), or in time. The names of people who wait for somebody are erased by the age of their
newest outcome (`test_attention_state`). The audit trail's holds a key and nothing of anybody."""


def snapshot(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.engine.connect() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def finished(room: Room) -> int:
    """A run with everything personal a run can leave behind; its mail is sent."""
    run, (good, bad) = running_run(room.database, room.connection, items=2)
    attempt = start_item(room.database, good)
    with room.database.unit_of_work() as uow:
        uow.changes.replace(
            good, [NewChange("phone", "03-0000-0000", "03-1111-1111", Step.PROFILE, raw={"tel_number": "03(0000)0000"})]
        )
        uow.steps.sending(good, attempt, Step.PROFILE, keys=["phone"], now=room.clock.now())
        uow.steps.done(good, attempt, Step.PROFILE, now=room.clock.now())
        uow.changes.mark_written(good, ["phone"])
        uow.second_persons.keep_reason(run.id, "架空の従業員の口座を急いで直すため")
        assert uow.items.record_outcome(good, attempt, state=ItemState.SUCCEEDED, now=room.clock.now())
    candidate = {"system": "freee", "id": "9", "number": "0009", "reason": "kana"}
    end_item(
        room.database, bad, state=ItemState.FAILED, error_code="E17", detail="架空の電話番号", candidates=[candidate]
    )
    assert close_run_if_done(room.ctx, run.id)
    mail = room.mail_of(run.id)
    assert mail is not None
    notify.send_mail(room.ctx, mail.id)
    return run.id


def grow_old(room: Room, *, days: int | None = None) -> dict[str, int]:
    room.clock.turn(days=room.ctx.settings.retention_days if days is None else days, seconds=1)
    return reconcile_once(room.ctx)


def test_every_encrypted_column_is_either_erased_or_named_here() -> None:
    tables = Base.metadata.sorted_tables
    sealed = {table.name: {c.name for c in table.columns if c.name.endswith("_enc")} for table in tables}
    of_runs = {name: columns for name, columns in sealed.items() if columns and name not in KEPT_ENCRYPTED}
    assert of_runs == {name: {c for c in columns if c.endswith("_enc")} for name, columns in ERASED.items()}


def test_exactly_the_personal_columns_are_erased(room: Room) -> None:
    run_id = finished(room)
    before = snapshot(room.database)
    assert grow_old(room) == {"erased_runs": 1}
    after = snapshot(room.database)
    for table, rows in before.items():
        if table in ("leader", "outbox"):
            continue
        assert len(after[table]) == len(rows), table
        for old, new in zip(rows, after[table], strict=True):
            moved = {column for column in old if old[column] != new[column]}
            expected = {c for c in ERASED.get(table, set()) if old[c] is not None} | (
                {"erased_at"} if table == "runs" else set()
            )
            assert moved == expected, table
            assert all(new[column] is None for column in ERASED.get(table, set()))
    assert [row["erased_at"] for row in after["runs"] if row["id"] == run_id] == [room.clock.now()]


def test_values_go_in_time_although_the_key_of_the_audit_trail_is_missing(room: Room) -> None:
    with room.database.unit_of_work() as uow:
        for _ in range(2):  # the last one is never purged
            uow.audit.add(actor="cli", action="queue_requeued", subject="queue", now=room.clock.now())
    run_id = finished(room)
    room.clock.turn(days=room.ctx.settings.retention_days, seconds=1)
    room.ctx = replace(room.ctx, settings=replace(room.ctx.settings, audit_days=90))
    without = replace(room.ctx, unit_of_work=opened(room.database, "the-key-of-the-coming-year").unit_of_work)
    assert reconcile_once(without)["erased_runs"] == 1
    row = next(row for row in snapshot(room.database)["runs"] if row["id"] == run_id)
    assert (row["erased_at"], row["alone_reason_enc"]) == (room.clock.now(), None)
    room.clock.turn(days=1, seconds=1)
    assert reconcile_once(room.ctx) == {"purged_entries": 1}, "with the key again, the trail goes on as well"


def test_the_names_of_everybody_in_a_preview_go_as_well(room: Room) -> None:
    run, _ = running_run(room.database, room.connection, state=RunState.PREVIEWED, dry_run=True)
    with room.database.unit_of_work() as uow:
        uow.items.add_many([new_item(run, 1, name="架空 花子", holds_slot=False)])
    with room.database.engine.begin() as connection:
        connection.execute(insert(PreviewNameTable), {"run_id": run.id, "people_enc": b"of a former release"})

    def names() -> list[str]:
        with room.database.unit_of_work() as uow:
            listed = [each.name for each in uow.items.page(run.id, after=0, limit=5)]
        with room.database.engine.connect() as connection:
            return [*listed, *(sealed.decode() for sealed in connection.scalars(select(PreviewNameTable.people_enc)))]

    grow_old(room)
    assert names() == ["架空 花子", "of a former release"], "cancelled, not yet erased"
    grow_old(room, days=1)
    assert names() == [""]


def test_by_what_people_are_found_goes_when_nobody_has_listed_them_for_so_long(room: Room) -> None:
    marks = name_keys_of(room.ctx.keys.signing).marks("9", Names("架空", "花子"))
    with room.database.unit_of_work() as uow:
        entries = [DirectoryEntry("0009", "9", names=marks)]
        uow.directory.replace(room.connection.id, System.FREEE, entries, now=room.clock.now())

    def found(search: str) -> list[str]:
        return [each.number for each in find_people(room.ctx, "renshu", System.FREEE, search).people]

    grow_old(room, days=room.ctx.settings.retention_days - 1)
    assert found("花子") == ["0009"]
    grow_old(room, days=1)
    assert (found("花子"), found("0009")) == ([], ["0009"])
    assert not find_people(room.ctx, "renshu", System.FREEE, "花子").by_name


def test_one_day_earlier_nothing_is_erased(room: Room) -> None:
    finished(room)
    before = snapshot(room.database)
    room.clock.turn(days=room.ctx.settings.retention_days)
    assert reconcile_once(room.ctx) == {}
    after = snapshot(room.database)
    assert {table: rows for table, rows in after.items() if table not in ("leader", "outbox")} == {
        table: rows for table, rows in before.items() if table not in ("leader", "outbox")
    }


def test_what_people_still_see_of_an_erased_run(room: Room) -> None:
    run_id = finished(room)
    grow_old(room)
    with room.database.unit_of_work() as uow:
        row = uow.runs.get(run_id)
    assert row is not None
    view = get_run(room.ctx, row.public_id)
    good, bad = list_items(room.ctx, row.public_id).items
    assert (view.state, view.mail_state) == (RunState.PARTLY_FAILED, "sent")
    assert [(c.key, c.before, c.after, c.state) for c in good.changes] == [("phone", None, None, "written")]
    assert [step.state for step in good.steps] == ["done"]
    assert (bad.error_code, bad.employee_number, bad.candidates) == ("E17", "0002", ())
    assert bad.message
    assert "電話番号" not in bad.message.replace("架空の電話番号", "")


def test_a_younger_run_of_the_same_people_keeps_its_values(room: Room) -> None:
    finished(room)
    room.clock.turn(days=1)
    young, (item_id,) = running_run(room.database, room.connection)
    with room.database.unit_of_work() as uow:
        uow.changes.replace(item_id, [NewChange("phone", "03-0000-0000", "03-2222-2222")])
    end_item(room.database, item_id)
    with room.database.unit_of_work() as uow:
        uow.runs.close(young.id, now=room.clock.now())
    assert grow_old(room, days=399) == {"erased_runs": 1}
    with room.database.unit_of_work() as uow:
        (change,) = uow.changes.of_items([item_id])[item_id]
    assert change.after == "03-2222-2222"


def test_more_runs_than_one_batch(room: Room) -> None:
    for _ in range(3):
        run, (item_id,) = running_run(room.database, room.connection)
        end_item(room.database, item_id, detail="架空")
        assert close_run_if_done(room.ctx, run.id)
    with room.database.unit_of_work() as uow:
        for mail in uow.mails.of_runs([1, 2, 3]).values():
            uow.mails.claim(mail.id, now=room.clock.now(), lease_until=room.clock.now())
    assert grow_old(room)["erased_runs"] == 3


# ── previews ──────────────────────────────────────────────────────────────────────────────────────────────────────


def preview(room: Room) -> tuple[int, int]:
    """(run, item) of a preview with a planned value."""
    run, (item_id,) = running_run(room.database, room.connection, state=RunState.PREVIEWED, dry_run=True)
    with room.database.unit_of_work() as uow:
        uow.changes.replace(item_id, [NewChange("phone", "03-0000-0000", "03-1111-1111")])
    return run.id, item_id


def planned(room: Room, item_id: int) -> object:
    with room.database.unit_of_work() as uow:
        (change,) = uow.changes.of_items([item_id])[item_id]
    return change.after


def test_a_preview_nobody_decided_on_ends_and_is_erased(room: Room) -> None:
    run_id, item_id = preview(room)
    assert grow_old(room) == {"closed_runs": 1}
    with room.database.unit_of_work() as uow:
        row, (item,) = uow.runs.get(run_id), uow.items.page(run_id, after=-1, limit=5)
    assert row is not None
    assert (row.state, item.state) == (RunState.CANCELLED, ItemState.CANCELLED)
    mail = room.mail_of(run_id)
    assert mail is not None
    notify.send_mail(room.ctx, mail.id)
    assert "取り消し: 1件" in room.postbox.mails[0].body
    assert planned(room, item_id) == "03-1111-1111"
    assert grow_old(room, days=1) == {"erased_runs": 1}
    assert planned(room, item_id) is None
    sent = room.mail_of(run_id)
    assert sent is not None
    assert (sent.body, sent.subject, sent.to) == (None, None, ())


def test_a_younger_preview_still_waits(room: Room) -> None:
    run_id, item_id = preview(room)
    room.clock.turn(days=room.ctx.settings.retention_days - 1)
    assert reconcile_once(room.ctx) == {}
    with room.database.unit_of_work() as uow:
        row = uow.runs.get(run_id)
    assert row is not None
    assert row.state is RunState.PREVIEWED
    assert planned(room, item_id) == "03-1111-1111"


def test_a_preview_approved_late_is_kept_from_its_end(room: Room) -> None:
    run_id, item_id = preview(room)
    room.clock.turn(days=300)
    with room.database.unit_of_work() as uow:
        row = uow.runs.get(run_id)
    assert row is not None
    approve_retry_cancel.approve(room.ctx, row.public_id, by="cli")
    attempt = start_item(room.database, item_id, now=room.clock.now())
    with room.database.unit_of_work() as uow:
        assert uow.items.record_outcome(item_id, attempt, state=ItemState.SUCCEEDED, now=room.clock.now())
    assert close_run_if_done(room.ctx, run_id)
    mail = room.mail_of(run_id)
    assert mail is not None
    notify.send_mail(room.ctx, mail.id)
    assert grow_old(room, days=200) == {}
    assert planned(room, item_id) == "03-1111-1111"
    assert grow_old(room, days=201) == {"erased_runs": 1}
    assert planned(room, item_id) is None


@pytest.mark.parametrize("days", [1, 30])
def test_the_retention_time_is_a_setting(room: Room, days: int) -> None:
    room = replace(room, ctx=replace(room.ctx, settings=replace(room.ctx.settings, retention_days=days)))
    finished(room)
    room.clock.turn(days=days)
    assert reconcile_once(room.ctx) == {}
    room.clock.turn(days=1, seconds=1)
    assert reconcile_once(room.ctx) == {"erased_runs": 1}


def test_what_is_only_needed_for_a_while_goes_sooner(room: Room) -> None:
    now = room.clock.now()
    finished(room)
    with room.database.unit_of_work() as uow:
        uow.consents.add("h", room.connection.id, verifier="v", redirect_uri="http://x", expires_at=now)
        uow.idempotency.add("k", "cli", request_hash="r", run_id=1, now=now)
        uow.survey_pages.add(1, System.FREEE, seq=0, rows=[], next_cursor=None)
        uow.outbox.mark_sent(uow.outbox.due(now), now)
    room.clock.turn(days=8)
    keep_bounds(room.ctx)
    with room.database.unit_of_work() as uow:
        assert uow.idempotency.find("k", "cli") is None
        assert uow.consents.take("h", now=now - timedelta(days=1)) is None
    with room.database.engine.connect() as connection:
        sent = select(func.count()).select_from(OutboxTable).where(OutboxTable.sent_at.is_not(None))
        assert connection.scalar(sent) == 0


def test_a_notice_about_a_connection_is_erased_as_well(room: Room) -> None:
    tell_consent_needed(room.ctx, room.connection.id)
    mail_id = 1
    notify.send_mail(room.ctx, mail_id)
    with room.database.unit_of_work() as uow:
        sent = uow.mails.get(mail_id)
        assert sent is not None and sent.to and sent.body
    grow_old(room)
    with room.database.unit_of_work() as uow:
        erased = uow.mails.get(mail_id)
    assert erased is not None
    assert (erased.to, erased.subject, erased.body, erased.state) == ((), None, None, sent.state)


def test_a_young_notice_is_kept_while_an_old_one_is_erased(room: Room) -> None:
    tell_consent_needed(room.ctx, room.connection.id)
    notify.send_mail(room.ctx, 1)
    room.clock.turn(days=300)
    tell_webhook_silent(room.ctx, room.connection.id, occasion="2027-09-18")
    notify.send_mail(room.ctx, 2)
    room.clock.turn(days=101)
    reconcile_once(room.ctx)
    with room.database.unit_of_work() as uow:
        old, young = uow.mails.get(1), uow.mails.get(2)
    assert old is not None and young is not None
    assert (old.to, old.subject, old.body) == ((), None, None)
    assert young.to == ("jinji@example.com",)
    assert young.subject and young.body

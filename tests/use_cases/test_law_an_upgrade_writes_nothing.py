"""Law: after an upgrade that compares values in another way, or knows another item, nobody counts as changed without a
webhook and nobody is written for it alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from app.domain.enums import Direction
from app.domain.planning.rule_version import VERSION, made_by
from app.domain.planning.three_way import ROWS_KEY
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.storage.automatic.rows import TroubleRow
from app.storage.tables.automatic_models import TroubleTable
from app.storage.tables.models import DirectoryTable, ItemTable, LinkTable
from app.use_cases.intake.approve_retry_cancel import approve
from app.use_cases.shared.views import RunView
from tests.house import House
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import SMARTHR_PHONE, person, phones, set_smarthr_phone, settle, sweep
from tests.use_cases.test_sweep_missed import missed

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE = Direction.SMARTHR_TO_FREEE
KEPT = "phone"
"""The one item that the older release compared as the present one does."""


@pytest.fixture
def told(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A house that both systems tell of their changes, compared once."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN="an-invented-token")
    settle(house, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    with house.ctx.unit_of_work() as uow:
        uow.webhook_registrations.set_secret(
            house.connection.id, "an-invented-secret", previous_until=house.clock.now()
        )
    sweep(house)
    return house


def older(stored: str, *, other_form: bool = True) -> str:
    """The digest that version 1 made: without a version, and another one where it compared in another form."""
    digest = stored.rpartition(":")[2]
    return digest[::-1] if other_form else digest


def left_by_version_1(house: House, *, unknown: str = "") -> None:
    """Rewrite every stored digest as an older release has left it. `unknown`: an item that it did not know."""
    with house.database.engine.begin() as connection:
        for link in connection.execute(select(LinkTable.__table__)).all():
            baseline = {key: older(made, other_form=key != KEPT) for key, made in link.baseline.items()}
            for newer in (unknown, ROWS_KEY):
                baseline.pop(newer, None)
            connection.execute(update(LinkTable).where(LinkTable.id == link.id).values(baseline=baseline))
        for entry in connection.execute(select(DirectoryTable.__table__)).all():
            if entry.content is not None:
                month = f"{entry.content.split(':')[0]}:" if "-" in entry.content else ""
                content = f"{month}{older(entry.content)}"
                connection.execute(update(DirectoryTable).where(DirectoryTable.id == entry.id).values(content=content))
        for item in connection.execute(select(ItemTable.__table__)).all():
            if item.approved_digest is not None:
                values = {"approved_digest": older(item.approved_digest)}
                connection.execute(update(ItemTable).where(ItemTable.id == item.id).values(**values))
        for trouble in connection.execute(select(TroubleTable.__table__)).all():
            if trouble.content is not None:
                values = {"content": older(trouble.content)}
                connection.execute(update(TroubleTable).where(TroubleTable.id == trouble.id).values(**values))


def versions(house: House) -> set[int]:
    with house.ctx.unit_of_work() as uow:
        links = uow.links.for_connection(house.connection.id)
    return {int(made_by(digest)) for link in links for key, digest in link.baseline.items() if key != ROWS_KEY}


def told_of(house: House, runs: list[RunView], source_id: str | None) -> set[tuple[str, str]]:
    """(state, code) of what these runs say of a person."""
    return {
        (item.state.value, item.error_code or "")
        for run in runs
        for item in house.items(run)
        if item.source_id == source_id
    }


@pytest.mark.parametrize("unknown", ["", "title", "last_name"])
def test_a_sweep_after_an_upgrade_counts_nobody_and_writes_nobody(told: House, unknown: str) -> None:
    writes, mails = told.writes(), len(told.postbox.mails)
    left_by_version_1(told, unknown=unknown)
    assert versions(told) == {1}
    told.clock.turn(minutes=60)
    assert missed(told, sweep(told)) == []
    assert (told.writes(), len(told.postbox.mails)) == (writes, mails)
    assert versions(told) == {VERSION}, "what is equal is agreed on anew"


def test_a_change_after_the_upgrade_is_written_as_ever(told: House) -> None:
    left_by_version_1(told)
    sweep(told)
    set_smarthr_phone(told, person(told))
    sweep(told)
    assert phones(told, person(told))[1] == SMARTHR_PHONE


@pytest.mark.parametrize("item", ["last_name", "phone"])
def test_what_differs_at_the_upgrade_is_asked_and_a_manual_run_shows_and_writes_it(told: House, item: str) -> None:
    who, writes = person(told), told.writes()
    change = {"last_name": "長谷川"} if item == "last_name" else {"tel_number": SMARTHR_PHONE}
    left_by_version_1(told)
    told.smarthr.edit(who.crew_id or "", change)
    runs = sweep(told)
    assert told_of(told, runs, who.crew_id) == {("needs_review", "rules_changed")}
    for _ in range(3):
        sweep(told)
    assert told.writes() == writes, "nobody is written for the upgrade alone"
    preview = told.run(TO_FREEE, dry_run=True)
    (shown,) = [each for each in told.items(preview) if each.source_id == who.crew_id]
    assert shown.state is ItemState.WAITING
    approve(told.ctx, preview.id, by="test", acknowledged=True)
    told.work()
    assert told.writes() == writes + 1
    sweep(told)
    assert versions(told) == {VERSION}


def test_a_plan_approved_before_the_upgrade_is_asked_anew(told: House) -> None:
    set_smarthr_phone(told, person(told))
    preview = told.run(TO_FREEE, dry_run=True)
    writes = told.writes()
    left_by_version_1(told)
    approve(told.ctx, preview.id, by="test", acknowledged=True)
    told.work()
    assert told_of(told, [preview], person(told).crew_id) == {("needs_review", "approved_plan_changed")}
    assert told.writes() == writes


def test_quarantine_outlasts_an_upgrade(told: House) -> None:
    who = person(told)
    told.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    told.smarthr.edit(who.crew_id or "", {"last_name": "長谷川"})
    for _ in range(8):
        sweep(told)
    assert [trouble.quarantined_at is not None for trouble in troubles(told)] == [True] * len(troubles(told))
    left_by_version_1(told)
    mails, writes = len(told.postbox.mails), told.writes()
    told.clock.turn(minutes=60)
    sweep(told)
    assert (len(told.postbox.mails), told.writes()) == (mails, writes)


def troubles(house: House) -> list[TroubleRow]:
    with house.ctx.unit_of_work() as uow:
        return uow.troubles.of_connection(house.connection.id)

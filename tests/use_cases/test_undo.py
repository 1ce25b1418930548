"""Undo: the target is as it was, for everything nobody touched in between, whatever dies on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from app.adapters.municipalities import municipalities
from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused
from app.domain.mapping import BY_KEY
from app.domain.planning.mass_change import MassChangeCode
from app.domain.planning.three_way import UNDONE, form
from app.domain.reading import take_snapshot
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.storage.enums import KeyKind
from app.storage.keyring import Ring
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.undo import outlook, undo
from app.use_cases.planning.plan_employee import terms_of_run
from app.use_cases.queries.history import get_run
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep import reconcile, relay
from tests.house import House
from tests.listening import FREEE_TOKEN, listening, now_in_japan, settle
from tests.properties import every
from tests.reach import thinned
from tests.use_cases.test_interleaving import Interrupted, Killed, a_few, die, work_through_deaths
from tests.use_cases.test_job import contents, only
from tests.use_cases.test_mass_change import weighed_by

SIGNING = Ring(KeyKind.SIGNING, ["k" * 32])
pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
Held = dict[str, dict[str, str]]


def held_by(house: House, system: System) -> Held:
    """Person id → {item: what this system holds of it, in the form that is compared}."""
    connection = house.connection
    terms = terms_of_run(
        connection,
        direction=TO_FREEE,
        trigger=Trigger.MANUAL,
        as_of_date=house.today,
        signing=SIGNING,
        municipalities=municipalities(),
    )
    people = house.ctx.gateway(connection, system).directory(as_of_date=house.today)
    return {
        record.person.id: {
            key: form(row, take_snapshot(record, terms.options)[key]) for key, row in sorted(BY_KEY.items())
        }
        for record in people
        if record.record is not None
    }


def taken_back(house: House, run: RunView) -> RunView:
    """Undo a run to its end."""
    preview = undo(house.ctx, run.id, by="test")
    house.work()
    if house.seen(preview).state is RunState.PREVIEWED:
        approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
        house.work()
    return house.seen(preview)


def noted(house: House, run: RunView) -> dict[str, set[str]]:
    """Target id → items that were left alone."""
    return {
        item.target_id or "": {note["key"] for note in item.notes if note["severity"] == "review"}
        for item in house.items(run)
    }


def refused(house: House, run_id: str) -> str:
    with pytest.raises(Refused) as caught:
        undo(house.ctx, run_id, by="test")
    return caught.value.code


# ── as it was ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("direction", list(Direction))
def test_the_whole_company_is_as_it_was(house: House, direction: Direction) -> None:
    house.run(direction, dry_run=True)  # what the tokens may read is known from here on
    before, source = held_by(house, direction.target), contents(house)[direction is TO_SMARTHR]
    run = house.run(direction)
    assert held_by(house, direction.target) != before
    back = taken_back(house, run)
    after, left = held_by(house, direction.target), noted(house, back)
    changed = {
        (person, key)
        for person, items in before.items()
        for key, value in items.items()
        if after[person][key] != value and not _left_alone(key, left.get(person, set()))
    }
    assert not changed
    assert contents(house)[direction is TO_SMARTHR] == source
    created = [item for item in house.items(back) if item.error_code == "created_not_deleted"]
    assert len(created) == len(set(after) - set(before)) > 0
    assert {(item.state, item.kind) for item in created} == {(ItemState.NEEDS_REVIEW, "create")}
    assert (back.trigger, back.undone_run, back.direction) == (Trigger.UNDO, run.id, direction)
    assert Counter(house.states(back).values())[ItemState.SUCCEEDED] > 0


def _left_alone(key: str, left: set[str]) -> bool:
    """The account goes back as a whole or not at all, with one note."""
    return key in left or (BY_KEY[key].group == "bank" and any(BY_KEY[each].group == "bank" for each in left))


@pytest.mark.parametrize("direction", list(Direction))
def test_a_preview_writes_nothing_and_never_asks_the_source(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(only(company, "update", most=4))
    run = house.run(direction)
    writes, held = house.writes(), held_by(house, direction.target)
    injectors = {System.SMARTHR: house.smarthr_injector, System.FREEE: house.freee_injector}
    asked = len(injectors[direction.source].requests)
    preview = undo(house.ctx, run.id, by="test")
    house.work()
    assert house.seen(preview).state is RunState.PREVIEWED
    assert (house.writes(), held_by(house, direction.target)) == (writes, held)
    approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
    house.work()
    assert house.writes() > writes
    assert len(injectors[direction.source].requests) == asked
    assert house.seen(preview).vendor_calls[direction.source.value] == 0


@pytest.mark.reach("all")
@pytest.mark.parametrize("direction", thinned(2, Direction))
def test_undoing_the_undo_brings_the_written_values_again(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(only(company, "update", most=3))
    run = house.run(direction)
    written = held_by(house, direction.target)
    back = taken_back(house, run)
    assert held_by(house, direction.target) != written
    again = taken_back(house, back)
    left = noted(house, again)
    assert {p: {k: v for k, v in items.items() if k not in left.get(p, ())} for p, items in written.items()} == {
        p: {k: v for k, v in items.items() if k not in left.get(p, ())}
        for p, items in held_by(house, direction.target).items()
    }
    assert again.undone_run == back.id


# ── somebody in between ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def pair(open_practice: Callable[..., House], company: PracticeCompany) -> tuple[House, str, int]:
    """(house, crew, employee) of one pair that a first run has linked."""
    house = open_practice(only(company, "equal", most=1), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    (item,) = house.items(run)
    return house, item.source_id or "", int(item.target_id or 0)


def wrote(house: House, crew: str, **values: Any) -> RunView:
    """A run that writes these new values of SmartHR to freee."""
    house.smarthr.edit(crew, values)
    run = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert run.state is RunState.SUCCEEDED
    return run


def edited(house: House, run: RunView, employee: int, changes: dict[str, Any]) -> None:
    """Somebody edits the person at freee's screen, in the month that the run has written."""
    (item,) = house.items(run)
    house.freee.edit(employee, changes, pay_month=item.pay_month)


def in_freee(house: House) -> dict[str, str]:
    (items,) = held_by(house, System.FREEE).values()
    return items


def test_what_somebody_has_changed_since_stays(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    before = in_freee(house)
    run = wrote(house, crew, first_name="新次郎", tel_number="080-1111-2222")
    edited(house, run, employee, {"profile_rule": {"first_name": "別人"}})
    back = taken_back(house, run)
    after = in_freee(house)
    assert after["first_name"] == form(BY_KEY["first_name"], "別人")
    assert after["phone"] == before["phone"]
    (item,) = house.items(back)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "changed_since")
    assert [(note["code"], note["key"]) for note in item.notes] == [("changed_since", "first_name")]


def test_an_edit_after_the_approval_is_not_overwritten(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    run = wrote(house, crew, first_name="新次郎", tel_number="080-1111-2222")
    preview = undo(house.ctx, run.id, by="test")
    house.work()
    approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    edited(house, run, employee, {"profile_rule": {"first_name": "別人"}})
    writes = house.writes()
    house.work()
    (item,) = house.items(preview)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert house.writes() == writes


def test_what_is_back_already_is_nothing_to_do(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    run = wrote(house, crew, first_name="新次郎")
    taken_back(house, run)
    writes = house.writes()
    again = taken_back(house, run)
    assert again.counts == {ItemState.UNCHANGED: 1}
    assert house.writes() == writes


def test_the_bank_account_goes_back_as_a_whole_or_not_at_all(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    before = in_freee(house)
    (account,) = house.smarthr.crew(crew)["bank_accounts"][:1]
    run = wrote(house, crew, bank_accounts=[{**account, "account_number": "7654321"}])
    assert in_freee(house)["bank_account_number"] != before["bank_account_number"]
    taken_back(house, run)
    assert in_freee(house) == before
    run = wrote(house, crew, bank_accounts=[{**account, "account_number": "1111111"}])
    edited(house, run, employee, {"bank_account_rule": {"branch_code": "999"}})
    held = in_freee(house)
    back = taken_back(house, run)
    assert in_freee(house) == held
    assert house.items(back)[0].error_code == "changed_since"


def test_whoever_was_deleted_is_left_to_a_person(pair: tuple[House, str, int]) -> None:
    house, crew, employee = pair
    run = wrote(house, crew, first_name="新次郎")
    house.freee.remove(employee)
    back = taken_back(house, run)
    assert [(item.state, item.error_code) for item in house.items(back)] == [(ItemState.NEEDS_REVIEW, "E20")]


# ── what follows ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS, ConflictPolicy.HOLD])
def test_no_automatic_run_writes_it_again_or_carries_it_over(
    pair: tuple[House, str, int], policy: ConflictPolicy
) -> None:
    house, crew, _ = pair
    run = wrote(house, crew, first_name="新次郎")
    taken_back(house, run)
    held, writes = in_freee(house), house.writes()
    with listening(house, Automatic.BOTH):
        with house.ctx.unit_of_work() as uow:
            uow.connections.set_options(replace(house.connection, conflict_policy=policy))
        house.smarthr.edit(crew, {"tel_number": "080-1111-2222"})
        settle(house)
    assert house.smarthr.crew(crew)["first_name"] == "新次郎"
    after = in_freee(house)
    assert (after["first_name"], house.writes() > writes) == (held["first_name"], True)
    assert after["phone"] != held["phone"]


def test_a_run_that_somebody_starts_writes_it_again_and_ends_the_mark(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    taken_back(house, wrote(house, crew, first_name="新次郎"))
    assert UNDONE in link_of(house).values()
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert in_freee(house)["first_name"] == form(BY_KEY["first_name"], "新次郎")
    assert UNDONE not in link_of(house).values()


def link_of(house: House) -> dict[str, str]:
    with house.ctx.unit_of_work() as uow:
        (link,) = uow.links.for_connection(house.connection.id)
    return link.baseline


# ── dying, failing, repeating ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
@pytest.mark.parametrize("direction", thinned(2, Direction))
def test_a_worker_that_dies_before_any_transaction_changes_nothing_about_the_end(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    people = a_few(company, direction)
    expected: tuple[Any, ...] | None = None
    for nth in (10_000, *range(1, 200, every(30))):
        house = open_practice(people)
        run = house.run(direction)
        dying = Interrupted(house, nth, die)
        preview = undo_through_deaths(house, run)
        work_through_deaths(house)
        approve_through_deaths(house, preview)
        happened = dying.stop()
        people_now = sorted(str(items) for items in held_by(house, direction.target).values())  # new ids are random
        ended = (Counter(house.states(preview).values()), house.seen(preview).state, people_now)
        expected = expected or ended
        assert ended == expected, nth
        house.close()
        if not happened and nth != 10_000:
            break
    assert expected is not None
    assert expected[0][ItemState.SUCCEEDED] == 1


def undo_through_deaths(house: House, run: RunView) -> RunView:
    with suppress(Killed):
        return undo(house.ctx, run.id, by="test")
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(run.id)
        other = uow.runs.open_undo_of(row.id) if row else None
    return undo(house.ctx, run.id, by="test") if other is None else get_run(house.ctx, other.public_id)


def approve_through_deaths(house: House, preview: RunView) -> None:
    """Approve and work to the end. Whoever sees no answer looks again, and approves again while it still waits."""
    for _ in range(2):
        with suppress(Killed):
            if house.seen(preview).state is RunState.PREVIEWED:
                approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
        work_through_deaths(house)


@pytest.mark.parametrize("after", thinned(2, [True, False]), ids=["after-it-happened", "before-it-happens"])
def test_a_lost_answer_of_any_request_is_made_good(
    open_practice: Callable[..., House], company: PracticeCompany, after: bool
) -> None:
    people = only(company, "update", most=1)
    undisturbed = open_practice(people)
    before = held_by(undisturbed, System.FREEE)
    for nth in range(1, 8):
        house = open_practice(people)
        run = house.run(TO_FREEE)
        preview = undo(house.ctx, run.id, by="test")
        house.work()
        approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
        house.freee_injector.fault(path="/employees/", nth=nth, cut=True, after=after)
        house.work()
        assert house.states(preview)[house.items(preview)[0].source_id or ""] is ItemState.SUCCEEDED, nth
        assert held_by(house, System.FREEE) == before, nth
        house.close()


def test_a_write_whose_answer_was_lost_for_good_is_taken_back_as_well(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    before = in_freee(house)
    house.smarthr.edit(crew, {"first_name": "新次郎"})
    run = house.start(TO_FREEE, as_of_date=now_in_japan(house))
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=1, cut=True, after=True)
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)
    approve_retry_cancel.cancel(house.ctx, run.id, by="test")
    house.work()
    assert house.seen(run).state is RunState.CANCELLED
    assert in_freee(house) != before
    assert taken_back(house, run).state is RunState.SUCCEEDED
    assert in_freee(house) == before


def test_a_repetition_of_a_failed_undo_is_an_undo(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    before = in_freee(house)
    run = wrote(house, crew, first_name="新次郎")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=100, status=400, body="{}")
    failed = taken_back(house, run)
    assert failed.counts == {ItemState.FAILED: 1}
    house.freee_injector.clear_faults()
    again = approve_retry_cancel.retry(house.ctx, failed.id, by="test")
    assert (again.trigger, again.undone_run) == (Trigger.UNDO, run.id)
    house.work()
    approve_retry_cancel.approve(house.ctx, again.id, by="test")
    house.work()
    assert in_freee(house) == before


# ── refused, guarded, looked at ───────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_taken_back_is_refused(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    nothing = house.run(TO_FREEE, as_of_date=now_in_japan(house))
    assert refused(house, nothing.id) == "nothing_to_undo"
    wrote(house, crew, first_name="新次郎")
    running = house.start(TO_FREEE, as_of_date=now_in_japan(house))
    assert refused(house, running.id) == "run_not_finished"
    assert refused(house, "no-such-run") == "run_not_found"


def test_erased_values_are_not_taken_back(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    run = wrote(house, crew, first_name="新次郎")
    house.clock.turn(days=house.ctx.settings.retention_days + 1)
    reconcile.reconcile_once(house.ctx)
    assert refused(house, run.id) == "values_erased"
    assert outlook(house.ctx, run.id).refusal is not None


def test_a_cancelled_undo_makes_room_for_another(pair: tuple[House, str, int]) -> None:
    house, crew, _ = pair
    run = wrote(house, crew, first_name="新次郎")
    first = undo(house.ctx, run.id, by="test")
    house.work()
    approve_retry_cancel.cancel(house.ctx, first.id, by="test")
    assert taken_back(house, run).state is RunState.SUCCEEDED


def test_the_guard_looks_at_an_undo_as_at_every_run(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=8))
    house.run(TO_FREEE)
    for crew in house.smarthr.crews:
        house.smarthr.edit(crew["id"], {"resigned_at": "2026-12-31"})
    run = house.run(TO_FREEE)
    preview = undo(house.ctx, run.id, by="test")
    house.work()
    (alarm,) = weighed_by(house, preview.id)
    assert (alarm.code, alarm.count) == (MassChangeCode.BLANKS, len(house.smarthr.crews))
    with pytest.raises(Refused) as caught:
        approve_retry_cancel.approve(house.ctx, preview.id, by="test")
    assert caught.value.code == "mass_change"


def test_the_outlook_counts_what_was_written_and_names_whom_it_created(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "update", "create", most=2))
    run = house.run(TO_FREEE)
    seen = outlook(house.ctx, run.id)
    assert (seen.people, seen.created, seen.possible) == (2, 2, True)
    assert {person.number for person in seen.created_people} == {
        item.employee_number for item in house.items(run) if item.kind == "create"
    }
    assert all(person.name for person in seen.created_people)
    assert sum(count for _, count in seen.values) > 0

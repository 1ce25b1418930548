"""One open survey per connection, direction and whoever asks; a run is repeated, and taken back, once at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.errors import Refused
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.storage.automatic.rows import NewDelivery
from app.storage.enums import DeliveryState
from app.storage.runs.rows import RunRow
from app.storage.runs.run_reading import RunFilter
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.intake.approve_retry_cancel import cancel, retry
from app.use_cases.intake.delivery_replay import replay
from app.use_cases.intake.one_survey import WAITING_PREVIEWS
from app.use_cases.intake.start_run import start_run
from app.use_cases.intake.undo import undo
from app.use_cases.shared.views import RunView
from tests.storage.databases import running_run, start_item
from tests.together import together
from tests.use_cases.engine_room import TODAY, Room, person
from tests.use_cases.test_approve_retry_cancel import failed_run

pytestmark = pytest.mark.sql

PERSON, KEY = "user:3", "key:ab12"


@pytest.fixture(autouse=True)
def people(room: Room) -> None:
    room.listings[System.SMARTHR].people = [person(f"{n:04d}") for n in range(1, 5)]


def preview(room: Room, by: str = PERSON, **changes: Any) -> RunView:
    return start_run(room.ctx, room.command(dry_run=True, started_by=by, **changes))


def runs(room: Room) -> list[RunRow]:
    with room.database.unit_of_work() as uow:
        return uow.runs.search(RunFilter(), after=None, limit=500)


def actions(room: Room) -> list[str]:
    with room.database.unit_of_work() as uow:
        return [entry.action for entry in uow.audit.page()]


def _together(work: Callable[[int], RunView], threads: int) -> list[RunView]:
    return cast("list[RunView]", together(work, threads))


def surveyed(room: Room, run: RunView) -> None:
    """The survey is over, and the preview waits for a person."""
    with room.database.unit_of_work() as uow:
        now, row = room.clock.now(), uow.runs.get_by_public_id(run.id)
        assert row is not None
        assert uow.runs.claim_survey(row.id, now=now, lease_until=now + timedelta(seconds=30))
        assert uow.runs.plan_committed(row.id, state=RunState.PREVIEWED, total=1, now=now)


# ── the same wish ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("by", [PERSON, KEY, "cli"])
@pytest.mark.parametrize("wish", [{}, {"employees": ("0002", "0001")}, {"acknowledged": True}])
def test_a_preview_that_is_being_surveyed_is_the_answer_to_the_same_wish(
    room: Room, by: str, wish: dict[str, Any]
) -> None:
    first = preview(room, by, **wish)
    again = preview(room, by, **(wish | ({"employees": ("0001", "0002")} if "employees" in wish else {})))
    assert (first.already, again.already, again.id) == (False, True, first.id)
    assert len(runs(room)) == 1


def test_many_at_once_are_one(room: Room) -> None:
    views = _together(lambda _: preview(room, KEY), 8)
    assert len({view.id for view in views}) == len(runs(room)) == 1
    assert sorted(view.already for view in views) == [False] + [True] * 7
    with room.database.unit_of_work() as uow:
        assert len(uow.outbox.due(room.clock.now())) == 1


def test_each_of_many_keys_remembers_the_run_that_it_was_answered_with(room: Room) -> None:
    """The same key gets the same answer, also when the survey is over and another preview is open."""
    views = _together(lambda n: preview(room, KEY, idempotency_key=f"k{n}"), 6)
    (first,) = {view.id for view in views}
    surveyed(room, preview(room, KEY))
    assert preview(room, KEY).id != first
    assert {preview(room, KEY, idempotency_key=f"k{n}").id for n in range(6)} == {first}
    with pytest.raises(Refused) as caught:
        preview(room, KEY, idempotency_key="k0", as_of_date=TODAY + timedelta(days=1))
    assert caught.value.code == "idempotency_conflict"


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "other",
    [{"started_by": "user:4"}, {"started_by": KEY}, {"direction": Direction.FREEE_TO_SMARTHR}, {"dry_run": False}],
)
def test_who_else_asks_and_what_else_is_asked_stays_apart(room: Room, other: dict[str, Any]) -> None:
    first = preview(room)
    changes = {"dry_run": True, "started_by": PERSON, **other}
    second = start_run(room.ctx, room.command(**changes))
    assert second.id != first.id
    assert {run.ends_as for run in runs(room)} == {None}


def test_runs_that_write_are_as_many_as_are_asked_for(room: Room) -> None:
    assert len({start_run(room.ctx, room.command(started_by=KEY)).id for _ in range(3)}) == 3


# ── another wish ──────────────────────────────────────────────────────────────────────────────────────────────────

OTHER_WISHES = ({"employees": ("0001",)}, {"as_of_date": TODAY + timedelta(days=1)}, {"acknowledged": True})


@pytest.mark.parametrize("other", OTHER_WISHES)
def test_another_wish_of_a_person_takes_the_place_of_the_former_one(room: Room, other: dict[str, Any]) -> None:
    first, second = preview(room), preview(room, **other)
    former = room.run_row(first.id)
    assert (former.state, former.error_code, second.already) == (RunState.CANCELLED, "preview_replaced", False)
    assert room.run_row(second.id).state is RunState.WAITING
    assert room.mail_of(former.id) is None, "nobody is told by mail what they have just done"


@pytest.mark.parametrize("by", [KEY, "cli"])
@pytest.mark.parametrize("other", OTHER_WISHES)
def test_another_wish_of_a_program_is_refused_with_the_run_that_is_open(
    room: Room, by: str, other: dict[str, Any]
) -> None:
    first = preview(room, by)
    with pytest.raises(Refused) as caught:
        preview(room, by, **other)
    assert (caught.value.code, caught.value.status) == ("survey_open", 409)
    assert caught.value.fields == {"run": first.id}
    assert [run.ends_as for run in runs(room)] == [None]


def test_different_wishes_of_a_person_at_once_leave_one_open(room: Room) -> None:
    together(lambda n: preview(room, as_of_date=TODAY + timedelta(days=n)), 6)
    assert [run.state for run in runs(room) if run.ends_as is None] == [RunState.WAITING]


def test_previews_that_wait_are_bounded_for_each_who_asks(room: Room) -> None:
    stranger = preview(room, "user:4")
    surveyed(room, stranger)
    mine = []
    for _ in range(WAITING_PREVIEWS + 3):
        mine.append(preview(room))
        surveyed(room, mine[-1])
    states = [room.run_row(run.id).state for run in mine]
    assert states == [RunState.CANCELLED] * 3 + [RunState.PREVIEWED] * WAITING_PREVIEWS, "the oldest go"
    assert room.run_row(stranger.id).state is RunState.PREVIEWED


# ── repeated, taken back ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_repeated_once_whoever_asks_and_however_often(room: Room) -> None:
    first = failed_run(room)
    views = _together(lambda n: retry(room.ctx, first, by=f"user:{n}"), 8)
    assert len({view.id for view in views}) == 1
    assert [view.already for view in views].count(False) == 1
    assert retry(room.ctx, first, by="cli").id == views[0].id
    assert len([run for run in runs(room) if run.trigger is Trigger.RETRY]) == 1
    assert actions(room).count("run_retried") == 1


def test_a_repetition_that_is_over_is_still_the_answer_but_a_cancelled_one_is_not(room: Room) -> None:
    first = failed_run(room)
    again = retry(room.ctx, first, by=KEY)
    with room.database.unit_of_work() as uow:
        uow.runs.fail(room.run_row(again.id).id, "E18", room.clock.now())
    close_run_if_done(room.ctx, room.run_row(again.id).id)
    assert (retry(room.ctx, first, by=KEY).id, room.run_row(again.id).state) == (again.id, RunState.FAILED)
    second = retry(room.ctx, again.id, by=KEY)
    cancel(room.ctx, second.id, by=KEY)
    third = retry(room.ctx, again.id, by=KEY)
    assert (third.already, third.id == second.id) == (False, False)


@pytest.mark.parametrize("by", [PERSON, KEY])
def test_nobody_has_two_repetitions_surveyed_at_once(room: Room, by: str) -> None:
    first, other = failed_run(room), failed_run(room)
    open_run = retry(room.ctx, first, by=by)
    with pytest.raises(Refused) as caught:
        retry(room.ctx, other, by=by)
    assert (caught.value.code, caught.value.fields) == ("survey_open", {"run": open_run.id})
    assert retry(room.ctx, other, by="user:9").id != open_run.id


def test_a_run_is_taken_back_once_at_a_time(room: Room) -> None:
    run, (item,) = running_run(room.database, room.connection)
    attempt = start_item(room.database, item)
    with room.database.unit_of_work() as uow:
        uow.steps.sending(item, attempt, Step.PROFILE, keys=["last_name"], now=room.clock.now())
        assert uow.items.record_outcome(item, attempt, state=ItemState.SUCCEEDED, now=room.clock.now())
    close_run_if_done(room.ctx, run.id)
    views = _together(lambda n: undo(room.ctx, run.public_id, by=f"user:{n}"), 8)
    assert len({view.id for view in views}) == 1
    assert [view.already for view in views].count(False) == 1
    assert actions(room).count("undo_started") == 1


# ── replayed, approved ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_delivery_that_many_replay_at_once_is_looked_at_once(room: Room) -> None:
    """As its other members: an approval and a cancellation are one conditional UPDATE (test_approve_retry_cancel)."""
    new = NewDelivery(
        system=System.SMARTHR,
        connection_id=room.connection.id,
        event="crew_updated",
        dedup="d",
        digest="d",
        state=DeliveryState.IGNORED,
        people=("crew-7",),
        received_at=room.clock.now(),
        triggered_at=None,
    )
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, automatic=Automatic.BOTH))
        (delivery,) = uow.deliveries.add_many([new])
    together(lambda _: replay(room.ctx, delivery or 0), 6)
    (run,) = runs(room)
    with room.database.unit_of_work() as uow:
        assert [item.source_id for item in uow.items.page(run.id, after=-1, limit=10)] == ["crew-7"]

"""Which runs mail: every trigger, every policy, every outcome, through real rows to the mail row."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from app.domain.enums import Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import MailPolicy
from app.use_cases.finish.finalise import close_run_if_done
from app.use_cases.queries.history import get_run
from tests.storage.databases import NOW, end_item, running_run
from tests.use_cases.engine_room import Room

pytestmark = pytest.mark.reach("test")  # long journeys

# Outcome → the policies under which an automatic run tells of it (`finalise.mails`).
TOLD: dict[str, tuple[list[ItemState], set[MailPolicy]]] = {
    "nothing to do": ([ItemState.UNCHANGED, ItemState.UNCHANGED], {MailPolicy.ALWAYS}),
    "something written": ([ItemState.UNCHANGED, ItemState.SUCCEEDED], {MailPolicy.ALWAYS, MailPolicy.CHANGES}),
    "somebody to look at": ([ItemState.NEEDS_REVIEW, ItemState.UNCHANGED], {MailPolicy.ALWAYS, MailPolicy.CHANGES}),
    "a conflict": ([ItemState.CONFLICT, ItemState.SUCCEEDED], {MailPolicy.ALWAYS, MailPolicy.CHANGES}),
    "one failed": ([ItemState.FAILED, ItemState.UNCHANGED], set(MailPolicy)),
    "all failed": ([ItemState.FAILED, ItemState.FAILED], set(MailPolicy)),
    "nobody at all": ([], set(MailPolicy)),  # a run that attempted nothing has failed
}
AUTOMATIC = {Trigger.WEBHOOK, Trigger.SCHEDULE}


def ended(room: Room, trigger: Trigger, states: list[ItemState]) -> int:
    """A run that has come to its end. A run of stopped changes writes only after a person has approved it."""
    state = RunState.PREVIEWED if trigger is Trigger.HELD else RunState.RUNNING
    run, ids = running_run(room.database, room.connection, items=len(states), trigger=trigger, state=state)
    if state is RunState.PREVIEWED:
        with room.database.unit_of_work() as uow:
            assert uow.runs.approve(run.id, by="user:1", now=NOW, deadline_at=NOW + timedelta(hours=24))
            uow.items.queue_waiting(run.id, now=NOW)
    for item_id, state in zip(ids, states, strict=True):
        end_item(room.database, item_id, state=state, error_code="E1" if state is ItemState.FAILED else None)
    assert close_run_if_done(room.ctx, run.id)
    return run.id


@pytest.mark.parametrize("policy", list(MailPolicy))
def test_every_trigger_with_every_outcome(room: Room, policy: MailPolicy) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_policy=policy))
    wrong = []
    for trigger, (outcome, (states, told)) in itertools.product(Trigger, TOLD.items()):
        if outcome == "nobody at all" and trigger is Trigger.SCHEDULE:
            told = {MailPolicy.ALWAYS}  # a comparison with nobody to look at is done
        mailed = room.mail_of(ended(room, trigger, states)) is not None
        if mailed != (trigger not in AUTOMATIC or policy in told):
            wrong.append((trigger.value, outcome, mailed))
    assert wrong == []


@pytest.mark.parametrize("policy", list(MailPolicy))
def test_stopped_changes_that_nobody_approved_are_no_news(room: Room, policy: MailPolicy) -> None:
    """That they wait was told when they began to wait. Here they are declined, or gone."""
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_policy=policy))
    run, _ = running_run(room.database, room.connection, items=2, trigger=Trigger.HELD, state=RunState.PREVIEWED)
    with room.database.unit_of_work() as uow:
        assert uow.runs.cancel(run.id, room.clock.now())
    assert close_run_if_done(room.ctx, run.id)
    assert room.mail_of(run.id) is None


@pytest.mark.parametrize("policy", list(MailPolicy))
def test_a_run_that_failed_as_a_whole_always_tells(room: Room, policy: MailPolicy) -> None:
    with room.database.unit_of_work() as uow:
        uow.connections.set_options(replace(room.connection, mail_policy=policy))
    for trigger, code in zip(sorted(AUTOMATIC), ("E18", "E19"), strict=True):  # the same again would be no news
        run, _ = running_run(room.database, room.connection, items=0, trigger=trigger)
        with room.database.unit_of_work() as uow:
            uow.runs.fail(run.id, code, room.clock.now())
        assert close_run_if_done(room.ctx, run.id)
        assert room.mail_of(run.id) is not None


def test_a_run_without_a_mail_says_so(room: Room) -> None:
    run_id = ended(room, Trigger.SCHEDULE, [ItemState.UNCHANGED])
    with room.database.unit_of_work() as uow:
        run = uow.runs.get(run_id)
    assert run is not None
    view = get_run(room.ctx, run.public_id)
    assert (view.state, view.mail_state) == (RunState.SUCCEEDED, "skipped")

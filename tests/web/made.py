"""Runs as the survey and the workers leave them, written through the repositories."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.runs.commands import ReceivedEvent
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.storage.runs.rows import NewChange, NewItem, NewNote, NewRun
from app.use_cases.intake.webhook_intake import accept, delivery_of, sort_received
from tests.web.world import KEY, NOW, World

_numbers = itertools.count(1)

NAME_CHANGE = NewChange("last_name", before="鈴木", after="佐藤", step=Step.PROFILE)
ACCOUNT_CHANGE = NewChange("bank_account_number", before="1234567", after="7654321", step=Step.BANK_ACCOUNT)


def add_run(
    world: World,
    *states: ItemState,
    state: RunState = RunState.RUNNING,
    error_code: str = "E1",
    changes: Sequence[NewChange] = (),
    notes: Sequence[NewNote] = (),
) -> str:
    """A run whose plan is committed, one item per state, employees numbered 0001 onwards. Returns the public id."""
    public_id = f"run-{next(_numbers)}"
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.runs.add(
            NewRun(
                public_id=public_id,
                connection_id=connection.id,
                direction=Direction.SMARTHR_TO_FREEE,
                trigger=Trigger.API,
                as_of_date=date(2026, 11, 22),
                dry_run=state is RunState.PREVIEWED,
                scope=None,
                queue="interactive",
                started_by="key:test",
                created_at=NOW,
                deadline_at=NOW + timedelta(hours=24),
            )
        )
    survey(world, public_id, *states, state=state, error_code=error_code, changes=changes, notes=notes)
    if state is RunState.RUNNING:
        close(world, public_id)
    return public_id


def survey(
    world: World,
    public_id: str,
    *states: ItemState,
    state: RunState = RunState.RUNNING,
    error_code: str = "E1",
    changes: Sequence[NewChange] = (),
    notes: Sequence[NewNote] = (),
) -> None:
    """What the survey leaves: the items, and the run in `state`."""
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(public_id)
        assert run and uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW + timedelta(minutes=1))
        uow.items.add_many(
            [
                NewItem(
                    run_id=run.id,
                    connection_id=run.connection_id,
                    direction=run.direction,
                    position=position,
                    employee_number=f"{position + 1:04d}",
                    source_id=f"crew-{position}",
                    target_id=None,
                    kind="update",
                    queue="interactive",
                    state=item_state,
                    chosen=item_state is ItemState.WAITING and state is RunState.PREVIEWED,
                    created_at=NOW,
                    closing_month="2026-11",
                    pay_month="2026-12",
                    error_code=error_code if item_state is ItemState.FAILED else None,
                    changes=tuple(changes),
                    notes=tuple(notes),
                )
                for position, item_state in enumerate(states)
            ]
        )
        assert uow.runs.plan_committed(run.id, state=state, total=len(states), now=NOW)


def close(world: World, public_id: str) -> None:
    """End the run if nothing of it is open."""
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(public_id)
    assert run
    with world.ctx.unit_of_work() as uow:
        uow.runs.close(run.id, now=NOW)


def add_delivery(world: World, *people: str, automatic: Automatic = Automatic.BOTH, **changes: Any) -> int:
    """A webhook that SmartHR sent, as intake and relay keep it; the connection syncs by itself from then on. Its id."""
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection
        uow.connections.set_options(replace(connection, automatic=automatic))
    given: dict[str, Any] = {
        "system": System.SMARTHR,
        "name": "crew_updated",
        "known": True,
        "people": people or ("crew-1",),
        "triggered_at": world.clock.now(),
    }
    event = ReceivedEvent(**(given | changes))
    delivery = delivery_of(world.ctx, event, connection.id, f"{next(_numbers)}".encode())
    (accepted,) = accept(world.ctx, [delivery])
    sort_received(world.ctx)
    return accepted.id

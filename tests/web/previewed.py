"""Previews as a survey leaves them, of any size, written through the repositories."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.domain.enums import Direction, Trigger
from app.domain.matching.name_search import Names
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState, RunState
from app.domain.snapshot import BLANK
from app.storage.enums import HistoryKind
from app.storage.links.rows import DirectoryEntry
from app.storage.runs.rows import ItemRow, NewChange, NewItem, NewNote, NewRun, RunRow
from app.use_cases.shared.name_search import name_keys_of
from tests.web.world import KEY, NOW, World

_numbers = itertools.count(1)

CHANGES = (
    NewChange("last_name", before="鈴木", after="佐藤"),
    NewChange("birth_date", before=date(1990, 1, 2), after=date(1990, 2, 1)),
    NewChange("bank_account_number", before="1234567", after="7654321"),
    NewChange("phone", before="03-0000-0000", after=BLANK),
)
NOTES = (
    NewNote("lossy", "info", "bank_account_number"),
    NewNote("position_order", "review", "title"),
)
CANDIDATE = {"system": "freee", "id": "9", "number": "0009", "reason": "same_person"}


@dataclass(frozen=True)
class Somebody:
    state: ItemState
    kind: PlanKind = PlanKind.NOTHING
    code: str | None = None
    name: str = ""
    kana: str = ""
    effects: str = ""
    changes: tuple[NewChange, ...] = ()
    notes: tuple[NewNote, ...] = ()
    candidates: tuple[dict[str, str], ...] = ()


NEW = Somebody(ItemState.WAITING, PlanKind.CREATE, effects="create", changes=CHANGES[:1])
CHANGED = Somebody(ItemState.WAITING, PlanKind.UPDATE, changes=CHANGES, notes=NOTES)
EQUAL = Somebody(ItemState.UNCHANGED)
DOUBTFUL = Somebody(ItemState.NEEDS_REVIEW, code="link_ambiguous", candidates=(CANDIDATE,))
HOPELESS = Somebody(ItemState.FAILED, code="E1")


def preview_of(world: World, *people: Somebody, **changes: Any) -> str:
    """A preview of these people, numbered 0001 onwards, everybody chosen who waits. Returns its public id."""
    public_id = waiting_preview(world, **changes)
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(public_id)
        assert run is not None
        claimed = uow.runs.claim_survey(run.id, now=NOW, lease_until=NOW + timedelta(seconds=30))
        assert claimed is not None
        uow.items.add_many([_item(run, position, person) for position, person in enumerate(people)])
        listed = [_listed(world, position, person) for position, person in enumerate(people)]
        uow.directory.replace(run.connection_id, run.direction.source, listed, now=NOW)
        waits = any(not person.state.is_final for person in people)
        state = RunState.PREVIEWED if waits else RunState.RUNNING
        assert uow.runs.plan_committed(run.id, state=state, total=len(people), now=world.clock.now())
    if not waits:
        with world.ctx.unit_of_work() as uow:
            uow.runs.close(run.id, now=NOW)
    return public_id


def waiting_preview(world: World, **changes: Any) -> str:
    """A preview whose survey has not begun."""
    given: dict[str, Any] = {
        "public_id": f"preview-{next(_numbers)}",
        "direction": Direction.SMARTHR_TO_FREEE,
        "trigger": Trigger.MANUAL,
        "as_of_date": date(2026, 11, 22),
        "dry_run": True,
        "scope": None,
        "queue": "interactive",
        "started_by": "user:1",
        "created_at": NOW,
        "deadline_at": NOW + timedelta(hours=24),
    }
    with world.ctx.unit_of_work() as uow:
        connection = uow.connections.get_by_key(KEY)
        assert connection is not None
        run = uow.runs.add(NewRun(connection_id=connection.id, **(given | changes)))
        uow.history.add(run.id, HistoryKind.START, at=NOW)
    return run.public_id


def _listed(world: World, position: int, person: Somebody) -> DirectoryEntry:
    """As the survey keeps who stands in the list of the source."""
    last, _, first = _name(person, position).partition(" ")
    last_kana, _, first_kana = person.kana.partition(" ")
    names = Names(last, first, last_kana, first_kana)
    marks = name_keys_of(world.ctx.keys.signing).marks(f"crew-{position}", names)
    return DirectoryEntry(f"{position + 1:04d}", f"crew-{position}", names=marks)


def _item(run: RunRow, position: int, person: Somebody) -> NewItem:
    waits = not person.state.is_final
    return NewItem(
        run_id=run.id,
        connection_id=run.connection_id,
        direction=run.direction,
        position=position,
        employee_number=f"{position + 1:04d}",
        source_id=f"crew-{position}",
        target_id=None,
        kind=person.kind.value,
        queue=run.queue,
        state=person.state,
        created_at=NOW,
        pay_month="2026-12" if waits else None,
        error_code=person.code,
        name=_name(person, position),
        chosen=waits,
        effects=person.effects,
        notes=person.notes,
        candidates=person.candidates,
        changes=person.changes,
    )


def _name(person: Somebody, position: int) -> str:
    return person.name or f"見本 {position + 1}号"


def items_of(world: World, run_id: str) -> list[ItemRow]:
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
        assert run is not None
        return uow.items.page(run.id, after=-1, limit=100_000)


def chosen_in(world: World, run_id: str) -> list[str]:
    """Numbers of those an approval would write."""
    return [item.employee_number for item in items_of(world, run_id) if item.chosen]


def state_of(world: World, run_id: str) -> RunState:
    with world.ctx.unit_of_work() as uow:
        run = uow.runs.get_by_public_id(run_id)
    assert run is not None
    return run.state if run.ends_as is None else run.ends_as


def runs_of(world: World) -> list[RunRow]:
    """Newest first."""
    with world.ctx.unit_of_work() as uow:
        return uow.runs.page(after=None, limit=100)


def audited(world: World) -> list[tuple[str, str]]:
    """(action, subject), the newest first."""
    with world.ctx.unit_of_work() as uow:
        return [(entry.action, entry.subject) for entry in uow.audit.page()]

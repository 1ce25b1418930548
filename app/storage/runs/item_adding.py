"""Adding a run's items: their columns, their changes, and which of them get the employee's slot at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from app.domain.enums import Direction
from app.domain.error_catalogue.catalogue import checked
from app.storage.repository import table_of
from app.storage.runs.changes import ChangeRepository
from app.storage.runs.item_reading import OPEN_STATES, ItemReading
from app.storage.runs.rows import NewItem, NewNote
from app.storage.tables.models import ItemTable

_ITEMS = table_of(ItemTable)
_ADD = insert(_ITEMS).returning(_ITEMS.c.id, _ITEMS.c.position)
"""Over the table: through the entity, SQLAlchemy makes a statement for every set of columns that are not None."""


class ItemAdding(ItemReading):
    """The part of `uow.items` that a survey and the gathering of webhooks use."""

    def add_many(self, items: Sequence[NewItem]) -> list[int]:
        """Insert items with their changes, and return their ids in the order of `items`.

        The caller adds the outbox rows for WAITING items of a run that is not a preview (`queue_waiting`). An item does
        not take a slot (one open item per employee and direction) that another item holds: it waits for the slot at its
        claim.
        """
        ids: list[int] = []
        for start in range(0, len(items), 1000):
            chunk = items[start : start + 1000]
            free = self._free_slots(chunk)
            try:
                with self._transaction.connection.begin_nested():
                    ids += self._insert(chunk, slots=free)
            except IntegrityError:  # another transaction took one of the slots at this very moment (PostgreSQL)
                ids += self._insert(chunk, slots=set())
        changes = ChangeRepository(self._transaction, self._vault)
        changes.insert(
            [changes.values(item_id, c) for item_id, item in zip(ids, items, strict=True) for c in item.changes]
        )
        return ids

    def clear(self, run_id: int) -> None:
        """Delete the items of a run whose survey did not get to its end (no worker could ever claim them)."""
        self._session.execute(delete(ItemTable).where(ItemTable.run_id == run_id))

    def _insert(self, items: Sequence[NewItem], *, slots: set[tuple[int, Direction, str]]) -> list[int]:
        values = [self._columns(item, slots) for item in items]
        if not values:
            return []
        rows = self._run(_ADD, values)
        by_position = {position: item_id for item_id, position in map(tuple, rows)}
        return [by_position[item.position] for item in items]

    def _columns(self, item: NewItem, slots: set[tuple[int, Direction, str]]) -> dict[str, Any]:
        slot = (item.connection_id, item.direction, item.source_id or "")
        holds = item.holds_slot and not item.state.is_final and slot in slots
        slots.discard(slot)
        return {
            "run_id": item.run_id,
            "connection_id": item.connection_id,
            "direction": item.direction,
            "position": item.position,
            "employee_number": item.employee_number,
            "source_id": item.source_id,
            "target_id": item.target_id,
            "kind": item.kind,
            "queue": item.queue,
            "state": item.state,
            "holds_slot": holds,
            "next_at": item.next_at or item.created_at,
            "closing_month": item.closing_month,
            "pay_month": item.pay_month,
            "approved_digest": item.approved_digest,
            "error_code": checked(item.error_code),
            "detail_enc": self._seal(item.detail),
            "notes": note_columns(item.notes),
            "candidates_enc": self._vault.encrypt_json([dict(c) for c in item.candidates]) if item.candidates else None,
            "name_enc": self._seal(item.name or None),
            "chosen": item.chosen,
            "effects": item.effects,
            "created_at": item.created_at,
            "finished_at": item.created_at if item.state.is_final else None,
        }

    def _free_slots(self, items: Sequence[NewItem]) -> set[tuple[int, Direction, str]]:
        """Those of the slots of these people that no open item holds. Only their items are read, however many others of
        the run are open."""
        wanted = {(i.connection_id, i.direction, i.source_id) for i in items if i.holds_slot and i.source_id}
        if not wanted:
            return set()
        taken = self._session.execute(
            select(ItemTable.connection_id, ItemTable.direction, ItemTable.source_id).where(
                ItemTable.state.in_(OPEN_STATES),
                ItemTable.holds_slot,
                ItemTable.connection_id.in_({connection for connection, _, _ in wanted}),
                ItemTable.source_id.in_({source for _, _, source in wanted}),
            )
        )
        held = {(connection, direction, source or "") for connection, direction, source in taken}
        return {(connection, direction, source) for connection, direction, source in wanted if source} - held


def note_columns(notes: Iterable[NewNote]) -> list[dict[str, str | None]]:
    return [{"code": checked(note.code), "severity": note.severity, "key": note.key} for note in notes]

"""Field changes: what one item plans to write and has written, with the values encrypted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from app.domain.enums import Step
from app.domain.planning.plan import Trace
from app.domain.snapshot import FieldState
from app.storage.enums import ChangeState
from app.storage.repository import Repository, as_row, table_of
from app.storage.runs.rows import ChangeRow, NewChange
from app.storage.runs.traces import SealedTrace, is_trivial, seal_trace
from app.storage.tables.models import FieldChangeTable
from app.storage.values import dump_state, load_state

_CHANGES = table_of(FieldChangeTable)
_MINE = _CHANGES.c.item_id == bindparam("item_")
_ADD = insert(_CHANGES)
_KEYS = select(_CHANGES.c.key).where(_MINE)
_FORGET_UNWRITTEN = delete(_CHANGES).where(_MINE, _CHANGES.c.state != ChangeState.WRITTEN)
_WRITTEN = (
    update(_CHANGES)
    .where(_MINE, _CHANGES.c.key.in_(bindparam("keys_", expanding=True)))
    .values(state=ChangeState.WRITTEN)
)
_WRITTEN_WITH = _WRITTEN.values(step=bindparam("step_"))


class ChangeRepository(Repository):
    def replace(self, item_id: int, changes: Iterable[NewChange], *, state: ChangeState = ChangeState.PLANNED) -> None:
        """Replace the plan of this item. Changes that an earlier attempt has written stay; a key that has to be written
        once more keeps its first `before`, because the item as a whole changes that value."""
        fresh = list(changes)
        self._run(_FORGET_UNWRITTEN, {"item_": item_id})
        written = set(self._run(_KEYS, {"item_": item_id}).scalars())
        self.insert([self.values(item_id, change, state) for change in fresh if change.key not in written])
        for change in fresh:
            if change.key in written:
                again = self.values(item_id, change, state)
                for first in ("before_enc", "raw_enc", "same"):
                    del again[first]
                mine = (_CHANGES.c.item_id == item_id, _CHANGES.c.key == change.key)
                self._session.execute(update(_CHANGES).where(*mine).values(**again))

    def values(self, item_id: int, change: NewChange, state: ChangeState = ChangeState.PLANNED) -> dict[str, Any]:
        """One change as the columns of its row."""
        return {
            "item_id": item_id,
            "key": change.key,
            "before_enc": self._vault.encrypt(dump_state(change.before)),
            "after_enc": self._vault.encrypt(dump_state(change.after)),
            "raw_enc": None if change.raw is None else self._vault.encrypt(json.dumps(dict(change.raw))),
            "state": ChangeState.HELD if change.held else state,
            "step": change.step,
            "same": is_same(change),
            "as_it_is": isinstance(change.trace, Trace) and is_trivial(change.trace),
            "trace_enc": seal_trace(self._vault, change.trace),
        }

    def insert(self, values: Sequence[dict[str, Any]]) -> None:
        if values:
            self._run(_ADD, values)

    def mark_written(self, item_id: int, keys: Sequence[str], *, step: Step | None = None) -> None:
        if step is None:
            self._run(_WRITTEN, {"item_": item_id, "keys_": list(keys)})
        else:
            self._run(_WRITTEN_WITH, {"item_": item_id, "keys_": list(keys), "step_": step})

    def of_items(self, item_ids: Sequence[int]) -> dict[int, list[ChangeRow]]:
        """Item id → its changes in the order they were planned."""
        query = select(FieldChangeTable).where(FieldChangeTable.item_id.in_(item_ids)).order_by(FieldChangeTable.id)
        found: dict[int, list[ChangeRow]] = {item_id: [] for item_id in item_ids}
        for record in self._session.scalars(query):
            values = {"before": self._state(record.before_enc), "after": self._state(record.after_enc)}
            raw, trace = self._raw(record.raw_enc), self._trace(record.trace_enc)
            found[record.item_id].append(as_row(ChangeRow, record, **values, raw=raw, trace=trace))
        return found

    def _raw(self, token: str | None) -> Mapping[str, Any] | None:
        return None if token is None else dict(self._vault.decrypt_json(token))

    def _trace(self, token: str | None) -> SealedTrace | None:
        return None if token is None else SealedTrace(self._vault, token)

    def _state(self, token: str | None) -> FieldState | None:
        return None if token is None else load_state(self._vault.decrypt(token))


def is_same(change: NewChange) -> bool:
    """Whether the target holds the value already. Only equal values of one kind are: 1 is not True."""
    return type(change.before) is type(change.after) and change.before == change.after and not change.exact

"""How a table sorts the people of a run. The database sorts; names are encrypted, so it cannot sort by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import SQLColumnExpression, case, exists, func, select

from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState
from app.storage.enums import ChangeState
from app.storage.tables.models import FieldChangeTable, ItemTable


class OrderBy(StrEnum):
    ATTENTION = "attention"
    """Failures first, then what a person has to decide, then what went well."""
    NUMBER = "number"
    KIND = "kind"
    ITEMS = "items"
    MONTH = "month"
    ENDED = "ended"
    PLACE = "place"
    """As the run lists them."""


@dataclass(frozen=True)
class PersonOrder:
    by: OrderBy = OrderBy.ATTENTION
    descending: bool = False

    @property
    def columns(self) -> list[SQLColumnExpression[Any]]:
        """What to sort by. People who are alike in it stand in the order of the run."""
        first = [column.desc() if self.descending else column.asc() for column in _COLUMNS[self.by]()]
        return [*first, ItemTable.position.asc()]


_RANKS = (
    ItemState.FAILED,
    ItemState.CONFLICT,
    ItemState.NEEDS_REVIEW,
    ItemState.CANCELLED,
    ItemState.RUNNING,
    ItemState.WAITING,
    ItemState.SUCCEEDED,
    ItemState.UNCHANGED,
    ItemState.LEFT_OUT,
)


def _attention() -> list[SQLColumnExpression[Any]]:
    held = exists().where(FieldChangeTable.item_id == ItemTable.id, FieldChangeTable.state == ChangeState.HELD)
    rank = case({state: 2 * place for place, state in enumerate(_RANKS)}, value=ItemTable.state, else_=2 * len(_RANKS))
    return [rank + case(((ItemTable.state == ItemState.WAITING) & ~held, 1), else_=0)]


def _number() -> list[SQLColumnExpression[Any]]:
    """2 before 10; people without a number last."""
    number = ItemTable.employee_number
    return [case((number == "", 1), else_=0), func.length(number), number]


def _kind() -> list[SQLColumnExpression[Any]]:
    return [case((ItemTable.kind == PlanKind.CREATE.value, 0), else_=1)]


def _items() -> list[SQLColumnExpression[Any]]:
    """How many items really change."""
    mine = (
        FieldChangeTable.item_id == ItemTable.id,
        ~FieldChangeTable.same,
        FieldChangeTable.state != ChangeState.HELD,
    )
    return [select(func.count()).where(*mine).correlate(ItemTable).scalar_subquery()]


def _month() -> list[SQLColumnExpression[Any]]:
    return [case((ItemTable.pay_month.is_(None), 1), else_=0), ItemTable.pay_month]


def _ended() -> list[SQLColumnExpression[Any]]:
    return [case((ItemTable.finished_at.is_(None), 1), else_=0), ItemTable.finished_at]


_COLUMNS: Mapping[OrderBy, Any] = {
    OrderBy.ATTENTION: _attention,
    OrderBy.NUMBER: _number,
    OrderBy.KIND: _kind,
    OrderBy.ITEMS: _items,
    OrderBy.MONTH: _month,
    OrderBy.ENDED: _ended,
    OrderBy.PLACE: list,
}

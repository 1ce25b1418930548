"""What of a migration would disturb the version before, whose processes work on beside it: expand, later contract.

The version before reads and writes the columns that it knows, and gives none that it does not know. So a migration may
add what is empty or has a default, and may widen. It takes nothing away, renames nothing, and refuses nothing that was
allowed. What nobody uses any more is taken away by a later release, whose version before does not use it either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from alembic.operations import ops
from alembic.operations.base import AbstractOperations

_HARMLESS = re.compile(r"\s*(UPDATE|INSERT|SELECT|CREATE\s+INDEX)\b", re.IGNORECASE)


@contextmanager
def recorded(patch: pytest.MonkeyPatch) -> Iterator[list[ops.MigrateOperation]]:
    """The operations that Alembic carries out meanwhile, in order."""
    seen: list[ops.MigrateOperation] = []
    carry_out = AbstractOperations.invoke

    def invoke(self: AbstractOperations, operation: ops.MigrateOperation) -> object:
        seen.append(operation)
        return carry_out(self, operation)

    with patch.context() as patched:
        patched.setattr(AbstractOperations, "invoke", invoke)
        yield seen


def contractions(operations: Iterable[ops.MigrateOperation]) -> list[str]:
    """What of one migration's operations takes something from the version before, each in words."""
    operations = list(operations)
    made = {op.table_name for op in operations if isinstance(op, ops.CreateTableOp)}
    added = {(op.table_name, op.column.name) for op in operations if isinstance(op, ops.AddColumnOp)}
    new = _New(made, added)
    return [told for op in operations if (told := _contraction(op, new))]


class _New:
    """Tables and columns which the same migration has made: the version before does not know them."""

    def __init__(self, tables: set[str], columns: set[tuple[str, str]]) -> None:
        self.tables, self._columns = tables, columns

    def concerns(self, table: str, words: Iterable[str]) -> bool:
        """Whether the table, or one of the columns named in these words, is new."""
        named = set(re.findall(r"\w+", " ".join(words)))
        return table in self.tables or any((table, word) in self._columns for word in named)


def _contraction(op: ops.MigrateOperation, new: _New) -> str | None:
    match op:
        case ops.CreateTableOp():
            return None
        case ops.AddColumnOp():
            return _of_column(op)
        case ops.CreateIndexOp():
            conditions = [str(value) for key, value in op.kw.items() if key.endswith("_where")]
            words = [*map(str, op.columns), *conditions]
            refuses = op.unique and not new.concerns(op.table_name, words)
            return f"{op.table_name}: the unique index {op.index_name} refuses what was allowed" if refuses else None
        case ops.DropIndexOp():
            return f"the unique index {op.index_name} goes" if _is_unique(op) else None
        case ops.AlterColumnOp():
            return _of_alteration(op)
        case ops.AddConstraintOp():
            return _of_constraint(op, new)
        case ops.ExecuteSQLOp():
            text = str(op.sqltext)
            return None if _HARMLESS.match(text) else f"a statement of its own: {text.split()[:4]}"
        case ops.BulkInsertOp():
            return None
        case _:
            return f"{type(op).__name__} {getattr(op, 'table_name', '')}".strip()


def _of_column(op: ops.AddColumnOp) -> str | None:
    fits = op.column.nullable or op.column.server_default is not None
    return None if fits else f"{op.table_name}.{op.column.name} must be given and has no default"


def _is_unique(op: ops.DropIndexOp) -> bool:
    """By its name, which says it for every index of ours: the operation knows nothing else."""
    return str(op.index_name).startswith("uq_")


def _of_alteration(op: ops.AlterColumnOp) -> str | None:
    place = f"{op.table_name}.{op.column_name}"
    if op.modify_name is not None:
        return f"{place} is renamed"
    if op.modify_nullable is False:
        return f"{place} may no longer be empty"
    if op.modify_server_default is None:
        return f"{place} loses its default"
    if op.modify_type is not None and not _wider(op.existing_type, op.modify_type):
        return f"{place} becomes {op.modify_type!r}"
    return None


def _wider(before: sa.types.TypeEngine[object] | None, after: sa.types.TypeEngine[object]) -> bool:
    if isinstance(before, sa.String) and isinstance(after, sa.String):
        return after.length is None or (before.length is not None and before.length <= after.length)
    return isinstance(before, sa.Integer) and isinstance(after, sa.BigInteger)


def _of_constraint(op: ops.AddConstraintOp, new: _New) -> str | None:
    constraint = op.to_constraint()
    table = str(getattr(op, "table_name", None) or getattr(op, "source_table", ""))
    words = [column.name for column in constraint.columns] if hasattr(constraint, "columns") else []
    words += [str(constraint.sqltext)] if isinstance(constraint, sa.CheckConstraint) else []
    return None if new.concerns(table, words) else f"{table}: {constraint.name} refuses what was allowed"

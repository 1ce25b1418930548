"""A migration only adds: the version before works on beside the new one, before, during and after its migration."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from app.storage import schema
from app.storage.schema import migrate
from tests.storage.expanding import contractions, recorded
from tests.storage.schema_walk import STEPS

AT_FIRST = "0001"
KNOWN = {
    "0012": {
        "a statement of its own: ['CREATE', 'TRIGGER', 'audit_is_not_changed', 'BEFORE']",
        "a statement of its own: ['CREATE', 'TRIGGER', 'audit_is_not_deleted', 'BEFORE']",
    },
}
"""What the rule does not allow and was looked at: the version before never changes entries of the audit trail, and what
it deletes stays in place without an error. No later migration comes in here: it waits for a release more."""


def column(name: str, *, nullable: bool = True, default: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Text(), nullable=nullable, server_default=default)


def unique(name: str, columns: list[str], **conditions: object) -> ops.CreateIndexOp:
    return ops.CreateIndexOp(name, "runs", columns, unique=True, **conditions)


@pytest.mark.parametrize(
    "operation",
    [
        ops.AddColumnOp("runs", column("colour", nullable=False)),
        ops.DropColumnOp("runs", "state"),
        ops.DropTableOp("runs"),
        ops.RenameTableOp("runs", "passes"),
        ops.AlterColumnOp("runs", "state", modify_name="condition"),
        ops.AlterColumnOp("runs", "state", modify_nullable=False),
        ops.AlterColumnOp("runs", "equal", modify_server_default=None),
        ops.AlterColumnOp("runs", "state", existing_type=sa.String(32), modify_type=sa.String(16)),
        ops.AlterColumnOp("runs", "queue", existing_type=sa.Text(), modify_type=sa.String(64)),
        ops.AlterColumnOp("runs", "total", existing_type=sa.BigInteger(), modify_type=sa.Integer()),
        ops.AlterColumnOp("runs", "total", existing_type=sa.BigInteger(), modify_type=sa.Text()),
        unique("uq_runs_day", ["as_of_date"]),
        unique("uq_runs_day", ["as_of_date"], sqlite_where=sa.text("state = 'waiting'")),
        ops.DropIndexOp("uq_runs_gathering", "runs"),
        ops.DropConstraintOp("fk_runs_connection_id", "runs", type_="foreignkey"),
        ops.CreateCheckConstraintOp("ck_runs_total", "runs", sa.text("total > 0")),
        ops.CreateUniqueConstraintOp("uq_runs_queue", "runs", ["queue"]),
        ops.CreateForeignKeyOp("fk_runs_total", "runs", "connections", ["total"], ["id"]),
        ops.ExecuteSQLOp("ALTER TABLE runs DROP COLUMN state"),
        ops.ExecuteSQLOp("DELETE FROM runs"),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_what_takes_something_from_the_version_before_is_told(operation: ops.MigrateOperation) -> None:
    assert len(contractions([operation])) == 1


def test_what_only_adds_passes() -> None:
    told = contractions(
        [
            ops.CreateTableOp("colours", [column("name", nullable=False)]),
            ops.CreateIndexOp("uq_colours_name", "colours", ["name"], unique=True),
            ops.AddColumnOp("runs", column("colour")),
            ops.AddColumnOp("runs", column("shade", nullable=False, default="")),
            unique("uq_runs_colour", ["connection_id", "colour"]),
            unique("uq_runs_day", ["as_of_date"], postgresql_where=sa.text("colour IS NOT NULL")),
            ops.CreateForeignKeyOp("fk_runs_colour", "runs", "colours", ["colour"], ["name"]),
            ops.CreateIndexOp("ix_runs_day", "runs", ["as_of_date"]),
            ops.DropIndexOp("ix_runs_state", "runs"),
            ops.AlterColumnOp("runs", "total", modify_nullable=True),
            ops.AlterColumnOp("runs", "state", existing_type=sa.String(16), modify_type=sa.String(32)),
            ops.AlterColumnOp("runs", "state", existing_type=sa.String(16), modify_type=sa.Text()),
            ops.AlterColumnOp("runs", "total", existing_type=sa.Integer(), modify_type=sa.BigInteger()),
            ops.ExecuteSQLOp("UPDATE runs SET colour = 'blue'"),
        ]
    )
    assert told == []


def test_every_migration_only_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'awase.db'}"
    found = {}
    for _, revision in STEPS:
        with recorded(monkeypatch) as operations:
            migrate(url, revision)
        assert operations, f"{revision} has done nothing that was seen"
        if told := contractions(operations):
            found[revision] = set(told)
    found.pop(AT_FIRST, None)
    assert found == KNOWN


def test_no_later_migration_makes_a_table_anew() -> None:
    """Alembic's batch mode drops a table of SQLite and makes it again: the rows that refer to it go with it."""
    folder = Path(schema.__file__).with_name("migrations") / "versions"
    found = [file.name for file in sorted(folder.glob("00*.py")) if "batch_alter_table" in file.read_text("utf-8")]
    assert [name for name in found if name > "0022"] == []

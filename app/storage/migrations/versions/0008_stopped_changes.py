"""Changes that wait for a person's decision, and what was written unasked within the last day."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "stopped_changes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("effects", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("stopped_at", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_stopped_changes_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stopped_changes")),
    )
    columns = ["connection_id", "direction", "source_id", "unit", "reason"]
    op.create_index("uq_stopped_changes", "stopped_changes", columns, unique=True)
    op.create_index("ix_stopped_changes_run", "stopped_changes", ["run_id"])
    op.create_table(
        "unasked_writes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_unasked_writes_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unasked_writes")),
    )
    op.create_index("uq_unasked_writes", "unasked_writes", ["item_id", "effect"], unique=True)
    op.create_index("ix_unasked_writes_at", "unasked_writes", ["connection_id", "effect", "at"])
    op.add_column("runs", sa.Column("stopped", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("runs", "stopped")
    op.drop_index("ix_unasked_writes_at", table_name="unasked_writes")
    op.drop_index("uq_unasked_writes", table_name="unasked_writes")
    op.drop_table("unasked_writes")
    op.drop_index("ix_stopped_changes_run", table_name="stopped_changes")
    op.drop_index("uq_stopped_changes", table_name="stopped_changes")
    op.drop_table("stopped_changes")

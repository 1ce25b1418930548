"""Which changes of a connection wait for a second person, and the runs that do."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "connections", sa.Column("two_persons", sa.String(length=32), nullable=False, server_default=sa.text("'off'"))
    )
    op.add_column("connections", sa.Column("two_persons_hours", sa.Integer(), nullable=True))
    op.add_column("connections", sa.Column("two_persons_off_by", sa.Text(), nullable=True))
    op.add_column("runs", sa.Column("first_by", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("runs", sa.Column("decide_until", Instant(), nullable=True))
    op.add_column("runs", sa.Column("alone_reason_enc", sa.Text(), nullable=True))
    waits = sa.text("decide_until IS NOT NULL AND finished_at IS NULL")
    op.create_index("ix_runs_second_person", "runs", ["decide_until"], sqlite_where=waits, postgresql_where=waits)


def downgrade() -> None:
    op.drop_index("ix_runs_second_person", table_name="runs")
    op.drop_column("runs", "alone_reason_enc")
    op.drop_column("runs", "decide_until")
    op.drop_column("runs", "first_by")
    op.drop_column("connections", "two_persons_off_by")
    op.drop_column("connections", "two_persons_hours")
    op.drop_column("connections", "two_persons")

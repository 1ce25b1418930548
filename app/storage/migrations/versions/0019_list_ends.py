"""Where the list of everybody ended, and marks by which a person is found among many without their data being kept.

Marks are keyed digests. Rows from before this version have none: they are found by the whole list, as before.
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "list_ends",
        sa.Column("connection_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ended", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("people", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name="fk_list_ends_connection_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "system", name="pk_list_ends"),
    )
    op.add_column("directory", sa.Column("number_mark", sa.Text(), nullable=True))
    op.create_index("ix_directory_number_mark", "directory", ["connection_id", "system", "number_mark"])
    for name in ("number_mark", "kana_mark", "born_mark"):
        op.add_column("known_people", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("born_mark", "kana_mark", "number_mark"):
        op.drop_column("known_people", name)
    op.drop_index("ix_directory_number_mark", table_name="directory")
    op.drop_column("directory", "number_mark")
    op.drop_table("list_ends")

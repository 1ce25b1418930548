"""Which keys are in use, and which process knows which of them."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "key_uses",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("use", sa.String(length=32), nullable=False),
        sa.Column("original", sa.Boolean(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_id", name="pk_key_uses"),
    )
    op.create_table(
        "processes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("known", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("using", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_processes"),
    )


def downgrade() -> None:
    op.drop_table("processes")
    op.drop_table("key_uses")

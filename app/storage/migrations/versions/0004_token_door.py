"""The door to freee's token endpoint, which freee limits per client from 2026-12-15."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "token_doors",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("passage", BIG, nullable=False),
        sa.Column("held_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_token_doors")),
    )


def downgrade() -> None:
    op.drop_table("token_doors")

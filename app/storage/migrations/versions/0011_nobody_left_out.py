"""How many people a comparison has left out and why, and how many differ by what only the target has changed."""

import sqlalchemy as sa
from alembic import op

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("runs", sa.Column("left_out", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("runs", sa.Column("only_target_changed", BIG, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("runs", "only_target_changed")
    op.drop_column("runs", "left_out")

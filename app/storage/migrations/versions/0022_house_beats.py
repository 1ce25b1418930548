"""The installation counts its beats in the database, so that a database put back to an earlier state is noticed."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0022"
down_revision: str | None = "0021"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    beats = sa.Column("beats", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, server_default="0")
    op.add_column("houses", beats)
    op.add_column("houses", sa.Column("beat_at", Instant(), nullable=True))


def downgrade() -> None:
    op.drop_column("houses", "beat_at")
    op.drop_column("houses", "beats")

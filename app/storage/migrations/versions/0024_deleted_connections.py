"""Connections that an administrator has deleted with their data: by whom, and when nothing of it was left."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0024"
down_revision: str | None = "0023"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("deleted_by", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("emptied_at", Instant(), nullable=True))


def downgrade() -> None:
    op.drop_column("connections", "emptied_at")
    op.drop_column("connections", "deleted_by")

"""What was sent to a target and has not been seen there since, per link: so that no write is repeated for ever."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("links", sa.Column("unsettled", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("links", "unsettled")

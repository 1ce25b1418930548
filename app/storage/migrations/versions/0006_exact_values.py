"""What stood at the target before a change, in the vendor's own form, and which held changes a person has ticked."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("field_changes", sa.Column("raw_enc", sa.Text(), nullable=True))
    op.add_column("items", sa.Column("ticked", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("items", "ticked")
    op.drop_column("field_changes", "raw_enc")

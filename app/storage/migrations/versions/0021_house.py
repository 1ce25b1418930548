"""To which installation the database belongs, and in the name of which house a process works.

The first process that starts after this migration claims the database for its own identity.
"""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "houses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("adopted_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_houses"),
    )
    op.add_column("processes", sa.Column("house", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("processes") as table:
        table.drop_column("house")
    op.drop_table("houses")

"""Keyed digests by which people are found by the beginning of their name or kana.

Rows from before this version have none: whoever is in them is found by number, until the system is listed the next
time.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("directory", sa.Column("name_digests", sa.LargeBinary(), nullable=True))
    op.add_column("directory", sa.Column("names_by", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("directory", "names_by")
    op.drop_column("directory", "name_digests")

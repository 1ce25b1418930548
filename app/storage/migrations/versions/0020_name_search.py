"""Keyed digests by which people are found by the beginning of their name or kana, and by which whoever is new is
compared with everybody of a large company.

Rows from before this version have none: whoever is in them is found by number, and a large company is listed, until the
system is listed the next time.
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
    for name in ("kana_mark", "born_mark"):
        op.add_column("directory", sa.Column(name, sa.Text(), nullable=True))
        op.create_index(f"ix_directory_{name}", "directory", ["connection_id", "system", name])


def downgrade() -> None:
    for name in ("born_mark", "kana_mark"):
        op.drop_index(f"ix_directory_{name}", table_name="directory")
        op.drop_column("directory", name)
    op.drop_column("directory", "names_by")
    op.drop_column("directory", "name_digests")

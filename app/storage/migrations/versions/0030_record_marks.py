"""By what a record of the directory is known to be as it was: a keyed digest of all that its row was made of.

Rows from before this version, and those that a process of the version before writes beside this one, have none: they
are made anew.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("directory", sa.Column("record_mark", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("directory", "record_mark")

"""By what a survey knows that there is nothing to do for a linked pair, as at an earlier survey of that direction.

Links from before this version have none, and a process of the version before leaves what is there: the mark names all
that it was made of, so that it says nothing of a pair that has changed since.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0031"
down_revision: str | None = "0030"
branch_labels: str | None = None
depends_on: str | None = None

COLUMNS = ("unchanged_to_freee", "unchanged_to_smarthr")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("links", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    for name in reversed(COLUMNS):
        op.drop_column("links", name)

"""How each planned value came about (encrypted), and which values are written again only because they belong to others.

Rows from before this version have no trace, and count as changed as they always did.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    for name in ("same", "as_it_is"):
        op.add_column("field_changes", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("field_changes", sa.Column("trace_enc", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("trace_enc", "as_it_is", "same"):
        op.drop_column("field_changes", name)

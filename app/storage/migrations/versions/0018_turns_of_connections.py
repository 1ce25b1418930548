"""Whose employees are handed to the broker next: connections take turns, with so many jobs each in hand at once."""

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None

IN_HAND = "pushed_at IS NOT NULL AND finished_at IS NULL"
TURNS = "sent_at IS NULL AND connection_id IS NOT NULL"
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("outbox", sa.Column("connection_id", BIG, nullable=True))
    op.execute(
        "UPDATE outbox SET connection_id = (SELECT items.connection_id FROM items WHERE items.id = outbox.ref_id)"
        " WHERE kind = 'item' AND sent_at IS NULL"
    )
    _partial("ix_outbox_turns", "outbox", ["queue", "connection_id", "due_at", "id"], TURNS)
    _partial("ix_items_in_hand", "items", ["connection_id", "queue"], IN_HAND)


def downgrade() -> None:
    op.drop_index("ix_items_in_hand", table_name="items")
    op.drop_index("ix_outbox_turns", table_name="outbox")
    op.drop_column("outbox", "connection_id")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

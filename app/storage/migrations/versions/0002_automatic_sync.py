"""Automatic sync: webhooks received and registered, gathering runs, employees in trouble, counters, notices by mail."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
UNSORTED = sa.text("state = 'received'")
GATHERING = sa.text("state = 'waiting' AND gather_until IS NOT NULL AND ends_as IS NULL")


def upgrade() -> None:
    _deliveries()
    _state_of_connections()
    op.add_column("runs", sa.Column("equal", BIG, nullable=False, server_default="0"))
    op.add_column("runs", sa.Column("gather_until", Instant(), nullable=True))
    op.add_column("runs", sa.Column("missed", JSON, nullable=True))
    op.create_index(
        "uq_runs_gathering",
        "runs",
        ["connection_id", "direction"],
        unique=True,
        sqlite_where=GATHERING,
        postgresql_where=GATHERING,
    )
    op.add_column("items", sa.Column("known", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("links", sa.Column("unlinked_why", sa.String(32), nullable=True))
    op.add_column("directory", sa.Column("schedule", JSON, nullable=True))
    op.add_column("directory", sa.Column("content", sa.Text(), nullable=True))
    with op.batch_alter_table("mails") as mails:  # SQLite cannot change a column in place
        mails.alter_column("run_id", existing_type=BIG, nullable=True)
        mails.add_column(sa.Column("connection_id", BIG, nullable=True))
        mails.add_column(sa.Column("occasion", sa.Text(), nullable=True))
        mails.create_foreign_key(
            op.f("fk_mails_connection_id"), "connections", ["connection_id"], ["id"], ondelete="CASCADE"
        )
        mails.create_unique_constraint(op.f("uq_mails_occasion"), ["occasion"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", BIG, nullable=False),
        sa.Column("system", sa.String(32), nullable=False),
        sa.Column("connection_id", BIG, nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("dedup", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("people", JSON, nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("triggered_at", Instant(), nullable=True),
        sa.Column("replayed_at", Instant(), nullable=True),
        sa.Column("replays", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_deliveries_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("dedup", name=op.f("uq_deliveries_dedup")),
    )
    op.create_index("ix_deliveries_seen", "deliveries", ["connection_id", "system", "received_at"])
    op.create_index("ix_deliveries_received", "deliveries", ["received_at"])
    op.create_index("ix_deliveries_unsorted", "deliveries", ["id"], sqlite_where=UNSORTED, postgresql_where=UNSORTED)
    op.create_table(
        "delivery_items",
        sa.Column("delivery_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_delivery_items_delivery_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_delivery_items_item_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("delivery_id", "item_id", name=op.f("pk_delivery_items")),
    )
    op.create_index("ix_delivery_items_item", "delivery_items", ["item_id"])


def _state_of_connections() -> None:
    op.create_table(
        "webhooks",
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("vendor_id", sa.Text(), nullable=True),
        sa.Column("secret_enc", sa.Text(), nullable=False),
        sa.Column("previous_enc", sa.Text(), nullable=True),
        sa.Column("previous_until", Instant(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("checked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_webhooks_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "troubles",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(32), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("times", BIG, nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("quarantined_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_troubles_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_troubles")),
    )
    op.create_index("uq_troubles_person", "troubles", ["connection_id", "direction", "source_id"], unique=True)
    op.create_table(
        "sweeps",
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_sweeps_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_sweeps")),
    )
    op.create_table(
        "tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name=op.f("pk_tallies")),
    )


def downgrade() -> None:
    """Notices that belong to no run cannot be kept."""
    op.execute("DELETE FROM mails WHERE run_id IS NULL")
    with op.batch_alter_table("mails") as mails:
        mails.drop_constraint(op.f("uq_mails_occasion"), type_="unique")
        mails.drop_constraint(op.f("fk_mails_connection_id"), type_="foreignkey")
        mails.drop_column("occasion")
        mails.drop_column("connection_id")
        mails.alter_column("run_id", existing_type=BIG, nullable=False)
    op.drop_column("directory", "content")
    op.drop_column("directory", "schedule")
    op.drop_column("links", "unlinked_why")
    op.drop_column("items", "known")
    op.drop_index("uq_runs_gathering", table_name="runs")
    for column in ("missed", "gather_until", "equal"):
        op.drop_column("runs", column)
    for table in ("tallies", "sweeps", "troubles", "webhooks", "delivery_items", "deliveries"):
        op.drop_table(table)

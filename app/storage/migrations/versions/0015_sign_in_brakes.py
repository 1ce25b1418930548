"""Brakes on guessing passwords, what a session tells of its browser, passwords that have to be changed, and what the
requests show that the settings do not know of."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "sign_in_brakes",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("wait_until", Instant(), nullable=True),
        sa.Column("forget_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_brakes"),
    )
    op.create_index("ix_sign_in_brakes_forget_at", "sign_in_brakes", ["forget_at"])
    op.create_table(
        "sightings",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sightings"),
    )
    op.add_column("users", sa.Column("password_good_until", Instant(), nullable=True))
    op.add_column("users", sa.Column("devices_known_by", BIG, nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("proved_at", Instant(), nullable=True))
    op.add_column("sessions", sa.Column("address", sa.String(64), nullable=False, server_default=""))
    op.add_column("sessions", sa.Column("agent", sa.String(300), nullable=False, server_default=""))


def downgrade() -> None:
    for column in ("agent", "address", "proved_at"):
        op.drop_column("sessions", column)
    for column in ("devices_known_by", "password_good_until"):
        op.drop_column("users", column)
    op.drop_table("sightings")
    op.drop_table("sign_in_brakes")

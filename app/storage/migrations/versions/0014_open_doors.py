"""Rows that prove that a webhook can be stored; which browser a consent at freee belongs to; mailed links work once."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "storing_proofs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("filler", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storing_proofs")),
    )
    op.create_table(
        "consent_links",
        sa.Column("link_hash", sa.Text(), nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("browser_hash", sa.Text(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_consent_links_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("link_hash", name=op.f("pk_consent_links")),
    )
    op.add_column("consents", sa.Column("browser_hash", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("link_hash", sa.Text(), nullable=True))
    op.add_column("setups", sa.Column("browser_hash", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("setups", "browser_hash")
    op.drop_column("consents", "link_hash")
    op.drop_column("consents", "browser_hash")
    op.drop_table("consent_links")
    op.drop_table("storing_proofs")

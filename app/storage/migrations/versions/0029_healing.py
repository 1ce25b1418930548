"""What an outcome that waits for a person has looked at, and of whose trouble a mail has told."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
OPEN = sa.text("healed_mail_id IS NULL")


def upgrade() -> None:
    op.add_column("attention", sa.Column("seen", JSON, nullable=True))
    op.add_column("attention", sa.Column("mended", JSON, nullable=True))
    op.create_table(
        "told",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("healed_mail_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_told_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_told")),
    )
    person = ["connection_id", "direction", "source_id"]
    op.create_index("uq_told_person", "told", person, unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_told_healed_mail", "told", ["healed_mail_id"])


def downgrade() -> None:
    op.drop_index("ix_told_healed_mail", table_name="told")
    op.drop_index("uq_told_person", table_name="told")
    op.drop_table("told")
    op.drop_column("attention", "mended")
    op.drop_column("attention", "seen")

"""Screens: sign-in sessions, invitations, the audit trail, who is chosen in a preview, names, counts of ended runs."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    _access()
    _audit()
    op.create_table(
        "rosters",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("people_enc", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_rosters_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_rosters")),
    )
    _setups()
    op.add_column("items", sa.Column("name_enc", sa.Text(), nullable=True))
    op.add_column("items", sa.Column("chosen", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("items", sa.Column("effects", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("surveyed_at", Instant(), nullable=True))
    op.add_column("runs", sa.Column("alarms", JSON, nullable=True))
    op.add_column("runs", sa.Column("counts", JSON, nullable=True))
    op.add_column("runs", sa.Column("undone_run_id", BIG, nullable=True))
    op.add_column("runs", sa.Column("acknowledged", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("runs", sa.Column("gate", sa.String(32), nullable=True))
    open_undo = sa.text("undone_run_id IS NOT NULL AND finished_at IS NULL")
    op.create_index(
        "uq_runs_open_undo",
        "runs",
        ["undone_run_id"],
        unique=True,
        sqlite_where=open_undo,
        postgresql_where=open_undo,
    )
    _choose_what_waits()
    op.create_index("ix_runs_connection_id_id", "runs", ["connection_id", "id"])
    _items_indexes()


def _choose_what_waits() -> None:
    """Previews from before there was a choice: everybody who waits is chosen."""
    runs = sa.table("runs", sa.column("id"), sa.column("state"))
    items = sa.table("items", sa.column("run_id"), sa.column("state"), sa.column("chosen", sa.Boolean()))
    previews = sa.select(runs.c.id).where(runs.c.state == "previewed")
    op.execute(items.update().where(items.c.state == "waiting", items.c.run_id.in_(previews)).values(chosen=True))


def _items_indexes() -> None:
    op.drop_index("ix_items_source", "items")
    op.create_index("ix_items_source", "items", ["connection_id", "source_id", "id"])
    op.create_index("ix_items_ended", "items", ["finished_at", "state", "error_code"])
    asking = sa.text("state = 'needs_review'")
    op.create_index("ix_items_asking", "items", ["connection_id", "id"], sqlite_where=asking, postgresql_where=asking)


def _access() -> None:
    op.add_column("users", sa.Column("locale", sa.String(8), nullable=False, server_default="ja"))
    op.add_column("users", sa.Column("password_changed_at", Instant(), nullable=True))
    op.add_column("users", sa.Column("last_sign_in_at", Instant(), nullable=True))
    op.create_table(
        "sessions",
        sa.Column("id", BIG, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "invitations",
        sa.Column("id", BIG, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("mail_enc", sa.Text(), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("invited_by", BIG, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_invitations_invited_by"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )


def _setups() -> None:
    op.create_table(
        "setups",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("connection_id", BIG, nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("smarthr_subdomain", sa.Text(), nullable=False),
        sa.Column("smarthr_token_enc", sa.Text(), nullable=False),
        sa.Column("seen", JSON, nullable=False),
        sa.Column("mail_to_enc", sa.Text(), nullable=False),
        sa.Column("state_hash", sa.Text(), nullable=True),
        sa.Column("verifier_enc", sa.Text(), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=True),
        sa.Column("consent_until", Instant(), nullable=True),
        sa.Column("freee_company_id", BIG, nullable=True),
        sa.Column("freee_company_name", sa.Text(), nullable=True),
        sa.Column("freee_external_cid", sa.Text(), nullable=True),
        sa.Column("freee_tokens_enc", sa.Text(), nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_setups_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_setups")),
        sa.UniqueConstraint("key", name=op.f("uq_setups_key")),
        sa.UniqueConstraint("state_hash", name=op.f("uq_setups_state_hash")),
    )
    op.create_index("ix_setups_connection_id", "setups", ["connection_id"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])


def downgrade() -> None:
    op.drop_index("uq_runs_open_undo", "runs")
    op.drop_index("ix_runs_connection_id_id", "runs")
    for name in ("ix_items_asking", "ix_items_ended", "ix_items_source"):
        op.drop_index(name, "items")
    op.create_index("ix_items_source", "items", ["connection_id", "source_id"])
    for table, column in (
        ("runs", "gate"),
        ("runs", "acknowledged"),
        ("items", "effects"),
        ("runs", "undone_run_id"),
        ("runs", "counts"),
        ("runs", "alarms"),
        ("runs", "surveyed_at"),
        ("items", "chosen"),
        ("items", "name_enc"),
    ):
        op.drop_column(table, column)
    for table in ("setups", "rosters", "audit", "invitations", "sessions"):
        op.drop_table(table)
    for column in ("last_sign_in_at", "password_changed_at", "locale"):
        op.drop_column("users", column)

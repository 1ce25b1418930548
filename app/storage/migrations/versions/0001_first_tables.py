"""The first tables: connections, runs, items, outbox, history, mail, access."""

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", BIG, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("last_used_at", Instant(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_table(
        "connections",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("smarthr_subdomain", sa.Text(), nullable=False),
        sa.Column("smarthr_token_enc", sa.Text(), nullable=False),
        sa.Column("freee_company_id", BIG, nullable=False),
        sa.Column("freee_external_cid", sa.Text(), nullable=True),
        sa.Column("freee_company_name", sa.Text(), nullable=True),
        sa.Column("freee_access_token_enc", sa.Text(), nullable=True),
        sa.Column("freee_refresh_token_enc", sa.Text(), nullable=True),
        sa.Column("freee_expires_at", Instant(), nullable=True),
        sa.Column("freee_refreshed_at", Instant(), nullable=True),
        sa.Column("freee_version", BIG, nullable=False),
        sa.Column("freee_claimed_until", Instant(), nullable=True),
        sa.Column("freee_refresh_state", sa.String(32), nullable=False),
        sa.Column("export_settings", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("options", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("learned", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("mail_to_enc", sa.Text(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("needs_consent", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
        sa.UniqueConstraint("key", name=op.f("uq_connections_key")),
    )
    op.create_table(
        "leader",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("lease_until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leader")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("ref_id", BIG, nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_index("ix_outbox_ref", "outbox", ["kind", "ref_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", BIG, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "consents",
        sa.Column("state_hash", sa.Text(), nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("verifier_enc", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_consents_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_consents")),
    )
    op.create_table(
        "directory",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("system", sa.String(32), nullable=False),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_directory_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory")),
    )
    op.create_index("ix_directory_number", "directory", ["connection_id", "system", "employee_number"], unique=False)
    op.create_index("uq_directory_person", "directory", ["connection_id", "system", "person_id"], unique=True)
    op.create_table(
        "links",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("smarthr_id", sa.Text(), nullable=False),
        sa.Column("freee_id", sa.Text(), nullable=False),
        sa.Column("baseline", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("unlinked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_links_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_links")),
    )
    op.create_index(
        "uq_links_freee_id",
        "links",
        ["connection_id", "freee_id"],
        unique=True,
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    )
    op.create_index(
        "uq_links_smarthr_id",
        "links",
        ["connection_id", "smarthr_id"],
        unique=True,
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    )
    op.create_table(
        "runs",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(32), nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("as_of_date", sa.Date(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("scope", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("ends_as", sa.String(32), nullable=True),
        sa.Column("total", BIG, nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("survey_attempt", BIG, nullable=False),
        sa.Column("survey_starts", BIG, nullable=False),
        sa.Column("survey_failures", BIG, nullable=False),
        sa.Column("survey_lease_until", Instant(), nullable=True),
        sa.Column("survey_next_at", Instant(), nullable=True),
        sa.Column("survey_pushed_at", Instant(), nullable=True),
        sa.Column("smarthr_calls", BIG, nullable=False),
        sa.Column("freee_calls", BIG, nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("retried_run_id", BIG, nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("deadline_at", Instant(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_runs_connection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["retried_run_id"], ["runs.id"], name=op.f("fk_runs_retried_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("public_id", name=op.f("uq_runs_public_id")),
    )
    op.create_index(op.f("ix_runs_connection_id"), "runs", ["connection_id"], unique=False)
    op.create_index(
        "ix_runs_open",
        "runs",
        ["state"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "history",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("result", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_history_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index("uq_history_run_kind", "history", ["run_id", "kind"], unique=True)
    op.create_table(
        "idempotency",
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_idempotency_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_hash", "owner", name=op.f("pk_idempotency")),
    )
    op.create_table(
        "items",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(32), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("holds_slot", sa.Boolean(), nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("starts", BIG, nullable=False),
        sa.Column("attempts_failed", BIG, nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("lease_by", sa.Text(), nullable=True),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("pushed_at", Instant(), nullable=True),
        sa.Column("closing_month", sa.Text(), nullable=True),
        sa.Column("pay_month", sa.Text(), nullable=True),
        sa.Column("approved_digest", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("detail_enc", sa.Text(), nullable=True),
        sa.Column("notes", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("candidates_enc", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_items_connection_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_items_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
    )
    op.create_index("ix_items_finished", "items", ["run_id", "finished_at"], unique=False)
    op.create_index(
        "ix_items_open",
        "items",
        ["state", "next_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_index("ix_items_run_state", "items", ["run_id", "state"], unique=False)
    op.create_index("ix_items_source", "items", ["connection_id", "source_id"], unique=False)
    op.create_index("uq_items_run_position", "items", ["run_id", "position"], unique=True)
    op.create_index(
        "uq_items_slot",
        "items",
        ["connection_id", "direction", "source_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('waiting', 'running') AND holds_slot"),
        postgresql_where=sa.text("state IN ('waiting', 'running') AND holds_slot"),
    )
    op.create_table(
        "mails",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("attempts", BIG, nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("next_at", Instant(), nullable=False),
        sa.Column("pushed_at", Instant(), nullable=True),
        sa.Column("to_enc", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body_enc", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_mails_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
    )
    op.create_index("uq_mails_run_kind", "mails", ["run_id", "kind"], unique=True)
    op.create_table(
        "survey_pages",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("system", sa.String(32), nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("rows_enc", sa.LargeBinary(), nullable=False),
        sa.Column("next_cursor", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_survey_pages_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_pages")),
    )
    op.create_index("uq_survey_pages", "survey_pages", ["run_id", "system", "seq"], unique=True)
    op.create_table(
        "field_changes",
        sa.Column("id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("before_enc", sa.Text(), nullable=True),
        sa.Column("after_enc", sa.Text(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("step", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_field_changes_item_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_field_changes")),
    )
    op.create_index("uq_field_changes_item_key", "field_changes", ["item_id", "key"], unique=True)
    op.create_table(
        "item_steps",
        sa.Column("id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=False),
        sa.Column("attempt", BIG, nullable=False),
        sa.Column("step", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("keys", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_item_steps_item_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_steps")),
    )
    op.create_index("ix_item_steps_item", "item_steps", ["item_id", "attempt"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_item_steps_item", table_name="item_steps")
    op.drop_table("item_steps")
    op.drop_index("uq_field_changes_item_key", table_name="field_changes")
    op.drop_table("field_changes")
    op.drop_index("uq_survey_pages", table_name="survey_pages")
    op.drop_table("survey_pages")
    op.drop_index("uq_mails_run_kind", table_name="mails")
    op.drop_table("mails")
    op.drop_index(
        "uq_items_slot",
        table_name="items",
        sqlite_where=sa.text("state IN ('waiting', 'running') AND holds_slot"),
        postgresql_where=sa.text("state IN ('waiting', 'running') AND holds_slot"),
    )
    op.drop_index("uq_items_run_position", table_name="items")
    op.drop_index("ix_items_source", table_name="items")
    op.drop_index("ix_items_run_state", table_name="items")
    op.drop_index(
        "ix_items_open",
        table_name="items",
        sqlite_where=sa.text("state IN ('waiting', 'running')"),
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.drop_index("ix_items_finished", table_name="items")
    op.drop_table("items")
    op.drop_table("idempotency")
    op.drop_index("uq_history_run_kind", table_name="history")
    op.drop_table("history")
    op.drop_index(
        "ix_runs_open",
        table_name="runs",
        postgresql_where=sa.text("finished_at IS NULL"),
        sqlite_where=sa.text("finished_at IS NULL"),
    )
    op.drop_index(op.f("ix_runs_connection_id"), table_name="runs")
    op.drop_table("runs")
    op.drop_index(
        "uq_links_smarthr_id",
        table_name="links",
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    )
    op.drop_index(
        "uq_links_freee_id",
        table_name="links",
        sqlite_where=sa.text("unlinked_at IS NULL"),
        postgresql_where=sa.text("unlinked_at IS NULL"),
    )
    op.drop_table("links")
    op.drop_index("uq_directory_person", table_name="directory")
    op.drop_index("ix_directory_number", table_name="directory")
    op.drop_table("directory")
    op.drop_table("consents")
    op.drop_table("users")
    op.drop_index("ix_outbox_ref", table_name="outbox")
    op.drop_index(
        "ix_outbox_due",
        table_name="outbox",
        sqlite_where=sa.text("sent_at IS NULL"),
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.drop_table("outbox")
    op.drop_table("leader")
    op.drop_table("connections")
    op.drop_table("api_keys")

"""The audit trail becomes a chain: from where, position, digest, seal; its head; the database refuses changes to it.
API keys say who made them and from where they were used last.

The entries of before are linked here, in the order of their ids. The version before may go on beside this one: its rows
come without position and digest and are linked with the next entry, and its deletion of failed sign-ins after 90 days
deletes nothing any more instead of failing.
"""

import sqlalchemy as sa
from alembic import op

from app.domain.access.audit_chain import GENESIS, digest_of, plain
from app.storage.tables.columns import Instant

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AUDIT = sa.table(
    "audit",
    *(sa.column(name, BIG) for name in ("id", "position")),
    sa.column("at", Instant()),
    *(sa.column(name, sa.Text()) for name in ("actor", "action", "subject", "door", "address", "digest")),
    *(sa.column(name, sa.JSON(none_as_null=True)) for name in ("detail", "via")),
)
HEAD = sa.table(
    "audit_head",
    *(sa.column(name, sa.Text()) for name in ("name", "digest", "purged_digest")),
    *(sa.column(name, BIG) for name in ("position", "purged")),
)
CONTENT = ("at", "actor", "action", "subject", "detail", "door", "address", "via")
PORTION = 1000

SQLITE = (
    """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
       WHEN OLD.digest IS NOT NULL OR NEW.digest IS NULL OR NEW.id IS NOT OLD.id OR """
    + " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in CONTENT)
    + """ BEGIN SELECT RAISE(ABORT, 'entries of the audit trail are not changed'); END""",
    """CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
       WHEN coalesce(OLD.position, 9223372036854775807) > coalesce((SELECT max(purged) FROM audit_head), 0)
       BEGIN
         SELECT CASE WHEN OLD.action = 'sign_in_failed' AND OLD.at < datetime('now', '-80 days')
           THEN RAISE(IGNORE) ELSE RAISE(ABORT, 'entries of the audit trail are not deleted') END;
       END""",
)
POSTGRESQL = (
    """CREATE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF TG_OP = 'TRUNCATE' THEN
           RAISE EXCEPTION 'entries of the audit trail are not deleted';
         ELSIF TG_OP = 'UPDATE' THEN
           IF OLD.digest IS NOT NULL OR NEW.digest IS NULL OR NEW.id <> OLD.id OR $CONTENT THEN
             RAISE EXCEPTION 'entries of the audit trail are not changed';
           END IF;
           RETURN NEW;
         END IF;
         IF coalesce(OLD.position, 9223372036854775807) <= coalesce((SELECT max(purged) FROM audit_head), 0) THEN
           RETURN OLD;
         ELSIF OLD.action = 'sign_in_failed' AND OLD.at < now() - interval '80 days' THEN
           RETURN NULL;
         END IF;
         RAISE EXCEPTION 'entries of the audit trail are not deleted';
       END $$""".replace(
        "$CONTENT", " OR ".join(f'NEW."{name}"::text IS DISTINCT FROM OLD."{name}"::text' for name in CONTENT)
    ),
    """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit
       FOR EACH ROW EXECUTE FUNCTION audit_is_not_changed()""",
    """CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
       FOR EACH STATEMENT EXECUTE FUNCTION audit_is_not_changed()""",
)


def upgrade() -> None:
    for name in ("door", "address"):
        op.add_column("audit", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("audit", sa.Column("via", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("audit", sa.Column("position", BIG, nullable=True))
    for name in ("digest", "seal"):
        op.add_column("audit", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", BIG, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=True),
        sa.Column("key_enc", sa.Text(), nullable=True),
        sa.Column("purged", BIG, nullable=False),
        sa.Column("purged_digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_audit_head")),
    )
    for name in ("made_by", "last_used_from"):
        op.add_column("api_keys", sa.Column(name, sa.Text(), nullable=True))
    _link_the_entries()
    op.create_index("ix_audit_action", "audit", ["action", "at"])
    op.create_index("uq_audit_position", "audit", ["position"], unique=True)
    for statement in POSTGRESQL if _on_postgresql() else SQLITE:
        op.execute(statement)


def downgrade() -> None:
    if _on_postgresql():
        op.execute("DROP TRIGGER audit_is_not_emptied ON audit")
        op.execute("DROP TRIGGER audit_is_not_changed ON audit")
        op.execute("DROP FUNCTION audit_is_not_changed()")
    else:
        op.execute("DROP TRIGGER audit_is_not_deleted")
        op.execute("DROP TRIGGER audit_is_not_changed")
    for name in ("last_used_from", "made_by"):
        op.drop_column("api_keys", name)
    op.drop_index("uq_audit_position", table_name="audit")
    op.drop_index("ix_audit_action", table_name="audit")
    op.drop_table("audit_head")
    for name in ("seal", "digest", "position", "via", "address", "door"):
        op.drop_column("audit", name)


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _link_the_entries() -> None:
    """They have no seal, because a migration knows no key. The seal of the next entry covers them."""
    bind, position, digest, last = op.get_bind(), 0, GENESIS, 0
    while True:
        query = sa.select(AUDIT).where(AUDIT.c.id > last).order_by(AUDIT.c.id).limit(PORTION)
        rows = bind.execute(query).mappings().all()
        for row in rows:
            position, last = position + 1, row["id"]
            digest = digest_of(plain(position=position, **{name: row[name] for name in CONTENT}), digest)
            link = sa.update(AUDIT).where(AUDIT.c.id == last).values(position=position, digest=digest)
            bind.execute(link)
        if len(rows) < PORTION:
            break
    if position:
        first = {"name": "audit", "purged": 0, "purged_digest": GENESIS}
        bind.execute(sa.insert(HEAD).values(position=position, digest=digest, **first))

"""Automatic sync begins with a preview, and what was not chosen then rests.

Connections that are automatic already go on. Only where the sync goes one way and a policy names its source, Awase now
mends what was changed at the target; the differences that exist are shown before anything is written.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
CONNECTIONS = sa.table(
    "connections", sa.column("id", BIG), sa.column("options", JSON), sa.column("removed_at", Instant())
)
BEGINNINGS = sa.table(
    "beginnings",
    sa.column("connection_id", BIG),
    sa.column("direction", sa.String(32)),
    sa.column("reason", sa.String(32)),
    sa.column("since", Instant()),
    sa.column("changed_at", Instant()),
)
SOURCE_WINS = {"smarthr_to_freee": "smarthr_wins", "freee_to_smarthr": "freee_wins"}
"""Direction → the policy that names its source."""


def upgrade() -> None:
    op.create_table(
        "beginnings",
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_beginnings_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "direction", name=op.f("pk_beginnings")),
    )
    op.create_table(
        "declined",
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_declined_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("connection_id", "direction", "source_id", name=op.f("pk_declined")),
    )
    _mark_those_that_mend_from_now_on()


def downgrade() -> None:
    op.drop_table("declined")
    op.drop_table("beginnings")


def _mark_those_that_mend_from_now_on() -> None:
    database, now = op.get_bind(), datetime.now(UTC)
    live = sa.select(CONNECTIONS.c.id, CONNECTIONS.c.options).where(CONNECTIONS.c.removed_at.is_(None))
    marks = [
        {"connection_id": found, "direction": way, "reason": "upgrade", "since": now, "changed_at": now}
        for found, options in database.execute(live).all()
        if isinstance(options, dict) and (way := options.get("automatic")) in SOURCE_WINS
        if SOURCE_WINS[way] in _policies(options)
    ]
    if marks:
        database.execute(sa.insert(BEGINNINGS), marks)


def _policies(options: dict[str, object]) -> list[object]:
    single = options.get("conflict_policies")
    return [options.get("conflict_policy"), *(single.values() if isinstance(single, dict) else ())]

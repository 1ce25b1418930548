"""Who waits for somebody's action, as a state of people; filled with the newest outcome of each person.

Of a preview that nobody has approved no outcome counts. A person without an item in a later comparison was found equal,
unless the comparison left them alone because of a trouble.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
WORD = sa.String(length=32)
PORTION = 500

ATTENTION = sa.table(
    "attention",
    *(sa.column(name, BIG) for name in ("connection_id", "run_id", "item_id")),
    *(sa.column(name, WORD) for name in ("direction", "state", "trigger")),
    *(sa.column(name, sa.Text()) for name in ("source_id", "target_id", "employee_number", "name_enc")),
    *(sa.column(name, sa.Text()) for name in ("code", "cause")),
    sa.column("item_keys", JSON),
    sa.column("since", Instant()),
    sa.column("at", Instant()),
)
ITEMS = sa.table(
    "items",
    *(sa.column(name, BIG) for name in ("id", "run_id", "connection_id")),
    *(sa.column(name, WORD) for name in ("direction", "state")),
    *(sa.column(name, sa.Text()) for name in ("source_id", "target_id", "employee_number", "name_enc", "error_code")),
    sa.column("notes", JSON),
    sa.column("finished_at", Instant()),
)
RUNS = sa.table(
    "runs",
    *(sa.column(name, BIG) for name in ("id", "connection_id", "undone_run_id")),
    *(sa.column(name, WORD) for name in ("direction", "trigger", "state")),
    sa.column("dry_run", sa.Boolean()),
    *(sa.column(name, Instant()) for name in ("approved_at", "surveyed_at")),
)
TROUBLES = sa.table("troubles", sa.column("connection_id", BIG), sa.column("direction"), sa.column("source_id"))
LINKS = sa.table(
    "links",
    sa.column("connection_id", BIG),
    *(sa.column(name) for name in ("smarthr_id", "freee_id")),
    sa.column("unlinked_at", Instant()),
)
DECIDED = (
    *("waits_for_decision", "change_declined", "other_way_waits", "waits_for_second_person"),
    *("creation_declined", "second_person_declined", "second_person_expired"),
)
QUESTIONS = (
    *("E7", "E8", "hidden_person", "link_ambiguous", "linked_elsewhere", "number_swapped", "rehired"),
    "relink_offered",
)


def upgrade() -> None:
    op.create_table(
        "attention",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("direction", WORD, nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=True),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("name_enc", sa.Text(), nullable=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("item_keys", JSON, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("trigger", WORD, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("item_id", BIG, nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("waived_until", sa.Date(), nullable=True),
        sa.Column("waived_at", Instant(), nullable=True),
        sa.Column("waived_by", sa.Text(), nullable=True),
        sa.Column("waived_reason_enc", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name=op.f("fk_attention_connection_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attention")),
    )
    op.create_index("uq_attention_person", "attention", ["connection_id", "direction", "source_id"], unique=True)
    op.create_index("ix_attention_target", "attention", ["connection_id", "target_id"])
    op.create_index("ix_attention_code", "attention", ["connection_id", "code", "id"])
    _fill()


def downgrade() -> None:
    op.drop_index("ix_attention_code", table_name="attention")
    op.drop_index("ix_attention_target", table_name="attention")
    op.drop_index("uq_attention_person", table_name="attention")
    op.drop_table("attention")


def _fill() -> None:
    """The newest outcome of each person, where it waits for a person."""
    database = op.get_bind()
    item, run = ITEMS.c, RUNS.c
    newest = (
        sa.select(sa.func.max(item.id))
        .join_from(ITEMS, RUNS, run.id == item.run_id)
        .where(
            item.finished_at.is_not(None),
            item.state != "cancelled",
            item.source_id.is_not(None),
            sa.or_(sa.not_(run.dry_run), run.approved_at.is_not(None)),
            run.trigger != "held",
        )
        .group_by(item.connection_id, item.direction, item.source_id)
    )
    bad = sa.or_(
        item.state.in_(["failed", "needs_review", "conflict"]),
        sa.and_(item.state == "unchanged", item.error_code == "only_target_changed"),
    )
    compared = _last_comparisons(database)
    after = 0
    query = (
        sa.select(*item, run.trigger)
        .join_from(ITEMS, RUNS, run.id == item.run_id)
        .where(item.id.in_(newest), bad, sa.or_(item.error_code.is_(None), item.error_code.not_in(DECIDED)))
        .where(~sa.and_(item.error_code.in_(QUESTIONS), _linked()))
        .order_by(item.id)
        .limit(PORTION)
    )
    while rows := database.execute(query.where(item.id > after)).all():
        after = rows[-1].id
        waiting = [row for row in rows if not _was_found_equal(database, row, compared)]
        if waiting:
            op.bulk_insert(ATTENTION, [_entry(row) for row in waiting])


def _linked() -> sa.ColumnElement[bool]:
    """The person of the item is linked by now."""
    side = sa.case((ITEMS.c.direction == "smarthr_to_freee", LINKS.c.smarthr_id), else_=LINKS.c.freee_id)
    mine = (LINKS.c.connection_id == ITEMS.c.connection_id, LINKS.c.unlinked_at.is_(None))
    return sa.exists().where(*mine, side == ITEMS.c.source_id)


def _last_comparisons(database: Any) -> dict[tuple[int, str], Any]:
    """(connection, direction) → when both sides were last compared as a whole."""
    run = RUNS.c
    query = (
        sa.select(run.connection_id, run.direction, sa.func.max(run.surveyed_at).label("at"))
        .where(run.trigger == "schedule", sa.not_(run.dry_run), run.surveyed_at.is_not(None), run.state != "cancelled")
        .group_by(run.connection_id, run.direction)
    )
    return {(row.connection_id, row.direction): row.at for row in database.execute(query)}


def _was_found_equal(database: Any, row: Any, compared: dict[tuple[int, str], Any]) -> bool:
    last = compared.get((row.connection_id, row.direction))
    if last is None or last <= row.finished_at:
        return False
    trouble = TROUBLES.c
    mine = (trouble.connection_id == row.connection_id, trouble.direction == row.direction)
    left_alone = sa.select(trouble.source_id).where(*mine, trouble.source_id == row.source_id)
    return database.execute(left_alone).first() is None


def _entry(row: Any) -> dict[str, Any]:
    notes = [note for note in row.notes or [] if note.get("severity") in ("stop", "review") or row.state == "unchanged"]
    keys = sorted({note["key"] for note in notes if note.get("key")})
    code = row.error_code or "unexpected"
    return {
        "connection_id": row.connection_id,
        "direction": row.direction,
        "source_id": row.source_id,
        "target_id": row.target_id,
        "employee_number": row.employee_number,
        "name_enc": row.name_enc,
        "state": row.state,
        "code": code,
        "item_keys": keys,
        "cause": " ".join([code, *keys]),
        "trigger": row.trigger,
        "run_id": row.run_id,
        "item_id": row.id,
        "since": row.finished_at,
        "at": row.finished_at,
    }

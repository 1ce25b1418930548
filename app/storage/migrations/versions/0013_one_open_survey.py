"""Nobody has two previews, or two repetitions, surveyed at once, and a run is repeated once.

Both rules count only runs that say how they were asked for. Those of an older version, which may still run on this
database, do not; so no run that is there, or that it adds, can break a rule.
"""

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | None = None
depends_on: str | None = None

OPEN_SURVEY = "asked_as IS NOT NULL AND state IN ('waiting', 'surveying') AND ends_as IS NULL"
RETRY = (
    "asked_as IS NOT NULL AND retried_run_id IS NOT NULL"
    " AND (ends_as IS NULL OR ends_as <> 'cancelled') AND state <> 'cancelled'"
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("asked_as", sa.Text(), nullable=True))
    _unique("uq_runs_open_survey", ["connection_id", "direction", "asked_as"], OPEN_SURVEY)
    _unique("uq_runs_retry", ["retried_run_id"], RETRY)
    op.create_index("ix_idempotency_owner", "idempotency", ["owner", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_idempotency_owner", table_name="idempotency")
    op.drop_index("uq_runs_retry", table_name="runs")
    op.drop_index("uq_runs_open_survey", table_name="runs")
    op.drop_column("runs", "asked_as")


def _unique(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "runs", columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))

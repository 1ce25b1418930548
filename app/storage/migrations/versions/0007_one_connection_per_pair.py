"""One connection per tenant and company, and who the people are whom a list does not show."""

from collections import defaultdict

import sqlalchemy as sa
from alembic import op

from app.storage.tables.columns import Instant

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CONNECTIONS = sa.table(
    "connections",
    sa.column("id", BIG),
    sa.column("smarthr_subdomain", sa.Text()),
    sa.column("freee_company_id", BIG),
    sa.column("pair_key", sa.Text()),
    sa.column("paused", sa.Boolean()),
)
LINKS = sa.table("links", sa.column("connection_id", BIG), sa.column("unlinked_at", Instant()))


def upgrade() -> None:
    op.create_table(
        "known_people",
        sa.Column("id", BIG, nullable=False),
        sa.Column("connection_id", BIG, nullable=False),
        sa.Column("system", sa.String(length=32), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("employee_number", sa.Text(), nullable=False),
        sa.Column("listed", sa.Text(), nullable=False),
        sa.Column("identity_enc", sa.Text(), nullable=True),
        sa.Column("read_at", Instant(), nullable=False),
        sa.Column("made_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name=op.f("fk_known_people_connection_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_people")),
    )
    op.create_index("uq_known_people_person", "known_people", ["system", "tenant", "person_id"], unique=True)
    op.add_column("connections", sa.Column("removed_at", Instant(), nullable=True))
    op.add_column("connections", sa.Column("pair_key", sa.Text(), nullable=True))
    _name_the_pairs()
    op.create_index("uq_connections_pair", "connections", ["pair_key"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_connections_pair", table_name="connections")
    op.drop_column("connections", "pair_key")
    op.drop_column("connections", "removed_at")
    op.drop_index("uq_known_people_person", table_name="known_people")
    op.drop_table("known_people")


def _name_the_pairs() -> None:
    """Give each pair to the connection with the most links, else the oldest. The others of the pair are duplicates:
    they stay without a key, and paused."""
    database = op.get_bind()
    live = sa.select(LINKS.c.connection_id, sa.func.count()).where(LINKS.c.unlinked_at.is_(None))
    links = {row[0]: row[1] for row in database.execute(live.group_by(LINKS.c.connection_id))}
    pairs: dict[str, list[int]] = defaultdict(list)
    columns = (CONNECTIONS.c.id, CONNECTIONS.c.smarthr_subdomain, CONNECTIONS.c.freee_company_id)
    for found, subdomain, company in database.execute(sa.select(*columns).order_by(CONNECTIONS.c.id)):
        pairs[f"{subdomain.strip().lower()} {company}"].append(found)
    for pair, found_ids in pairs.items():
        kept = max(found_ids, key=lambda each: (links.get(each, 0), -each))
        database.execute(sa.update(CONNECTIONS).where(CONNECTIONS.c.id == kept).values(pair_key=pair))
        doubled = [each for each in found_ids if each != kept]
        if doubled:
            database.execute(sa.update(CONNECTIONS).where(CONNECTIONS.c.id.in_(doubled)).values(paused=True))

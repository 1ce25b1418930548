"""Mails in the language of who reads them: which recipients read English, and what leaves in each language."""

import sqlalchemy as sa
from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("mail_english_enc", sa.Text(), nullable=True))
    op.add_column("mails", sa.Column("letters_enc", sa.Text(), nullable=True))
    op.add_column("mails", sa.Column("letters_taken", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    op.drop_column("mails", "letters_taken")
    op.drop_column("mails", "letters_enc")
    op.drop_column("connections", "mail_english_enc")

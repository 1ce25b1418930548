"""Tables by which the service looks after itself."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables.base import Base


class StoringProofTable(Base):
    """A few rows that prove, each by being there, that a webhook could have been stored a moment ago."""

    __tablename__ = "storing_proofs"

    id: Mapped[int] = mapped_column(primary_key=True)
    filler: Mapped[bytes]

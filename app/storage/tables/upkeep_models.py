"""Tables by which the service looks after itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.storage.tables.base import Base


class StoringProofTable(Base):
    """A few rows that prove, each by being there, that a webhook could have been stored a moment ago."""

    __tablename__ = "storing_proofs"

    id: Mapped[int] = mapped_column(primary_key=True)
    filler: Mapped[bytes]


class HouseTable(Base):
    """To which installation this database belongs: one row. `digest`: of its identity (`safety.identity`).
    `adopted_at`: when a person last took the database over for another identity; None where nobody ever has. `beats`:
    counted about every half minute in which somebody lives here, last at `beat_at`."""

    __tablename__ = "houses"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str]
    since: Mapped[datetime]
    adopted_at: Mapped[datetime | None]
    beats: Mapped[int] = mapped_column(server_default="0")
    beat_at: Mapped[datetime | None]

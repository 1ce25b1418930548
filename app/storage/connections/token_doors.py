"""The door to freee's token endpoint, one row per client id, so that all processes of the installation see one door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.domain.vendors.token_door import Door, Pace
from app.domain.vendors.tokens import Passage
from app.storage.repository import Repository
from app.storage.tables.models import TokenDoorTable

PASSAGE_SECONDS = 90.0
"""Longer than the slowest request (connect 3 s, whole answer 60 s): after that the passage's holder counts as dead."""


class TokenDoorRepository(Repository):
    """`uow.token_doors`."""

    def look(self, client_id: str) -> Door:
        """What is known of the endpoint; takes no passage."""
        record = self._session.get(TokenDoorTable, client_id, populate_existing=True)
        return Door() if record is None else _door(record.state)

    def enter(self, client_id: str, *, now: datetime) -> Passage | float:
        """As `ports.TokenDoor.enter`."""
        record = self._locked(client_id)
        if record.held_until is not None and record.held_until > now:
            return 0.0
        wait = _door(record.state).opens_in(now)
        if wait > 0:
            return wait
        record.passage += 1
        record.held_until = now + timedelta(seconds=PASSAGE_SECONDS)
        self._session.flush()
        return Passage(record.passage)

    def leave(self, client_id: str, passage: Passage, outcome: Callable[[Door], Door] | None = None) -> Door:
        """End the passage and return the door as it is now; `outcome` makes the new door of the old one. A holder that
        was thought dead changes nothing."""
        record = self._locked(client_id)
        door = _door(record.state)
        if record.passage != passage.number:
            return door
        record.held_until = None
        if outcome is not None:
            door = outcome(door)
            record.state = _stored(door)
        self._session.flush()
        return door

    def _locked(self, client_id: str) -> TokenDoorTable:
        """The row of this client, locked until the transaction ends; the first caller makes it."""
        new = self._dialect.insert(TokenDoorTable).values(client_id=client_id, state=_stored(Door()), passage=0)
        self._session.execute(new.on_conflict_do_nothing())
        mine = select(TokenDoorTable).where(TokenDoorTable.client_id == client_id).with_for_update()
        return self._session.scalars(mine.execution_options(populate_existing=True)).one()


def _stored(door: Door) -> dict[str, Any]:
    """The door as one small JSON object, its moments as epoch seconds."""
    return {
        "refusals": door.refusals,
        "closed_until": door.closed_until.timestamp() if door.closed_until else None,
        "heard": [moment.timestamp() for moment in door.heard],
        "pace": [door.pace.permits, door.pace.seconds, door.pace.until.timestamp()] if door.pace else None,
    }


def _door(stored: Mapping[str, Any]) -> Door:
    closed, pace = stored["closed_until"], stored["pace"]
    return Door(
        refusals=stored["refusals"],
        closed_until=_moment(closed) if closed is not None else None,
        heard=tuple(map(_moment, stored["heard"])),
        pace=Pace(pace[0], pace[1], _moment(pace[2])) if pace else None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

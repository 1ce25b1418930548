"""TokenStore and TokenDoor on the database: every method is one short transaction."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from app.domain.errors import RunError
from app.domain.ports import Clock
from app.domain.vendors.token_door import Door, after_answer, after_refusal
from app.domain.vendors.tokens import FreeeTokens, Passage
from app.storage.enums import RefreshState
from app.storage.metrics.counters import labels
from app.storage.unit_of_work import UnitOfWork

REFUSALS = "freee_token_refusals"
"""The tally of requests that freee's token endpoint refused to hear, by status."""
_LIMITED = 429


class DatabaseTokenStore:
    """Implements `ports.TokenStore`; every change is a compare-and-set on the version."""

    def __init__(self, unit_of_work: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    def smarthr_token(self, connection_id: int) -> str:
        with self._unit_of_work().reading() as uow:
            return uow.connections.smarthr_token(connection_id)

    def freee_tokens(self, connection_id: int) -> FreeeTokens:
        """The pair of the connection. Raises RunError("needs_consent", needs_consent) until a person has authorised."""
        with self._unit_of_work().reading() as uow:
            tokens = uow.connections.freee_tokens(connection_id)
        if tokens is None:
            raise RunError("needs_consent", "freee has not been authorised", needs_consent=True)
        return tokens

    def claim_refresh(self, connection_id: int, *, version: int, seconds: float) -> bool:
        now = self._clock.now()
        until = now + timedelta(seconds=seconds)
        with self._unit_of_work() as uow:
            return uow.connections.claim_refresh(connection_id, version=version, now=now, until=until)

    def store_refreshed(self, connection_id: int, tokens: FreeeTokens, *, version: int) -> bool:
        with self._unit_of_work() as uow:
            return uow.connections.store_refreshed(connection_id, tokens, version=version, now=self._clock.now())

    def refresh_not_done(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.settle_refresh(connection_id, version=version, was=RefreshState.SENDING)

    def refresh_refused(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.release_refresh(connection_id, version=version)

    def old_token_works(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.settle_refresh(connection_id, version=version, was=RefreshState.UNKNOWN)

    def mark_refresh_unknown(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.mark_refresh(connection_id, RefreshState.UNKNOWN, version=version)

    def mark_needs_consent(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.mark_refresh(connection_id, RefreshState.NEEDS_CONSENT, version=version)


class DatabaseTokenDoor:
    """Implements `ports.TokenDoor`."""

    def __init__(
        self,
        unit_of_work: Callable[[], UnitOfWork],
        clock: Clock,
        client_id: str,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._client_id = client_id
        self._chance = chance

    def opens_in(self) -> float:
        with self._unit_of_work().reading() as uow:
            return uow.token_doors.look(self._client_id).opens_in(self._clock.now())

    def enter(self) -> Passage | float:
        with self._unit_of_work() as uow:
            return uow.token_doors.enter(self._client_id, now=self._clock.now())

    def heard(self, passage: Passage) -> None:
        now = self._clock.now()
        with self._unit_of_work() as uow:
            uow.token_doors.leave(self._client_id, passage, lambda door: after_answer(door, now))

    def refused(self, passage: Passage, *, status: int, retry_after: float | None) -> float:
        now, chance = self._clock.now(), self._chance()

        def closed(door: Door) -> Door:
            return after_refusal(door, now, retry_after=retry_after, limited=status == _LIMITED, chance=chance)

        with self._unit_of_work() as uow:
            uow.counters.add({(REFUSALS, labels(status=str(status))): 1})
            return uow.token_doors.leave(self._client_id, passage, closed).opens_in(now)

    def left(self, passage: Passage) -> None:
        with self._unit_of_work() as uow:
            uow.token_doors.leave(self._client_id, passage)

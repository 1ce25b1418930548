"""TokenStore on the database: every method is one short transaction, every change a compare-and-set on the version."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from app.domain.errors import RunError
from app.domain.ports import Clock, FreeeTokens
from app.storage.unit_of_work import UnitOfWork
from app.storage.words import RefreshState


class DatabaseTokenStore:
    """Implements `ports.TokenStore`."""

    def __init__(self, unit_of_work: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._unit_of_work = unit_of_work
        self._clock = clock

    def smarthr_token(self, connection_id: int) -> str:
        with self._unit_of_work().reading() as uow:
            return uow.connections.smarthr_token(connection_id)

    def freee_tokens(self, connection_id: int) -> FreeeTokens:
        """Raises RunError("needs_consent", needs_consent) while nobody has authorised."""
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

    def old_token_works(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.settle_refresh(connection_id, version=version, was=RefreshState.UNKNOWN)

    def mark_refresh_unknown(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.mark_refresh(connection_id, RefreshState.UNKNOWN, version=version)

    def mark_needs_consent(self, connection_id: int, *, version: int) -> None:
        with self._unit_of_work() as uow:
            uow.connections.mark_refresh(connection_id, RefreshState.NEEDS_CONSENT, version=version)

"""A connection's tokens as its row holds them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from app.domain.vendors.tokens import FreeeTokens
from app.storage.enums import RefreshState
from app.storage.vault import Vault


class SealedTokens:
    """Implements `TokensAtHand`: each is opened when it is asked for. Raises VaultError at that moment."""

    def __init__(self, vault: Vault, record: Row[Any]) -> None:
        self._vault, self._record = vault, record

    def smarthr_token(self) -> str:
        return self._vault.decrypt(self._record.smarthr_token_enc)

    def freee_tokens(self) -> FreeeTokens | None:
        record = self._record
        access, refresh = record.freee_access_token_enc, record.freee_refresh_token_enc
        if access is None or refresh is None or record.freee_expires_at is None:
            return None
        return FreeeTokens(
            access_token=self._vault.decrypt(access),
            refresh_token=self._vault.decrypt(refresh),
            expires_at=record.freee_expires_at,
            version=record.freee_version,
            refresh_unknown=record.freee_refresh_state is RefreshState.UNKNOWN,
            issued_at=record.freee_refreshed_at,
        )

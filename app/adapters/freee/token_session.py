"""The tokens of one connection in use: one renewal at a time over all workers, the new pair stored before its use.

A refresh token works once, and a refresh kills the access token before it. So a worker claims a refresh by
compare-and-set in the database (`TokenStore`) and sends it exactly once. A refresh whose answer was lost is marked and
never repeated blindly: while the old access token works, freee has not carried the refresh out and the refresh token is
not spent; when the old access token is dead, only a new authorisation helps.

freee limits the token endpoint per client, which is the whole installation. So every request to it goes through one
door (`TokenDoor`), one at a time; a refusal closes the door for all connections. The cron process renews pairs early
(`use_cases.upkeep.token_keeping`); a job renews one itself only in the last part of its life, and uses the old access
token while that lives rather than wait.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NoReturn

from app.adapters.answers import NOT_THE_VENDOR
from app.adapters.freee.oauth import WAIT_SECONDS, FreeeOAuth, InvalidGrant, NotHeard, door_closed, through
from app.adapters.http import bearer
from app.domain.errors import RunError, TemporaryError
from app.domain.ports import Clock
from app.domain.vendors.token_door import reserve_of
from app.domain.vendors.tokens import FreeeTokens, Passage, TokenDoor, TokenStore

CLAIM_SECONDS = 90.0
"""Longer than the slowest refresh (connect 3 s, whole answer 60 s), so that no second refresh starts beside it."""
KEPT_SECONDS = 10.0
"""For so long the pair that was read serves the further requests of a job, which would each begin with a transaction of
their own. A token that another process has replaced meanwhile is refused by freee, and then the new one is read."""
_PATIENCE = 30.0
"""Seconds to wait before an item that found no usable token is tried again."""
_BUSY_PATIENCE = 5.0
"""The same where the door was busy all the time, because many connections are renewed one after the other."""


class FreeeSession:
    """The access token of one connection, always the newest one stored. Used by one thread."""

    def __init__(
        self,
        oauth: FreeeOAuth,
        tokens: TokenStore,
        door: TokenDoor,
        clock: Clock,
        *,
        connection_id: int,
        company_id: int,
        wait_seconds: float = WAIT_SECONDS,
        read_before: FreeeTokens | None = None,
    ) -> None:
        """`read_before`: the pair as it was read just now, so that the first request needs no look of its own."""
        self._oauth = oauth
        self._tokens = tokens
        self._door = door
        self._clock = clock
        self._connection_id = connection_id
        self._company_id = company_id
        self._wait_seconds = wait_seconds
        self._handed_out = read_before
        self._read_again_at = time.monotonic() + KEPT_SECONDS if read_before else 0.0
        self._rests_until: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """The Authorization header for one request. Raises RunError, TemporaryError.

        A token in the reserve of its life is renewed first, if that needs no waiting for another process. In place of a
        dead token this renews one, or waits until another process has renewed it.
        """
        kept = self._handed_out
        if kept is not None and time.monotonic() < self._read_again_at and self._left(kept) > _reserve(kept):
            return bearer(kept.access_token)
        current = self._tokens.freee_tokens(self._connection_id)
        left = self._left(current)
        if left <= timedelta(0):
            current = self._renewed(current)
        elif left <= _reserve(current):
            current = self._renewed_early(current)
        self._handed_out, self._read_again_at = current, time.monotonic() + KEPT_SECONDS
        return bearer(current.access_token)

    def _left(self, tokens: FreeeTokens) -> timedelta:
        return tokens.expires_at - self._clock.now()

    def renew(self) -> None:
        """Renew the token handed out last, which freee refused, unless another process has renewed it meanwhile."""
        self._read_again_at = 0.0
        current = self._tokens.freee_tokens(self._connection_id)
        if self._handed_out is None or current.version == self._handed_out.version:
            self._renewed(current)

    def keep_alive(self) -> bool:
        """Renew the pair before its end, whether its access token still lives or not. True: it is renewed now; False:
        an earlier refresh is in doubt, or another process is renewing it.

        Raises TemporaryError with the seconds to wait while the door is closed or busy, RunError when only a person can
        help.
        """
        current = self._tokens.freee_tokens(self._connection_id)
        passage = self._door.enter()
        if not isinstance(passage, Passage):
            raise door_closed(passage)
        return self._claimed_and_refreshed(current, passage) is not None

    def accepted(self) -> None:
        """The old access token works: a refresh whose answer was lost has not happened, and may be tried anew."""
        if self._handed_out is not None and self._handed_out.refresh_unknown:
            self._tokens.old_token_works(self._connection_id, version=self._handed_out.version)
            self._handed_out = replace(self._handed_out, refresh_unknown=False)

    def _lost(self, current: FreeeTokens) -> NoReturn:
        """The old access token is dead and the answer with the new one was lost: only a person can help."""
        self._tokens.mark_needs_consent(self._connection_id, version=current.version)
        raise RunError("needs_consent", "the answer of a refresh was lost", needs_consent=True)

    def needs_consent(self) -> None:
        """freee wants a new authorisation: mark the pair that it refused, so that no worker goes on trying. A pair that
        somebody has given since stays as it is."""
        current = self._handed_out or self._tokens.freee_tokens(self._connection_id)
        self._tokens.mark_needs_consent(self._connection_id, version=current.version)

    def _renewed_early(self, current: FreeeTokens) -> FreeeTokens:
        """A newer pair where the door is open and no other process renews this one; else the current pair, which still
        works. After a try that brought nothing, this job leaves the door alone for a while."""
        now = self._clock.now()
        if current.refresh_unknown or (self._rests_until and now < self._rests_until) or self._door.opens_in() > 0:
            return current
        try:
            passage = self._door.enter()
            newer = self._claimed_and_refreshed(current, passage) if isinstance(passage, Passage) else None
        except TemporaryError:
            newer = None
        if newer is None:
            self._rests_until = now + timedelta(seconds=_PATIENCE)
        return newer or current

    def _renewed(self, current: FreeeTokens) -> FreeeTokens:
        """A newer pair in the place of a dead one, renewed here or by another process. Raises TemporaryError with the
        seconds to wait when that takes longer than a few seconds."""
        end, pause, patience = time.monotonic() + self._wait_seconds, 0.02, _BUSY_PATIENCE
        while True:
            if current.refresh_unknown:
                self._lost(current)
            if patience is _BUSY_PATIENCE:
                wait = self._door.enter()
                if isinstance(wait, Passage):
                    newer = self._claimed_and_refreshed(current, wait)
                    if newer is not None:
                        return newer
                    patience = _PATIENCE  # another process has claimed the refresh: all that is left is to wait for it
                elif wait > 0:
                    raise door_closed(wait)
            if time.monotonic() >= end:
                raise TemporaryError("E18", "nobody has renewed the token yet", retry_after=patience, counts=False)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
            latest = self._tokens.freee_tokens(self._connection_id)
            if latest.version != current.version:
                return latest
            current = latest

    def _claimed_and_refreshed(self, current: FreeeTokens, passage: Passage) -> FreeeTokens | None:
        """Refresh this version of the pair, as the holder of the passage; None when another process has claimed it."""
        try:
            mine = self._tokens.claim_refresh(self._connection_id, version=current.version, seconds=CLAIM_SECONDS)
        except BaseException:
            self._door.left(passage)
            raise
        if not mine:
            self._door.left(passage)
            return None
        return self._refresh(current, passage)

    def _refresh(self, current: FreeeTokens, passage: Passage) -> FreeeTokens:
        """Send the refresh and return the new pair. Raises RunError, and TemporaryError when it brought nothing."""
        try:
            with through(self._door, passage):
                grant = self._oauth.refresh(current.refresh_token)
        except InvalidGrant:
            return self._after_invalid_grant(current)
        except NotHeard:
            self._tokens.refresh_refused(self._connection_id, version=current.version)
            raise
        except TemporaryError as error:
            if error.outcome_unknown:
                self._tokens.mark_refresh_unknown(self._connection_id, version=current.version)
            else:
                self._tokens.refresh_not_done(self._connection_id, version=current.version)
            code = "refresh_unknown" if error.outcome_unknown else error.code
            counts = code == NOT_THE_VENDOR  # freee will never answer while something else does: that has to be told
            raise TemporaryError(code, retry_after=error.retry_after or _PATIENCE, counts=counts) from None
        except RunError:
            # freee refused the client or its address, not this token, so it has done nothing with the token.
            self._tokens.refresh_not_done(self._connection_id, version=current.version)
            raise
        if grant.company_id not in (None, self._company_id):
            self._tokens.mark_needs_consent(self._connection_id, version=current.version)
            raise RunError("needs_consent", "the token belongs to another company", needs_consent=True)
        # Stored before use. When the store refuses it, a person has authorised anew meanwhile: that pair is valid then.
        self._tokens.store_refreshed(self._connection_id, grant.tokens, version=current.version)
        return self._tokens.freee_tokens(self._connection_id)

    def _after_invalid_grant(self, current: FreeeTokens) -> FreeeTokens:
        """The pair of a new authorisation, which a person may have given while this request used the old token. Raises
        InvalidGrant when there is none."""
        latest = self._tokens.freee_tokens(self._connection_id)
        if latest.version != current.version:
            return latest
        self._tokens.mark_needs_consent(self._connection_id, version=current.version)
        raise InvalidGrant from None


def _reserve(tokens: FreeeTokens) -> timedelta:
    """The last part of a pair's life, in which it is renewed before its end."""
    return reserve_of(issued_at=tokens.issued_at, expires_at=tokens.expires_at)

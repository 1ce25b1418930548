"""freee's sign-in and the renewal of its tokens: one refresh at a time over all workers, the new pair kept before use.

A refresh token works once and a refresh kills the access token before it. So a refresh is claimed by compare-and-set in
the database (`TokenStore`) and sent exactly once. A lost answer is marked and never repeated blindly: while the old
access token works, freee has not carried the refresh out and its token is not spent; when it does not, only a new
authorisation helps.

The token endpoint is limited per client, which is the whole installation. So every request to it goes through one door
(`TokenDoor`), one at a time; a refusal closes the door for all connections. Pairs are renewed early by the cron process
(`use_cases.token_keeping`); a job renews one itself only in the last part of its life, and uses the old access token
while that lives rather than wait.

Authlib builds the authorisation request (PKCE included). Its OAuth2Session is not used for renewal: its hook runs
after the refresh in one process and knows no claim, and its answers come without our caps and deadlines.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from app.adapters.answers import Response, retry_after, within_an_hour
from app.adapters.freee.errors import AccessExpired, classify
from app.adapters.freee.schemas import TokenAnswerSchema
from app.adapters.http import HttpClient, bearer
from app.config import Settings
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.domain.ports import Clock, FreeeTokens, Passage, TokenDoor, TokenStore
from app.domain.vendors.token_door import reserve_of

CLAIM_SECONDS = 90.0
"""Longer than the slowest refresh (connect 3 s, whole answer 60 s), so that no second one starts beside it."""
WAIT_SECONDS = 5.0
_PATIENCE = 30.0
"""Seconds to wait before an item is tried again that found no usable token."""
_BUSY_PATIENCE = 5.0
"""The same where the door was busy all the time: many connections are being renewed, one after the other."""

_OAUTH_ERRORS = ("invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope")
"""RFC 6749 5.2; only these words of an answer are repeated in an error."""


@dataclass(frozen=True)
class Grant:
    """A token answer. `company_id` is the one company chosen at the authorisation, None when freee names none."""

    tokens: FreeeTokens
    company_id: int | None
    external_cid: str | None


class InvalidGrant(RunError):
    """The code or refresh token is dead (used, expired, revoked): only a new authorisation by a person helps."""

    def __init__(self) -> None:
        super().__init__("needs_consent", "invalid_grant", needs_consent=True)


class NotHeard(TemporaryError):
    """The token endpoint did not listen (429, 503, throttled): nothing was done, and the door closes. `asked_for`: sane
    seconds the endpoint wants to be left alone, None when it named none."""

    def __init__(self, status: int, *, asked_for: float | None) -> None:
        # `closes_connection` keeps HttpClient from calling the outcome unknown.
        super().__init__("E22", f"token endpoint: status {status}", counts=False, closes_connection=True)
        self.status = status
        self.asked_for = asked_for


class AccessToken(Protocol):
    """Where a client gets its Authorization header from."""

    def headers(self) -> Mapping[str, str]: ...

    def renew(self) -> None:
        """The token last handed out was refused as expired: get a newer one."""
        ...

    def accepted(self) -> None:
        """freee has just served a request with the token last handed out."""
        ...

    def needs_consent(self) -> None:
        """freee asked for a new authorisation."""
        ...


def new_code_verifier() -> str:
    """A PKCE code verifier (RFC 7636): kept with the state until the person comes back."""
    verifier: str = generate_token(64)
    return verifier


class FreeeOAuth:
    """The three requests of freee's accounts host. The two POSTs are sent once each and never repeated."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        session: requests.Session | None = None,
        *,
        timeout: tuple[float, float] = (3.0, 20.0),
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._http = HttpClient(
            settings.freee_accounts_url,
            headers=dict,
            classify=_token_refusal,
            limiter=_Unlimited(),
            limiter_key="freee-accounts:",
            session=session,
            timeout=timeout,
        )

    def authorise_url(self, *, redirect_uri: str, state: str, code_verifier: str) -> str:
        """Where to send the person. `prompt=select_company` binds the token to exactly one company."""
        session = OAuth2Session(self._settings.freee_client_id, redirect_uri=redirect_uri, code_challenge_method="S256")
        url, _ = session.create_authorization_url(
            f"{self._settings.freee_accounts_url}/public_api/authorize",
            state=state,
            code_verifier=code_verifier,
            prompt="select_company",
        )
        return str(url)

    def exchange(self, code: str, *, redirect_uri: str, code_verifier: str) -> Grant:
        """The code of the callback → tokens. Raises InvalidGrant for a code that is spent or older than 10 minutes."""
        return self._ask(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": code_verifier,
            }
        )

    def refresh(self, refresh_token: str) -> Grant:
        """A new pair; from here on the given one is spent. Raises InvalidGrant, TemporaryError."""
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def _ask(self, form: Mapping[str, str]) -> Grant:
        client = {
            "client_id": self._settings.freee_client_id,
            "client_secret": self._settings.freee_client_secret,
        }
        asked_at = self._clock.now()
        answer: dict[str, Any] = self._http.send(
            "POST", "/public_api/token", form={**form, **client}, answer=TokenAnswerSchema(), is_read=False
        )
        tokens = FreeeTokens(
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            expires_at=asked_at + timedelta(seconds=answer["expires_in"]),
            issued_at=asked_at,
        )
        return Grant(tokens, answer["company_id"], answer["external_cid"])


@contextmanager
def through(door: TokenDoor, passage: Passage) -> Iterator[None]:
    """One request to the token endpoint; the door learns how it ended. Raises what the request raises, with the
    seconds of the door where the endpoint did not listen."""
    try:
        yield
    except NotHeard as error:
        error.retry_after = door.refused(passage, status=error.status, retry_after=error.asked_for)
        raise
    except RunError:
        door.heard(passage)
        raise
    except BaseException:
        door.left(passage)
        raise
    door.heard(passage)


def door_closed(seconds: float) -> TemporaryError:
    """Nobody may ask the token endpoint for so long."""
    return TemporaryError("E22", "the token door is closed", retry_after=seconds, counts=False)


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
    ) -> None:
        self._oauth = oauth
        self._tokens = tokens
        self._door = door
        self._clock = clock
        self._connection_id = connection_id
        self._company_id = company_id
        self._wait_seconds = wait_seconds
        self._handed_out: FreeeTokens | None = None
        self._rests_until: datetime | None = None

    def headers(self) -> Mapping[str, str]:
        """The Authorization header for one request. An access token in the reserve of its life is renewed first where
        nobody has to be waited for; a dead one is renewed, or waited for. Raises RunError, TemporaryError."""
        current = self._tokens.freee_tokens(self._connection_id)
        left = current.expires_at - self._clock.now()
        if left <= timedelta(0):
            current = self._renewed(current)
        elif left <= reserve_of(issued_at=current.issued_at, expires_at=current.expires_at):
            current = self._renewed_early(current)
        self._handed_out = current
        return bearer(current.access_token)

    def renew(self) -> None:
        """freee refused the token handed out last: renew it, unless somebody else has done so meanwhile."""
        current = self._tokens.freee_tokens(self._connection_id)
        if self._handed_out is None or current.version == self._handed_out.version:
            self._renewed(current)

    def keep_alive(self) -> bool:
        """Renew a pair before its end, whether its access token still lives or not. True: it was done now; False: it
        is in doubt, or somebody else is at it. Raises TemporaryError with the seconds to wait while the door is closed
        or busy, RunError when only a person can help."""
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
        """freee wants a new authorisation: told to the store, so that nobody goes on trying."""
        current = self._tokens.freee_tokens(self._connection_id)
        self._tokens.mark_needs_consent(self._connection_id, version=current.version)

    def _renewed_early(self, current: FreeeTokens) -> FreeeTokens:
        """A newer pair where the door is open and nobody else renews this one; the current pair, which still works,
        in any other case. After a try that brought nothing this job leaves the door alone for a while."""
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
        """A newer pair in the place of a dead one, renewed here or by somebody else. Raises TemporaryError with the
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
                    patience = _PATIENCE  # another one has claimed it: what is left is to see how that ends
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
        """The one refresh of this version, by the holder of the door; None when another one has claimed it."""
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
        """Send it. Raises RunError, and TemporaryError when it brought nothing."""
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
            raise TemporaryError(code, retry_after=error.retry_after or _PATIENCE, counts=False) from None
        except RunError:
            # Refused for the client or its address, not for this token: nothing was done with it.
            self._tokens.refresh_not_done(self._connection_id, version=current.version)
            raise
        if grant.company_id not in (None, self._company_id):
            self._tokens.mark_needs_consent(self._connection_id, version=current.version)
            raise RunError("needs_consent", "the token belongs to another company", needs_consent=True)
        # Kept before it is used. False: somebody authorised anew meanwhile; theirs is the valid pair then.
        self._tokens.store_refreshed(self._connection_id, grant.tokens, version=current.version)
        return self._tokens.freee_tokens(self._connection_id)

    def _after_invalid_grant(self, current: FreeeTokens) -> FreeeTokens:
        """Somebody may have authorised anew while we asked with the old token."""
        latest = self._tokens.freee_tokens(self._connection_id)
        if latest.version != current.version:
            return latest
        self._tokens.mark_needs_consent(self._connection_id, version=current.version)
        raise InvalidGrant from None


@dataclass(frozen=True)
class FixedToken:
    """The token of a fresh authorisation that is not stored yet."""

    access_token: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        return bearer(self.access_token)

    def renew(self) -> None:
        """Nothing to renew with. Raises RunError."""
        raise RunError("E18", "a fresh access token was refused", needs_consent=True)

    def accepted(self) -> None:
        """Nothing is in doubt."""

    def needs_consent(self) -> None:
        """Nothing is stored yet."""


class _Unlimited:
    """The token door stands before this client and knows when the endpoint may be asked."""

    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None: ...

    def closed_for(self, key: str) -> float:
        return 0.0

    def pace(self, key: str) -> float:
        return float("inf")


def _token_refusal(response: Response) -> AwaseError:
    """The token endpoint's refusals (RFC 6749 5.2). 429 and 503 say that nothing was done, whatever their body says;
    other faults of the server do not."""
    if response.status in (429, 503):
        return NotHeard(response.status, asked_for=_sane(retry_after(response)))
    body = response.json()
    error = body.get("error") if isinstance(body, Mapping) else None
    if error == "invalid_grant":
        return InvalidGrant()
    refusal = classify(response)
    if isinstance(refusal, TemporaryError) and refusal.closes_connection:
        return NotHeard(response.status, asked_for=refusal.retry_after)
    if isinstance(refusal, TemporaryError) or (
        isinstance(refusal, RunError) and not isinstance(refusal, AccessExpired)
    ):
        return refusal
    return RunError("E23", f"token endpoint: {error if error in _OAUTH_ERRORS else response.status}")


def _sane(seconds: float | None) -> float | None:
    """The wait that was asked for; None when it names no time to come, so that the door chooses its own."""
    return within_an_hour(seconds) if seconds is not None and seconds > 0 else None

"""freee's sign-in and the renewal of its tokens: one refresh at a time over all workers, the new pair kept before use.

A refresh token works once and a refresh kills the access token before it (freee-hr-api.md section 2, trap 3). So a
refresh is claimed by compare-and-set in the database (`TokenStore`) and sent exactly once. A lost answer is marked and
never repeated blindly: while the old access token works, freee has not carried the refresh out and its token is not
spent; when it does not, only a new authorisation helps. Whoever does not get the claim goes on with the old access
token while it lives.

Authlib builds the authorisation request (PKCE included). Its OAuth2Session is not used for renewal: its hook runs
after the refresh in one process and knows no claim, and its answers come without our caps and deadlines.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, NoReturn, Protocol

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from app.adapters.answers import Response
from app.adapters.freee.errors import AccessExpired, classify
from app.adapters.freee.schemas import TokenAnswerSchema
from app.adapters.http import HttpClient, bearer
from app.config import Settings
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.domain.ports import Clock, FreeeTokens, TokenStore

REFRESH_BEFORE = timedelta(minutes=30)
"""Renew while the old access token still lives: freee's pages differ on whether a later refresh works (section 2)."""
CLAIM_SECONDS = 90.0
"""Longer than the slowest refresh (connect 3 s, whole answer 60 s), so that no second one starts beside it."""
WAIT_SECONDS = 5.0
_PATIENCE = 30.0
"""Seconds to wait before an item is tried again that found no usable token."""


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
        )
        return Grant(tokens, answer["company_id"], answer["external_cid"])


class FreeeSession:
    """The access token of one connection, always the newest one stored. Used by one thread."""

    def __init__(
        self,
        oauth: FreeeOAuth,
        tokens: TokenStore,
        clock: Clock,
        *,
        connection_id: int,
        company_id: int,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._oauth = oauth
        self._tokens = tokens
        self._clock = clock
        self._connection_id = connection_id
        self._company_id = company_id
        self._wait_seconds = wait_seconds
        self._handed_out: FreeeTokens | None = None

    def headers(self) -> Mapping[str, str]:
        """The Authorization header for one request; renews a token that is about to expire."""
        current = self._tokens.freee_tokens(self._connection_id)
        left = current.expires_at - self._clock.now()
        if current.refresh_unknown and left <= timedelta(0):
            self._lost(current)
        if left <= REFRESH_BEFORE and not current.refresh_unknown:
            current = self._renewed(current, alive=left > timedelta(0))
        self._handed_out = current
        return bearer(current.access_token)

    def renew(self) -> None:
        """freee refused the token handed out last: renew it, unless somebody else has done so meanwhile."""
        current = self._tokens.freee_tokens(self._connection_id)
        if self._handed_out is None or current.version == self._handed_out.version:
            if current.refresh_unknown:
                self._lost(current)
            self._renewed(current, alive=False)

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

    def _renewed(self, current: FreeeTokens, *, alive: bool) -> FreeeTokens:
        """A newer pair, renewed here or by another worker; the current one while it lives and somebody else renews."""
        if self._tokens.claim_refresh(self._connection_id, version=current.version, seconds=CLAIM_SECONDS):
            return self._refresh(current, alive=alive)
        return current if alive else self._wait_for_newer(current)

    def _refresh(self, current: FreeeTokens, *, alive: bool) -> FreeeTokens:
        """The one refresh of this version. Raises RunError, and TemporaryError when the old token is dead as well."""
        try:
            grant = self._oauth.refresh(current.refresh_token)
        except InvalidGrant:
            return self._after_invalid_grant(current)
        except TemporaryError as error:
            if error.outcome_unknown:
                self._tokens.mark_refresh_unknown(self._connection_id, version=current.version)
            else:
                self._tokens.refresh_not_done(self._connection_id, version=current.version)
            if alive:
                return current
            code = "refresh_unknown" if error.outcome_unknown else error.code
            raise TemporaryError(code, retry_after=error.retry_after or _PATIENCE, counts=False) from None
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

    def _wait_for_newer(self, current: FreeeTokens) -> FreeeTokens:
        """Another worker renews right now. Raises TemporaryError when that takes longer than a few seconds."""
        end = time.monotonic() + self._wait_seconds
        pause = 0.02
        while time.monotonic() < end:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)
            latest = self._tokens.freee_tokens(self._connection_id)
            if latest.version != current.version:
                return latest
        raise TemporaryError("E18", "another worker's refresh has not ended", retry_after=_PATIENCE, counts=False)


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
    """The accounts host has no published limit, and its calls are a handful a day."""

    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None: ...

    def closed_for(self, key: str) -> float:
        return 0.0

    def pace(self, key: str) -> float:
        return float("inf")


def _token_refusal(response: Response) -> AwaseError:
    """The token endpoint's refusals (RFC 6749 5.2). 429 and 503 say that nothing was done, other faults do not."""
    body = response.json()
    error = body.get("error") if isinstance(body, Mapping) else None
    if error == "invalid_grant":
        return InvalidGrant()
    if response.status in (429, 503):
        # `closes_connection` keeps HttpClient from calling the outcome unknown; the door it closes is this host's own.
        return TemporaryError("E22", f"token endpoint: status {response.status}", counts=False, closes_connection=True)
    refusal = classify(response)
    if isinstance(refusal, TemporaryError) or (
        isinstance(refusal, RunError) and not isinstance(refusal, AccessExpired)
    ):
        return refusal
    return RunError("E23", f"token endpoint: {error if error in _OAUTH_ERRORS else response.status}")

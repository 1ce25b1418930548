"""freee's sign-in: the address to which a person is sent, the exchange of a code, one refresh, and the door for both.

Authlib builds the authorisation request (PKCE included). Its OAuth2Session does not serve the renewal, because its hook
runs after the refresh, in one process, and knows no claim, and its answers come without our caps and deadlines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from app.adapters.answers import Response, from_between, retry_after, within_an_hour
from app.adapters.freee.errors import AccessExpired, classify, is_own
from app.adapters.freee.schemas import TokenAnswerSchema
from app.adapters.http import BeforeWrite, HttpClient, always, bearer
from app.config import Settings
from app.domain.errors import AwaseError, RunError, TemporaryError
from app.domain.ports import Clock
from app.domain.vendors.tokens import FreeeTokens, Passage, TokenDoor

WAIT_SECONDS = 5.0
_LONGEST_LIFE = 90 * 86_400
"""Seconds that a token can live at most, whatever the answer says: no token of freee lives longer than 90 days."""

_OAUTH_ERRORS = ("invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope")
"""RFC 6749 5.2; an error repeats only these words of an answer."""


@dataclass(frozen=True)
class Grant:
    """A token answer. `company_id`: the one company chosen at the authorisation, None when freee names none."""

    tokens: FreeeTokens
    company_id: int | None
    external_cid: str | None


class InvalidGrant(RunError):
    """The code or refresh token is dead (used, expired, revoked): only a new authorisation by a person helps."""

    def __init__(self) -> None:
        super().__init__("needs_consent", "invalid_grant", needs_consent=True)


class NotHeard(TemporaryError):
    """The token endpoint did not listen (429, 503, throttled): it did nothing, and the door closes. `asked_for`: the
    sane seconds for which the endpoint wants to be left alone, None when it named none."""

    def __init__(self, status: int, *, asked_for: float | None) -> None:
        # `closes_connection` keeps HttpClient from calling the outcome unknown.
        super().__init__("E22", f"token endpoint: status {status}", counts=False, closes_connection=True)
        self.status = status
        self.asked_for = asked_for


class AccessToken(Protocol):
    """The source of a client's Authorization header."""

    def headers(self) -> Mapping[str, str]: ...

    def renew(self) -> None:
        """Get a newer token, because freee refused the one last handed out as expired."""
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
    """The three requests to freee's accounts host. The client sends each of the two POSTs once and never repeats it."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        session: requests.Session | None = None,
        *,
        timeout: tuple[float, float] = (3.0, 20.0),
        before_write: BeforeWrite = always,
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
            before_write=before_write,
        )

    def authorise_url(self, *, redirect_uri: str, state: str, code_verifier: str) -> str:
        """The address to which to send the person. `prompt=select_company` binds the token to exactly one company."""
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
            expires_at=asked_at + timedelta(seconds=min(answer["expires_in"], _LONGEST_LIFE)),
            issued_at=asked_at,
        )
        return Grant(tokens, answer["company_id"], answer["external_cid"])


@contextmanager
def through(door: TokenDoor, passage: Passage) -> Iterator[None]:
    """Makes one request to the token endpoint and tells the door how it ended. Raises what the request raises; where
    the endpoint did not listen, with the seconds that the door stays closed."""
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
    """The error for a closed door: no process may ask the token endpoint for so many seconds."""
    return TemporaryError("E22", "the token door is closed", retry_after=seconds, counts=False)


@dataclass(frozen=True)
class FixedToken:
    """The token of a fresh authorisation that is not stored yet."""

    access_token: str = field(repr=False)

    def headers(self) -> Mapping[str, str]:
        return bearer(self.access_token)

    def renew(self) -> None:
        """Raises RunError, because there is nothing with which to renew the token."""
        raise RunError("E18", "a fresh access token was refused", needs_consent=True)

    def accepted(self) -> None:
        """Does nothing, because no refresh is in doubt."""

    def needs_consent(self) -> None:
        """Does nothing, because no pair is stored yet."""


class _Unlimited:
    """No limit: the token door stands before this client and knows when the endpoint may be asked."""

    def sent(self, key: str) -> object:
        return key

    def ended(self, key: str, request: object, *, answered: bool | None) -> None:
        return None

    def silent_for(self, key: str) -> float:
        return 0.0

    def reserve(self, key: str) -> float:
        return 0.0

    def close(self, key: str, seconds: float) -> None: ...

    def closed_for(self, key: str) -> float:
        return 0.0

    def pace(self, key: str) -> float:
        return float("inf")


def _token_refusal(response: Response) -> AwaseError:
    """The error that a refusal of the token endpoint means (RFC 6749 5.2). With 429 and 503 the endpoint has done
    nothing, and their body does not matter; other faults of the server leave that open."""
    if response.status in (429, 503):
        return NotHeard(response.status, asked_for=_sane(retry_after(response)))
    body = response.json()
    error = body.get("error") if isinstance(body, Mapping) else None
    if error == "invalid_grant":
        return InvalidGrant()
    if response.status < 500 and response.status != 403 and not (_is_oauth(body) or is_own(response)):
        # Not freee's word. Should freee have spent the token all the same, the next try says so (invalid_grant).
        doubt = from_between(response)
        doubt.outcome_unknown = False
        return doubt
    if response.status < 500 and not is_own(response) and _is_oauth(body):
        return _in_a_word(response, error)
    refusal = classify(response)
    if isinstance(refusal, TemporaryError) and refusal.closes_connection:
        return NotHeard(response.status, asked_for=refusal.retry_after)
    if isinstance(refusal, TemporaryError) or (
        isinstance(refusal, RunError) and not isinstance(refusal, AccessExpired)
    ):
        return refusal
    return _in_a_word(response, error)


def _in_a_word(response: Response, error: object) -> RunError:
    return RunError("E23", f"token endpoint: {error if error in _OAUTH_ERRORS else response.status}")


def _is_oauth(body: Any) -> bool:
    """Whether a refusal has the form of RFC 6749 5.2."""
    if not isinstance(body, Mapping) or not isinstance(body.get("error"), str):
        return False
    return body["error"] in _OAUTH_ERRORS or isinstance(body.get("error_description"), str)


def _sane(seconds: float | None) -> float | None:
    """The wait for which freee asked; None when it names no time to come, so that the door chooses its own."""
    return within_an_hour(seconds) if seconds is not None and seconds > 0 else None

"""FreeeConsent: how a person connects a freee company, from the link to the checked pair of tokens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import requests

from app.adapters.freee.client import freee_client
from app.adapters.freee.oauth import WAIT_SECONDS, FixedToken, FreeeOAuth, door_closed, new_code_verifier, through
from app.adapters.http import BeforeWrite, always
from app.config import Settings
from app.domain.errors import RunError
from app.domain.ports import Clock, RateLimiter
from app.domain.settings.names import cleaned
from app.domain.vendors.tokens import FreeeTokens, Passage, TokenDoor

ADMIN = "company_admin"
"""The administrator's role, which practically every employee call of freee wants."""

_KNOCK_SECONDS = 0.1


@dataclass(frozen=True)
class Consent:
    """The outcome: the one company the person chose, and a pair of tokens good for it."""

    company_id: int
    company_name: str
    external_cid: str
    tokens: FreeeTokens = field(repr=False)


class FreeeConsent:
    """Implements `ports.FreeeAuthorisation`, for any thread. The clients behind it serve one thread, so each call makes
    its own; that costs little, because consents are rare."""

    def __init__(
        self,
        settings: Settings,
        limiter: RateLimiter,
        door: TokenDoor,
        clock: Clock,
        session: requests.Session | None = None,
        *,
        before_write: BeforeWrite = always,
    ) -> None:
        self._settings = settings
        self._limiter = limiter
        self._door = door
        self._clock = clock
        self._session = session
        self._before_write = before_write

    def new_verifier(self) -> str:
        """A PKCE verifier, to be kept with the state until the person comes back."""
        return new_code_verifier()

    def url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """The page of freee where the person signs in, chooses the company and allows the access."""
        return self._oauth().authorise_url(redirect_uri=redirect_uri, state=state, code_verifier=verifier)

    def finish(self, code: str, *, redirect_uri: str, verifier: str) -> Consent:
        """The code that freee sent back → tokens of a company in which the person is 管理者.

        Raises RunError("needs_consent") for a dead code, RunError("E19") without administrator rights, TemporaryError
        while the token endpoint may not be asked; then the code is not spent.
        """
        with through(self._door, self._passage()):
            grant = self._oauth().exchange(code, redirect_uri=redirect_uri, code_verifier=verifier)
        if grant.company_id is None:
            raise RunError("E23", "freee named no company in its token answer")
        checked = self.check(grant.tokens, company_id=grant.company_id)
        return replace(checked, external_cid=checked.external_cid or grant.external_cid or "")

    def check(self, tokens: FreeeTokens, *, company_id: int) -> Consent:
        """Whether these tokens open this company for its administrator. Raises RunError("E19") when they do not."""
        token = FixedToken(tokens.access_token)
        me = freee_client(self._settings, company_id, token, self._limiter, self._session).users_me()
        company = administered_company(me, company_id)
        return Consent(
            company_id=company_id,
            company_name=cleaned(company.get("name") or ""),
            external_cid=cleaned(company.get("external_cid") or ""),
            tokens=tokens,
        )

    def _passage(self) -> Passage:
        """A passage of the token door. A person waits for this request, so it waits a few seconds while another one is
        under way. Raises TemporaryError."""
        end = time.monotonic() + WAIT_SECONDS
        while not isinstance(passage := self._door.enter(), Passage):
            if passage > 0 or time.monotonic() > end:
                raise door_closed(passage)
            time.sleep(_KNOCK_SECONDS)
        return passage

    def _oauth(self) -> FreeeOAuth:
        return FreeeOAuth(self._settings, self._clock, self._session, before_write=self._before_write)


def administered_company(me: Mapping[str, Any], company_id: int) -> Mapping[str, Any]:
    """The token's company among all of the user's. Raises RunError("E19") unless the user is its administrator."""
    company: Mapping[str, Any] | None = next((each for each in me["companies"] if each["id"] == company_id), None)
    if company is None or company.get("role") != ADMIN:
        raise RunError("E19", "the connecting user is not the company's administrator")
    return company

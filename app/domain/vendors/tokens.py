"""freee's tokens as the use cases see them: where they are kept, how a new pair is asked for, and whose turn it is.

The adapters and the storage implement these protocols."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class FreeeTokens:
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: datetime
    """When the access token ends (6 hours after issue); the refresh token lives 90 days from issue and works once."""
    version: int = 0
    """Grows with every stored refresh, so that `TokenStore` can compare and set."""
    refresh_unknown: bool = False
    """The answer of a refresh of this pair was lost: whether the old access token still works tells what freee did."""
    issued_at: datetime | None = field(default=None, compare=False)
    """When freee gave the pair out, as far as Awase knows; left out when two pairs are compared."""


class TokensAtHand(Protocol):
    """A connection's tokens as they were read together with it, for whoever uses them at once."""

    def smarthr_token(self) -> str: ...

    def freee_tokens(self) -> FreeeTokens | None:
        """None until a person has authorised."""
        ...


class TokenStore(Protocol):
    """Vendor credentials, encrypted at rest. Each method is one short transaction."""

    def smarthr_token(self, connection_id: int) -> str: ...

    def freee_tokens(self, connection_id: int) -> FreeeTokens: ...

    def claim_refresh(self, connection_id: int, *, version: int, seconds: float) -> bool:
        """True for the one caller that may refresh now. When the holder of a claim neither stores nor gives it back
        within `seconds`, its process has died: from then on the answer of the refresh counts as lost."""
        ...

    def refresh_not_done(self, connection_id: int, *, version: int) -> None:
        """freee never got the request: the pair is as good as before. The claim runs on as a pause."""
        ...

    def refresh_refused(self, connection_id: int, *, version: int) -> None:
        """freee refused to hear the request (limit, maintenance): the pair is as good as before, and the claim is over.
        The token door says when a process may ask again."""
        ...

    def old_token_works(self, connection_id: int, *, version: int) -> None:
        """The old access token still works, so freee never did the lost refresh and the refresh token is not spent.

        freee kills the old access token at once with a refresh: while it works, none has happened.
        """
        ...

    def store_refreshed(self, connection_id: int, tokens: FreeeTokens, *, version: int) -> bool:
        """Keep the new pair and end the claim; False when `version` moved meanwhile."""
        ...

    def mark_refresh_unknown(self, connection_id: int, *, version: int) -> None:
        """The answer of a refresh was lost: Awase never sends it again blindly, and shows this to the operators."""
        ...

    def mark_needs_consent(self, connection_id: int, *, version: int) -> None: ...


@dataclass(frozen=True)
class Passage:
    """The right to ask freee's token endpoint, for one request. `number` is a fencing token: the report of a holder
    that was thought dead changes nothing any more."""

    number: int


class TokenDoor(Protocol):
    """The door before freee's token endpoint: it lets one request at a time through for the whole installation, none
    while it is closed. Each method is one short transaction."""

    def opens_in(self) -> float:
        """Seconds until it is worth entering; takes no passage. 0.0 also while another request is inside."""
        ...

    def enter(self) -> Passage | float:
        """A passage, or the seconds that the door stays closed, 0.0 while another request is under way.

        The caller ends the passage by one of the three methods below, within a minute and a half.
        """
        ...

    def heard(self, passage: Passage) -> None:
        """freee listened: it gave tokens, or said why it gave none."""
        ...

    def refused(self, passage: Passage, *, status: int, retry_after: float | None) -> float:
        """freee did not listen (429, 503). `retry_after`: sane seconds it asked for. Returns the seconds to wait."""
        ...

    def left(self, passage: Passage) -> None:
        """Nothing was sent, or no answer came: the passage says nothing about the limit."""
        ...


class FreeeGrant(Protocol):
    """What an authorisation brought: the one company the person chose, and a pair of tokens good for it."""

    @property
    def company_id(self) -> int: ...

    @property
    def company_name(self) -> str: ...

    @property
    def external_cid(self) -> str: ...

    @property
    def tokens(self) -> FreeeTokens: ...


class FreeeAuthorisation(Protocol):
    """freee's sign-in (OAuth 2.0 with PKCE)."""

    def new_verifier(self) -> str:
        """A PKCE verifier, to be kept with the state until the person comes back."""
        ...

    def url(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """The address of freee to which the person's browser is sent."""
        ...

    def finish(self, code: str, *, redirect_uri: str, verifier: str) -> FreeeGrant:
        """The code that freee sent back → company and tokens; sent only once. Raises RunError, TemporaryError."""
        ...

    def check(self, tokens: FreeeTokens, *, company_id: int) -> FreeeGrant:
        """Whether these tokens open this company for its administrator; nothing is renewed. Raises RunError,
        TemporaryError."""
        ...

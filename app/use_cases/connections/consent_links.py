"""The link of a mail that asks for a new authorisation: it serves one browser, and dies when tokens are kept."""

from __future__ import annotations

from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused
from app.use_cases.connections.connections import begin_consent, link_used
from app.use_cases.context import Context
from app.use_cases.finish.notices import connection_key_of
from app.use_cases.shared.connection_lookup import find_connection


def check_link(ctx: Context, token: str, *, browser: str) -> None:
    """Whether this browser could begin by the link. Raises Refused: unknown_link, consent_link_used."""
    _key(ctx, token)
    with ctx.unit_of_work().reading() as uow:
        if not uow.consents.link_is_open(hash_of(token), browser_hash=hash_of(browser)):
            raise link_used()


def begin_by_link(ctx: Context, token: str, *, browser: str, redirect_uri: str) -> str:
    """The address at freee, for the browser that holds the secret `browser`. The first browser that begins has the link
    for itself: it may begin again, when somebody has closed freee's page. Raises Refused."""
    connection = find_connection(ctx, _key(ctx, token))
    with ctx.unit_of_work() as uow:
        mine = uow.consents.claim_link(
            hash_of(token), connection.id, browser_hash=hash_of(browser), now=ctx.clock.now()
        )
    if not mine:
        raise link_used()
    return begin_consent(ctx, connection.key, redirect_uri=redirect_uri, browser=browser, link_hash=hash_of(token))


def _key(ctx: Context, token: str) -> str:
    key = connection_key_of(ctx.keys.signing, token)
    if key is None:
        raise Refused("unknown_link", status=404)
    return key

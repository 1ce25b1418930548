"""Makes a connection: the one way behind the command line and the wizard.

A connection is stored only with tokens that have worked, and only once per tenant and company: the database refuses a
second one, whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.exc import IntegrityError

from app.domain.errors import AwaseError, Refused, Sentence, TemporaryError
from app.domain.settings.connection_settings import Connection, ExportSettings
from app.domain.vendors.tokens import FreeeTokens
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.connections.attributes import TokenCheck, keep_check, try_token
from app.use_cases.context import Context


@dataclass(frozen=True)
class NewConnection:
    """A connection that is to be made. `freee_tokens` None: it waits for freee's consent."""

    key: str
    name: str
    smarthr_subdomain: str
    freee_company_id: int
    smarthr_token: str = field(repr=False)
    mail_to: Sequence[str] = field(default=(), repr=False)
    mail_english: Sequence[str] = field(default=(), repr=False)
    freee_tokens: FreeeTokens | None = field(default=None, repr=False)
    freee_company_name: str | None = None
    freee_external_cid: str | None = None
    export_settings: ExportSettings | None = None


def refuse_known_pair(uow: UnitOfWork, smarthr_subdomain: str, freee_company_id: int) -> None:
    """Raises Refused when this tenant and this company are connected already."""
    if uow.connections.get_by_pair(smarthr_subdomain, freee_company_id) is not None:
        raise _connected_already()


def tried(ctx: Context, new: NewConnection) -> tuple[NewConnection, TokenCheck]:
    """Try the tokens at both vendors; writes nothing. Returns the connection with the company's name as freee tells it,
    and what SmartHR's token has shown. Raises Refused, saying which vendor did not answer or what is wrong."""
    with ctx.unit_of_work().reading() as uow:
        refuse_known_pair(uow, new.smarthr_subdomain, new.freee_company_id)
    check = try_token(ctx, new.smarthr_subdomain, new.smarthr_token)
    if new.freee_tokens is None:
        return new, check
    try:
        grant = ctx.authorisation.check(new.freee_tokens, company_id=new.freee_company_id)
    except AwaseError as error:
        raise _unusable(error) from error
    cid = new.freee_external_cid or grant.external_cid or None
    return replace(new, freee_company_name=grant.company_name or None, freee_external_cid=cid), check


def stored(ctx: Context, uow: UnitOfWork, new: NewConnection, check: TokenCheck) -> Connection:
    """Store the connection with its tokens encrypted, and what its token has shown. Raises Refused when the pair is
    connected already, also by another process at this moment."""
    refuse_known_pair(uow, new.smarthr_subdomain, new.freee_company_id)
    now = ctx.clock.now()
    try:
        connection = uow.connections.add(
            key=new.key,
            name=new.name.strip(),
            smarthr_subdomain=new.smarthr_subdomain,
            smarthr_token=new.smarthr_token,
            freee_company_id=new.freee_company_id,
            freee_external_cid=new.freee_external_cid,
            mail_to=tuple(dict.fromkeys((*new.mail_to, *new.mail_english))),
            mail_english=new.mail_english,
            now=now,
        )
    except IntegrityError:
        raise _connected_already() from None
    if new.freee_tokens is not None:
        name = new.freee_company_name
        uow.connections.set_freee_tokens(connection.id, new.freee_tokens, company_name=name, now=now)
    uow.connections.set_export_settings(connection.id, new.export_settings)
    keep_check(ctx, uow, connection.id, check)
    return uow.connections.get(connection.id) or connection


def _connected_already() -> Refused:
    return Refused("already_connected.pair", status=409)


def _unusable(error: AwaseError) -> Refused:
    """The refusal of a pair of tokens that freee did not serve."""
    if isinstance(error, TemporaryError):
        return Refused("freee_away.tokens", status=503)
    why = Sentence("refusals.freee_tokens", cause=Sentence(f"causes.{error.code}"))
    return Refused(f"freee_{error.code}", told=why, fields=("freee_access_token",))

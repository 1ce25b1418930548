"""Invitations by mail: an administrator names an address and a role, and the invited person becomes a user.

The invited person opens the link of the mail within 72 hours, chooses a password and gets the address as login. The
token of the link stands in the mail only. The database keeps its hash, and the text of the mail encrypted.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import structlog

from app.domain.access.roles import Role
from app.domain.access.token_hash import hash_of
from app.domain.errors import Refused, Sentence
from app.domain.mail_text.notices import invited
from app.domain.mail_text.rendering import letters
from app.domain.runs.queues import INTERACTIVE
from app.domain.settings.names import is_clean
from app.domain.settings.recipients import Language, Recipient
from app.storage.access.rows import InvitationRow
from app.storage.enums import MailKind, MailState, OutboxKind
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.accounts.brakes import Browser
from app.use_cases.accounts.new_passwords import check_chosen
from app.use_cases.accounts.passwords import hash_password
from app.use_cases.accounts.sign_in import SignedIn, begin_session
from app.use_cases.context import Context

log = structlog.get_logger(__name__)

GOOD_FOR = timedelta(hours=72)
_ADDRESS = re.compile(r"[^@\s,;:<>\"\x00-\x1f\x7f]{1,64}@[^@\s,;:<>\"\x00-\x1f\x7f.]+(\.[^@\s,;:<>\"\x00-\x1f\x7f.]+)+")
_LONGEST = 254


@dataclass(frozen=True)
class InvitationView:
    id: int
    mail: str = field(repr=False)
    role: Role
    invited_by: str = field(repr=False)
    """The login of the administrator who has sent the invitation."""
    created_at: datetime
    expires_at: datetime
    mail_state: MailState | None


def invite(ctx: Context, mail: str, role: str, *, by: SignedIn, locale: str = "ja") -> None:
    """Invite a person: queue the mail with the link, in the language of `locale`. An open invitation of the same
    address is replaced. Raises Refused."""
    address = mail.strip().lower()
    _check(address, role)
    token, now = secrets.token_urlsafe(32), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if any(user.login.lower() == address for user in uow.users.held()):
            raise _taken("mail")
        for earlier in uow.invitations.open(now):
            if earlier.mail == address:
                uow.invitations.revoke(earlier.id, now=now)
        invitation_id = uow.invitations.add(
            token_hash=hash_of(token),
            mail=address,
            role=role,
            invited_by=by.user_id,
            now=now,
            expires_at=now + GOOD_FOR,
        )
        to = Recipient(address, Language.of(locale))
        _queue_mail(ctx, uow, invitation_id, to=to, token=token, role=Role(role))
        subject = f"invitation:{invitation_id}"
        uow.audit.add(actor=by.actor, action="user_invited", subject=subject, now=now, detail={"role": role})
    log.info("user_invited", invitation_id=invitation_id, by=by.actor)


def list_invitations(ctx: Context) -> list[InvitationView]:
    """The invitations that can still be used, the newest first."""
    with ctx.unit_of_work().reading() as uow:
        rows = [row for row in uow.invitations.open(ctx.clock.now()) if row.role in list(Role)]
        states = uow.mails.states([_occasion(row.id) for row in rows])
        logins = {user.id: user.login for user in uow.users.all()} if rows else {}
    return [_view(row, logins.get(row.invited_by, ""), states.get(_occasion(row.id))) for row in rows]


def revoke(ctx: Context, invitation_id: int, *, by: SignedIn) -> None:
    """Revoke an invitation, so that the link of its mail no longer works. Raises Refused when the invitation was used
    or revoked already."""
    now = ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if not uow.invitations.revoke(invitation_id, now=now):
            raise Refused("invitation_over", status=409)
        uow.audit.add(actor=by.actor, action="invitation_revoked", subject=f"invitation:{invitation_id}", now=now)


def invited_by_token(ctx: Context, token: str) -> InvitationView:
    """The invitation behind the token of a link. Raises Refused("invitation_unknown") for every reason alike: the token
    was never given out, or the invitation is used, revoked or too old."""
    with ctx.unit_of_work().reading() as uow:
        row = uow.invitations.find(hash_of(token))
    now = ctx.clock.now()
    if row is None or row.used_at or row.revoked_at or row.expires_at <= now or row.role not in list(Role):
        raise _unknown()
    return _view(row, "", None)


def accept(ctx: Context, token: str, password: str, *, locale: str, browser: Browser) -> str:
    """Make the invited person a user. Returns the token of the user's first session. Raises Refused, for instance for a
    bad password; then the invitation can still be used."""
    invitation = invited_by_token(ctx, token)
    check_chosen(ctx, password, login=invitation.mail)
    hashed, now = hash_password(ctx.hasher, password), ctx.clock.now()
    with ctx.unit_of_work() as uow:
        if any(user.login.lower() == invitation.mail for user in uow.users.held()):
            raise _taken("password")
        if not uow.invitations.use(hash_of(token), now=now):
            raise _unknown()
        role = invitation.role
        user = uow.users.add(login=invitation.mail, password_hash=hashed, role=role, now=now, locale=locale)
        uow.users.change(user.id, password_changed_at=now, last_sign_in_at=now)
        actor, detail = f"user:{user.id}", {"invitation": invitation.id, "role": str(role)}
        uow.audit.add(actor=actor, action="invitation_accepted", subject=actor, now=now, detail=detail)
        session = begin_session(uow, user.id, now=now, browser=browser)
    log.info("invitation_accepted", invitation_id=invitation.id, user_id=user.id)
    return session


def _queue_mail(ctx: Context, uow: UnitOfWork, invitation_id: int, *, to: Recipient, token: str, role: Role) -> None:
    """Queue the mail of an invitation. Its text is stored at once, because the token is known only now."""
    now, occasion = ctx.clock.now(), _occasion(invitation_id)
    host = urlsplit(ctx.settings.base_url).hostname or "localhost"
    message_id = f"<{occasion.replace(':', '.')}@{host}>"
    mail_id = uow.mails.add_notice(None, kind=MailKind.INVITATION, occasion=occasion, message_id=message_id, now=now)
    assert mail_id is not None  # the invitation is new, and so is the occasion
    link = f"{ctx.settings.base_url}/invitation/{token}"
    written = letters(ctx.wording, [to], lambda say: invited(say, link, role=role, until=now + GOOD_FOR))
    uow.mails.keep_letters(mail_id, written)
    uow.outbox.add(OutboxKind.MAIL, mail_id, attempt=0, queue=INTERACTIVE, due_at=now, now=now)


def _check(address: str, role: str) -> None:
    faults: dict[str, Sentence | str] = {}
    if len(address) > _LONGEST or not (is_clean(address) and _ADDRESS.fullmatch(address)):
        faults["mail"] = Sentence("fields.mail")
    if role not in list(Role):
        faults["role"] = Sentence("fields.role")
    if faults:
        raise Refused("invalid_invitation", fields=faults)


def _occasion(invitation_id: int) -> str:
    return f"invitation:{invitation_id}"


def _view(row: InvitationRow, inviter: str, state: MailState | None) -> InvitationView:
    return InvitationView(row.id, row.mail, Role(row.role), inviter, row.created_at, row.expires_at, state)


def _taken(field_name: str) -> Refused:
    return Refused("address_taken", status=409, fields=(field_name,))


def _unknown() -> Refused:
    return Refused("invitation_unknown", status=404)

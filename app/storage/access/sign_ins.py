"""Sessions of users who are signed in, and invitations to become a user. The tables keep only hashes of the tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_, select, update

from app.storage.access.keys_and_users import user_row
from app.storage.access.rows import InvitationRow, SessionRow
from app.storage.repository import Repository, as_row
from app.storage.tables.access_models import InvitationTable, SessionTable, UserTable


class SessionRepository(Repository):
    """`uow.sessions`."""

    def add(self, *, token_hash: str, user_id: int, now: datetime, address: str = "", agent: str = "") -> None:
        moments = {"created_at": now, "seen_at": now, "proved_at": now}
        self._session.add(SessionTable(token_hash=token_hash, user_id=user_id, address=address, agent=agent, **moments))
        self._session.flush()

    def find(self, token_hash: str) -> SessionRow | None:
        query = (
            select(SessionTable, UserTable)
            .join(UserTable, UserTable.id == SessionTable.user_id)
            .where(SessionTable.token_hash == token_hash)
        )
        found = self._session.execute(query).first()
        if found is None:
            return None
        return _session_row(*found)

    def of_user(self, user_id: int) -> list[SessionRow]:
        """The user's sessions that have not been ended, the last used first; some may have timed out."""
        query = (
            select(SessionTable, UserTable)
            .join(UserTable, UserTable.id == SessionTable.user_id)
            .where(SessionTable.user_id == user_id)
            .order_by(SessionTable.seen_at.desc(), SessionTable.id.desc())
        )
        return [_session_row(session, user) for session, user in self._session.execute(query)]

    def touch(self, session_id: int, *, now: datetime) -> None:
        self._session.execute(update(SessionTable).where(SessionTable.id == session_id).values(seen_at=now))

    def prove(self, session_id: int, *, now: datetime) -> None:
        """Store that the password was given in this session."""
        self._session.execute(update(SessionTable).where(SessionTable.id == session_id).values(proved_at=now))

    def end(self, token_hash: str) -> None:
        self._session.execute(delete(SessionTable).where(SessionTable.token_hash == token_hash))

    def end_one(self, session_id: int, *, user_id: int) -> bool:
        """End one session of this user. False: the user has none with this id."""
        mine = (SessionTable.id == session_id, SessionTable.user_id == user_id)
        return self._changed(delete(SessionTable).where(*mine)) == 1

    def end_others(self, session_id: int, *, user_id: int) -> int:
        """End all sessions of this user except one. Returns how many there were."""
        others = (SessionTable.id != session_id, SessionTable.user_id == user_id)
        return self._changed(delete(SessionTable).where(*others))

    def end_all(self, user_id: int) -> int:
        """Sign the user out everywhere. Returns how many sessions there were."""
        return self._changed(delete(SessionTable).where(SessionTable.user_id == user_id))

    def end_old(self, *, seen_before: datetime, begun_before: datetime) -> int:
        """Delete the sessions that have timed out. Returns how many."""
        old = or_(SessionTable.seen_at < seen_before, SessionTable.created_at < begun_before)
        return self._changed(delete(SessionTable).where(old))


class InvitationRepository(Repository):
    """`uow.invitations`."""

    def add(
        self, *, token_hash: str, mail: str, role: str, invited_by: int, now: datetime, expires_at: datetime
    ) -> int:
        record = InvitationTable(
            token_hash=token_hash,
            mail_enc=self._vault.encrypt(mail),
            role=role,
            invited_by=invited_by,
            created_at=now,
            expires_at=expires_at,
        )
        self._session.add(record)
        self._session.flush()
        return record.id

    def find(self, token_hash: str) -> InvitationRow | None:
        record = self._session.scalar(select(InvitationTable).where(InvitationTable.token_hash == token_hash))
        return self._row(record) if record else None

    def open(self, now: datetime) -> list[InvitationRow]:
        """The invitations that can still be used, the newest first."""
        query = select(InvitationTable).where(
            InvitationTable.used_at.is_(None), InvitationTable.revoked_at.is_(None), InvitationTable.expires_at > now
        )
        return [self._row(record) for record in self._session.scalars(query.order_by(InvitationTable.id.desc()))]

    def use(self, token_hash: str, *, now: datetime) -> bool:
        """The one use of an invitation. False when it is used, revoked or too old."""
        good = (
            InvitationTable.token_hash == token_hash,
            InvitationTable.used_at.is_(None),
            InvitationTable.revoked_at.is_(None),
            InvitationTable.expires_at > now,
        )
        return self._changed(update(InvitationTable).where(*good).values(used_at=now)) == 1

    def revoke(self, invitation_id: int, *, now: datetime) -> bool:
        """Revoke an invitation. True when it was neither used nor revoked until now."""
        return self._revoke(InvitationTable.id == invitation_id, now) == 1

    def revoke_of(self, inviter: int, *, now: datetime) -> int:
        """Revoke the open invitations of a user who may no longer invite. Returns how many."""
        return self._revoke(InvitationTable.invited_by == inviter, now)

    def forget(self, ended_before: datetime) -> int:
        """Delete invitations that expired before that moment, because they hold mail addresses. Returns how many."""
        return self._changed(delete(InvitationTable).where(InvitationTable.expires_at < ended_before))

    def _revoke(self, which: ColumnElement[bool], now: datetime) -> int:
        good = (which, InvitationTable.used_at.is_(None), InvitationTable.revoked_at.is_(None))
        return self._changed(update(InvitationTable).where(*good).values(revoked_at=now))

    def _row(self, record: InvitationTable) -> InvitationRow:
        return as_row(InvitationRow, record, mail=self._vault.decrypt(record.mail_enc))


def _session_row(session: SessionTable, user: UserTable) -> SessionRow:
    proved_at = session.proved_at or session.created_at
    return as_row(SessionRow, session, user=user_row(user), proved_at=proved_at)

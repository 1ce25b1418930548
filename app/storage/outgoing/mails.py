"""Mails: one summary a run, one notice per occasion (both unique). A sender claims a mail by a lease; the Message-ID
is fixed when the mail is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.domain.error_catalogue.catalogue import checked
from app.domain.mail_text.letter import Letter
from app.domain.settings.recipients import Language
from app.storage.enums import MailKind, MailState, OutboxKind
from app.storage.outgoing.rows import MailRow
from app.storage.repository import Repository, as_row
from app.storage.tables.outgoing_models import MailTable, OutboxTable


class MailRepository(Repository):
    def add(self, run_id: int, *, kind: MailKind, message_id: str, now: datetime) -> int:
        """Add the mail of a run, due at once. Raises IntegrityError when the run has this mail already."""
        record = MailTable(
            run_id=run_id, kind=kind, state=MailState.PENDING, message_id=message_id, next_at=now, created_at=now
        )
        self._session.add(record)
        self._session.flush()
        return record.id

    def add_notice(
        self, connection_id: int | None, *, kind: MailKind, occasion: str, message_id: str, now: datetime
    ) -> int | None:
        """Add a notice about a connection, or about none, once per `occasion`. None: that notice is there already."""
        if self._session.scalar(select(MailTable.id).where(MailTable.occasion == occasion)) is not None:
            return None
        record = MailTable(
            connection_id=connection_id,
            occasion=occasion,
            kind=kind,
            state=MailState.PENDING,
            message_id=message_id,
            next_at=now,
            created_at=now,
        )
        try:
            with self._session.begin_nested():
                self._session.add(record)
        except IntegrityError:  # another process added the same notice at this very moment (PostgreSQL)
            return None
        return record.id

    def get(self, mail_id: int) -> MailRow | None:
        record = self._session.get(MailTable, mail_id, populate_existing=True)
        return None if record is None else self._row(record)

    def of_runs(self, run_ids: Sequence[int]) -> dict[int, MailRow]:
        """Run id → its summary mail."""
        records = self._session.scalars(select(MailTable).where(MailTable.run_id.in_(run_ids)))
        return {record.run_id: self._row(record) for record in records if record.run_id is not None}

    def states(self, occasions: Sequence[str]) -> dict[str, MailState]:
        """Occasion → what became of its mail."""
        query = select(MailTable.occasion, MailTable.state).where(MailTable.occasion.in_(occasions))
        return {occasion: state for occasion, state in self._session.execute(query) if occasion is not None}

    def claim(self, mail_id: int, *, now: datetime, lease_until: datetime) -> MailRow | None:
        """PENDING and due, or SENDING with a dead lease → SENDING. None: another process has it, or it is done."""
        free = or_(
            and_(MailTable.state == MailState.PENDING, MailTable.next_at <= now),
            and_(MailTable.state == MailState.SENDING, MailTable.lease_until < now),
        )
        values = {"state": MailState.SENDING, "attempts": MailTable.attempts + 1, "lease_until": lease_until}
        changed = self._changed(update(MailTable).where(MailTable.id == mail_id, free).values(values))
        return self.get(mail_id) if changed else None

    def keep_letters(self, mail_id: int, letters: Sequence[Letter]) -> None:
        """Keep what is about to leave, one letter per language, so that a repetition sends the same."""
        first, to = letters[0], [address for each in letters for address in each.to]
        values = {
            "to_enc": self._vault.encrypt_json(to),
            "subject": first.subject,
            "body_enc": self._vault.encrypt(first.text),
            "letters_enc": self._vault.encrypt_json([asdict(each) for each in letters]),
        }
        self._session.execute(update(MailTable).where(MailTable.id == mail_id).values(values))

    def record_taken(self, mail_id: int, *, attempts: int, languages: Sequence[str], lease_until: datetime) -> bool:
        """The mail server has taken the letters in these languages; the next one leaves under a lease of its own.
        False: another sender took over."""
        return self._if_mine(mail_id, attempts, {"letters_taken": list(languages), "lease_until": lease_until})

    def record_result(
        self, mail_id: int, *, attempts: int, state: MailState, now: datetime, error_code: str | None = None
    ) -> bool:
        """SENDING with this number of attempts → SENT, FAILED or SKIPPED. False: another sender took over."""
        sent_at = now if state is MailState.SENT else None
        values = {"state": state, "sent_at": sent_at, "lease_until": None, "error_code": checked(error_code)}
        return self._if_mine(mail_id, attempts, values)

    def postpone(self, mail_id: int, *, attempts: int, next_at: datetime, error_code: str) -> bool:
        """SENDING → PENDING until `next_at`; the caller adds the outbox row."""
        values = {
            "state": MailState.PENDING,
            "next_at": next_at,
            "lease_until": None,
            "pushed_at": None,
            "error_code": error_code,
        }
        return self._if_mine(mail_id, attempts, values)

    def _if_mine(self, mail_id: int, attempts: int, values: Mapping[str, object]) -> bool:
        mine = (MailTable.id == mail_id, MailTable.state == MailState.SENDING, MailTable.attempts == attempts)
        return self._changed(update(MailTable).where(*mine).values(values)) == 1

    def stuck(self, now: datetime, *, pushed_before: datetime) -> list[MailRow]:
        """Mails that no process is going to send: the lease is dead, or the mail was pushed a while ago and never
        claimed; the oldest first. Mails with an outbox row on its way are left out: that row would only be doubled."""
        on_its_way = exists().where(
            OutboxTable.kind == OutboxKind.MAIL, OutboxTable.ref_id == MailTable.id, OutboxTable.sent_at.is_(None)
        )
        query = select(MailTable).where(
            ~on_its_way,
            or_(
                and_(MailTable.state == MailState.SENDING, MailTable.lease_until < now),
                and_(
                    MailTable.state == MailState.PENDING,
                    MailTable.next_at <= now,
                    MailTable.pushed_at < pushed_before,
                ),
            ),
        )
        return [self._row(record) for record in self._session.scalars(query.order_by(MailTable.id))]

    def queued_again(self, mail_ids: Sequence[int]) -> None:
        self._session.execute(update(MailTable).where(MailTable.id.in_(mail_ids)).values(pushed_at=None))

    def waiting_count(self) -> int:
        unsent = MailTable.state.in_([MailState.PENDING, MailState.SENDING])
        return self._session.scalar(select(func.count()).select_from(MailTable).where(unsent)) or 0

    def _row(self, record: MailTable) -> MailRow:
        to = tuple(self._vault.decrypt_json(record.to_enc)) if record.to_enc else ()
        body, sealed = self._open(record.body_enc), record.letters_enc
        letters = tuple(map(_letter, self._vault.decrypt_json(sealed))) if sealed else ()
        if not letters and to and body is not None and record.subject is not None:  # of an earlier version
            letters = (Letter(Language.JAPANESE, to, record.subject, body),)
        taken = tuple(record.letters_taken or ())
        return as_row(MailRow, record, to=to, body=body, letters=letters, letters_taken=taken)


def _letter(stored: Mapping[str, Any]) -> Letter:
    return Letter(**{**stored, "language": Language(stored["language"]), "to": tuple(stored["to"])})

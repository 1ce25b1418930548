"""What of runs and connections waits for a person, and when both sides were last compared as a whole: all of it for
every connection at once, in one query each."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Select, and_, func, or_, select

from app.domain.enums import Direction, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import MailKind
from app.storage.repository import Repository
from app.storage.tables.access_models import AuditTable
from app.storage.tables.automatic_models import WebhookRegistrationTable
from app.storage.tables.models import ConnectionTable, ItemTable, RunTable
from app.storage.tables.outgoing_models import MailTable


class HeldRun(NamedTuple):
    """A run of changes on which people have not decided yet. `decide_until`: a second person has to, until then."""

    run: str
    connection_id: int
    direction: Direction
    people: int
    since: datetime
    decide_until: datetime | None


class Compared(NamedTuple):
    """When everybody of a connection was last compared and brought into line, and when something happened last after
    which the sides differ on purpose: a run was cancelled, or taken back."""

    connection_id: int
    whole_at: datetime | None
    unsettled_at: datetime | None


class StandingRepository(Repository):
    """`uow.standing`."""

    def held_runs(self) -> list[HeldRun]:
        """The oldest first."""
        waits = and_(ItemTable.run_id == RunTable.id, ItemTable.state == ItemState.WAITING)
        held = or_(RunTable.trigger == Trigger.HELD, RunTable.alarms.is_not(None), RunTable.decide_until.is_not(None))
        columns = (RunTable.public_id, RunTable.connection_id, RunTable.direction)
        query = (
            select(*columns, func.count(ItemTable.id), RunTable.created_at, RunTable.decide_until)
            .outerjoin(ItemTable, waits)
            .where(RunTable.finished_at.is_(None), RunTable.state == RunState.PREVIEWED, RunTable.ends_as.is_(None))
            .where(held, RunTable.trial.is_(None))
            .group_by(RunTable.id)
            .order_by(RunTable.id)
        )
        return [HeldRun(*row) for row in self._session.execute(query)]

    def webhooks_checked(self) -> dict[int, datetime | None]:
        """Connection → since when its webhook is silent, as far as known: switched off, or seen so."""
        table = WebhookRegistrationTable
        query = select(table.connection_id, func.coalesce(table.disabled_at, table.checked_at))
        return {row[0]: row[1] for row in self._session.execute(query)}

    def paused_since(self, keys: Collection[str]) -> dict[str, datetime]:
        """Connection's key → when it was paused last, as far as the audit trail tells."""
        subjects = [f"connection:{key}" for key in keys]
        paused = (AuditTable.action == "connection_paused", AuditTable.subject.in_(subjects))
        query = select(AuditTable.subject, func.max(AuditTable.at)).where(*paused).group_by(AuditTable.subject)
        return {row[0].removeprefix("connection:"): row[1] for row in self._session.execute(query)}

    def told_of_consent(self, connection_ids: Collection[int]) -> dict[int, datetime]:
        """Connection → when people were last told that freee's consent is missing."""
        told = (MailTable.kind == MailKind.CONSENT, MailTable.connection_id.in_(connection_ids))
        query = select(MailTable.connection_id, func.max(MailTable.created_at)).where(*told)
        found = self._session.execute(query.group_by(MailTable.connection_id))
        return {row[0]: row[1] for row in found if row[0] is not None}

    def compared(self, connection_ids: Collection[int]) -> list[Compared]:
        whole = _newest().where(
            RunTable.scope.is_(None),
            ~RunTable.dry_run,
            RunTable.trigger != Trigger.HELD,
            RunTable.gather_until.is_(None),
            RunTable.undone_run_id.is_(None),
            RunTable.ends_as.is_(None),
            RunTable.surveyed_at.is_not(None),
        )
        unsettled = _newest().where(or_(RunTable.undone_run_id.is_not(None), RunTable.ends_as == RunState.CANCELLED))
        query = select(ConnectionTable.id, whole.scalar_subquery(), unsettled.scalar_subquery())
        found = self._session.execute(query.where(ConnectionTable.id.in_(connection_ids)).order_by(ConnectionTable.id))
        return [Compared(*row) for row in found]


def _newest() -> Select[datetime | None]:
    """When the newest finished run of the connection ended; a trial of settings says nothing about people."""
    mine = RunTable.connection_id == ConnectionTable.id
    ended = (mine, RunTable.finished_at.is_not(None), RunTable.trial.is_(None))
    query = select(RunTable.finished_at).where(*ended).order_by(RunTable.id.desc()).limit(1)
    return query.correlate(ConnectionTable)

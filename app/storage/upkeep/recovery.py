"""The reconciler's own queries: leases of dead workers, work that the broker lost, deadlines, and what is old enough to
be erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, update

from app.domain.enums import Trigger
from app.domain.error_catalogue.catalogue import checked
from app.domain.runs.run_state import ItemState, RunState
from app.storage.enums import OutboxKind
from app.storage.links.attention import AttentionRepository
from app.storage.outgoing.outbox import OutboxRepository
from app.storage.repository import Repository
from app.storage.runs.item_reading import OPEN_STATES, running_runs
from app.storage.tables.conditions import held_back
from app.storage.tables.models import ConnectionTable, FieldChangeTable, ItemTable, PreviewNameTable, RunTable
from app.storage.tables.outgoing_models import MailTable, OutboxTable

_ERASED_MAIL: Mapping[str, None] = {"to_enc": None, "subject": None, "body_enc": None, "letters_enc": None}


class RecoveryRepository(Repository):
    # ── items ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def end_poisoned(self, now: datetime, *, max_starts: int) -> list[int]:
        """RUNNING items with a dead lease that were started too often → FAILED "poisoned". Returns their runs."""
        dead = (ItemTable.state == ItemState.RUNNING, ItemTable.lease_until < now, ItemTable.starts >= max_starts)
        return self._end_items(*dead, code="poisoned", now=now)

    def free_dead_leases(self, now: datetime, *, max_starts: int) -> int:
        """RUNNING items with a dead lease → WAITING, due now, with their outbox rows. Returns how many.

        An item that has had its last start, and whose lease ended only just now, is left to `end_poisoned`.
        """
        dead = (ItemTable.state == ItemState.RUNNING, ItemTable.lease_until < now, ItemTable.starts < max_starts)
        freed = self._session.execute(
            update(ItemTable)
            .where(*dead)
            .values(state=ItemState.WAITING, next_at=now, pushed_at=None, lease_until=None, lease_by=None)
            .returning(ItemTable.id, ItemTable.attempt, ItemTable.queue)
        ).all()
        self._queue(OutboxKind.ITEM, [(item_id, attempt, queue) for item_id, attempt, queue in freed], now)
        return len(freed)

    def push_lost_items(
        self, now: datetime, *, pushed_before: datetime, queue: str | None = None, connection_id: int | None = None
    ) -> int:
        """Queue again the due WAITING items that the broker has lost. Returns how many.

        These are items that the broker got before `pushed_before` and no worker claimed, and items that it never got;
        none with an outbox row still on its way. `queue`, `connection_id`: only the items of these.
        """
        only = [] if queue is None else [ItemTable.queue == queue]
        if connection_id is not None:
            only.append(ItemTable.connection_id == connection_id)
        on_its_way = exists().where(
            OutboxTable.kind == OutboxKind.ITEM, OutboxTable.ref_id == ItemTable.id, OutboxTable.sent_at.is_(None)
        )
        lost = self._session.execute(
            update(ItemTable)
            .where(
                ItemTable.state == ItemState.WAITING,
                *only,
                ItemTable.next_at <= now,
                or_(ItemTable.pushed_at.is_(None), ItemTable.pushed_at < pushed_before),
                ItemTable.run_id.in_(running_runs()),
                ~on_its_way,
            )
            .values(pushed_at=None)
            .returning(ItemTable.id, ItemTable.attempt, ItemTable.queue)
        ).all()
        self._queue(OutboxKind.ITEM, [(item_id, attempt, queue) for item_id, attempt, queue in lost], now)
        return len(lost)

    def end_items_of_ending_runs(self, now: datetime) -> list[int]:
        """End the WAITING items, and the RUNNING ones with a dead lease, of runs that are ending.

        Such items may be left when a run was ended while a survey was still adding items. Returns the runs.
        """
        orphaned = or_(
            ItemTable.state == ItemState.WAITING,
            and_(ItemTable.state == ItemState.RUNNING, ItemTable.lease_until < now),
        )
        ended: list[int] = []
        for ends_as, state in ((RunState.CANCELLED, ItemState.CANCELLED), (RunState.FAILED, ItemState.FAILED)):
            runs = self._session.execute(
                select(RunTable.id, RunTable.error_code).where(
                    RunTable.ends_as == ends_as,
                    RunTable.id.in_(select(ItemTable.run_id).where(ItemTable.state.in_(OPEN_STATES))),
                )
            ).all()
            for run_id, code in runs:
                ended += self._end_items(ItemTable.run_id == run_id, orphaned, code=code, now=now, state=state)
        return ended

    def end_overdue(self, now: datetime) -> list[int]:
        """Open items of runs past their deadline → FAILED "deadline"; the runs end the same way. Returns the runs. What
        webhooks have gathered waits as long as a person takes to approve the beginning."""
        overdue = list(
            self._session.scalars(
                select(RunTable.id).where(
                    RunTable.finished_at.is_(None),
                    RunTable.deadline_at < now,
                    RunTable.state != RunState.PREVIEWED,
                    ~and_(RunTable.state == RunState.WAITING, RunTable.gather_until.is_not(None), held_back()),
                )
            )
        )
        if not overdue:
            return []
        self._session.execute(
            update(RunTable)
            .where(RunTable.id.in_(overdue), RunTable.ends_as.is_(None))
            .values(ends_as=RunState.FAILED, error_code="deadline")
        )
        open_state = ItemTable.state.in_(OPEN_STATES)
        self._end_items(ItemTable.run_id.in_(overdue), open_state, code="deadline", now=now)
        return overdue

    def _end_items(
        self, *where: ColumnElement[bool], code: str | None, now: datetime, state: ItemState = ItemState.FAILED
    ) -> list[int]:
        ended = self._session.execute(
            update(ItemTable)
            .where(*where)
            .values(state=state, error_code=checked(code), finished_at=now, lease_until=None, lease_by=None)
            .returning(ItemTable.run_id)
        ).scalars()
        runs = sorted(set(ended))
        if state is not ItemState.CANCELLED:
            for run_id in runs:
                just_now = (ItemTable.run_id == run_id, ItemTable.state == state, ItemTable.finished_at == now)
                AttentionRepository(self._transaction, self._vault).of_items(*just_now)
        return runs

    # ── surveys, previews ─────────────────────────────────────────────────────────────────────────────────────────

    def poisoned_surveys(self, now: datetime, *, max_starts: int) -> list[int]:
        """Runs whose survey has died with its worker too often to be started again."""
        query = select(RunTable.id).where(
            RunTable.state == RunState.SURVEYING,
            RunTable.survey_lease_until < now,
            RunTable.survey_starts >= max_starts,
            RunTable.ends_as.is_(None),
        )
        return list(self._session.scalars(query))

    def dead_surveys(self, now: datetime, *, max_starts: int) -> list[int]:
        """Runs whose survey stopped with its worker, and may start again."""
        dead = and_(
            RunTable.state == RunState.SURVEYING,
            RunTable.survey_lease_until < now,
            RunTable.survey_starts < max_starts,
        )
        return list(self._session.scalars(self._surveys_at_rest().where(dead)))

    def lost_surveys(
        self, now: datetime, *, pushed_before: datetime, queue: str | None = None, connection_id: int | None = None
    ) -> list[int]:
        """Runs whose survey is due, was handed to the broker before that moment, and was never claimed."""
        lost = [
            RunTable.state == RunState.WAITING,
            RunTable.survey_next_at <= now,
            or_(RunTable.survey_pushed_at.is_(None), RunTable.survey_pushed_at < pushed_before),
        ]
        if queue is not None:
            lost.append(RunTable.queue == queue)
        if connection_id is not None:
            lost.append(RunTable.connection_id == connection_id)
        return list(self._session.scalars(self._surveys_at_rest().where(*lost)))

    @staticmethod
    def _surveys_at_rest() -> Select[int]:
        """Runs that may be surveyed and have no outbox row for a survey on its way."""
        works = select(ConnectionTable.id).where(~ConnectionTable.paused, ~ConnectionTable.needs_consent)
        on_its_way = exists().where(
            OutboxTable.kind == OutboxKind.SURVEY, OutboxTable.ref_id == RunTable.id, OutboxTable.sent_at.is_(None)
        )
        return select(RunTable.id).where(RunTable.ends_as.is_(None), RunTable.connection_id.in_(works), ~on_its_way)

    def forgotten_previews(self, begun_before: datetime) -> list[int]:
        """Previews of that age which no person has approved or cancelled."""
        query = select(RunTable.id).where(RunTable.state == RunState.PREVIEWED, RunTable.created_at < begun_before)
        return list(self._session.scalars(query))

    # ── retention ─────────────────────────────────────────────────────────────────────────────────────────────────

    def erase_values(self, finished_before: datetime, *, now: datetime) -> int:
        """Erase the personal values of runs that ended before then. Returns how many runs.

        Erased are planned and written values, vendors' messages, candidates, mails and why an administrator decided
        alone (that it was so stays in the audit trail); states, codes, numbers of items and times stay. The age of a
        preview that was never approved counts from its beginning, because it ended only through having grown that old.
        """
        forgotten_preview = and_(
            RunTable.finished_at.is_not(None),
            or_(RunTable.dry_run, RunTable.alarms.is_not(None), RunTable.trigger == Trigger.HELD),
            RunTable.approved_at.is_(None),
            RunTable.created_at < finished_before,
        )
        old = or_(RunTable.finished_at < finished_before, forgotten_preview)
        runs = list(self._session.scalars(select(RunTable.id).where(old, RunTable.erased_at.is_(None)).limit(100)))
        if not runs:
            return 0
        items = select(ItemTable.id).where(ItemTable.run_id.in_(runs))
        self._session.execute(
            update(FieldChangeTable)
            .where(FieldChangeTable.item_id.in_(items))
            .values(before_enc=None, after_enc=None, raw_enc=None, trace_enc=None)
        )
        personal = {"detail_enc": None, "candidates_enc": None, "name_enc": None}
        self._session.execute(update(ItemTable).where(ItemTable.run_id.in_(runs)).values(personal))
        self._session.execute(delete(PreviewNameTable).where(PreviewNameTable.run_id.in_(runs)))
        self._session.execute(update(MailTable).where(MailTable.run_id.in_(runs)).values(_ERASED_MAIL))
        self._session.execute(
            update(RunTable).where(RunTable.id.in_(runs)).values(alone_reason_enc=None, erased_at=now)
        )
        return len(runs)

    def erase_notices(self, created_before: datetime) -> int:
        """Erase the texts and recipients of mails about connections, which belong to no run, at the same age. Returns
        how many."""
        old = (MailTable.run_id.is_(None), MailTable.created_at < created_before, MailTable.to_enc.is_not(None))
        return self._changed(update(MailTable).where(*old).values(_ERASED_MAIL))

    def _queue(self, kind: OutboxKind, rows: Sequence[tuple[int, int, str]], now: datetime) -> None:
        OutboxRepository(self._transaction, self._vault).add_many(rows, kind=kind, due_at=now, now=now)

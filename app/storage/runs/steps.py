"""Item steps: one row per writing request, stored before it leaves, so that a lost answer is known as such."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import bindparam, exists, func, insert, select, update

from app.domain.enums import Direction, Step, System
from app.domain.error_catalogue.catalogue import checked
from app.domain.settings.connection_settings import Connection
from app.storage.enums import StepState
from app.storage.repository import Repository, as_row, table_of
from app.storage.runs.rows import StepRow
from app.storage.tables.models import ConnectionTable, ItemStepTable, ItemTable

_STEPS = table_of(ItemStepTable)
_ADD = insert(_STEPS)
_END = (
    update(_STEPS)
    .where(
        _STEPS.c.item_id == bindparam("item_"),
        _STEPS.c.attempt == bindparam("attempt_"),
        _STEPS.c.step == bindparam("step_"),
        _STEPS.c.state == StepState.SENDING,
    )
    .values(state=bindparam("state_"), error_code=bindparam("code_"), at=bindparam("now_"))
)

_ITEMS = table_of(ItemTable)
_OF_PERSON = select(_ITEMS.c.id).where(
    _ITEMS.c.connection_id == bindparam("connection_"), _ITEMS.c.source_id == bindparam("source_")
)
_DOUBTFUL_CREATES = (
    _STEPS.c.item_id.in_(_OF_PERSON),
    _STEPS.c.step == Step.CREATE,
    _STEPS.c.state.in_([StepState.SENDING, StepState.UNKNOWN]),
)
_CREATE_IN_DOUBT = select(_STEPS.c.item_id).where(*_DOUBTFUL_CREATES).limit(1)
_SETTLE_CREATES = update(_STEPS).where(*_DOUBTFUL_CREATES).values(state=bindparam("state_"), at=bindparam("now_"))


class StepRepository(Repository):
    def sending(self, item_id: int, attempt: int, step: Step, *, keys: Sequence[str], now: datetime) -> None:
        """Note that a request is about to leave. The caller commits this before it does."""
        values = {"item_id": item_id, "attempt": attempt, "step": step, "state": StepState.SENDING, "at": now}
        self._run(_ADD, {**values, "keys": list(keys)})

    def done(self, item_id: int, attempt: int, step: Step, *, now: datetime) -> None:
        self._set(item_id, attempt, step, state=StepState.DONE, error_code=None, now=now)

    def failed(
        self, item_id: int, attempt: int, step: Step, *, error_code: str, now: datetime, unknown: bool = False
    ) -> None:
        """`unknown`: the request may have been carried out although no answer came."""
        state = StepState.UNKNOWN if unknown else StepState.FAILED
        self._set(item_id, attempt, step, state=state, error_code=error_code, now=now)

    def _set(
        self, item_id: int, attempt: int, step: Step, *, state: StepState, error_code: str | None, now: datetime
    ) -> None:
        sent = {"item_": item_id, "attempt_": attempt, "step_": step}
        self._run(_END, {**sent, "state_": state, "code_": checked(error_code), "now_": now})

    def unknown_create(self, connection_id: int, source_id: str) -> bool:
        """Whether any item of the connection has sent a create for this person whose outcome is not known."""
        return self._first(_CREATE_IN_DOUBT, {"connection_": connection_id, "source_": source_id}) is not None

    def others_in_doubt(self, connection: Connection, system: System, *, since: datetime) -> bool:
        """Whether another connection to the same tenant of this system has sent a create since that moment whose
        outcome is not known."""
        there = (
            ConnectionTable.freee_company_id == connection.freee_company_id
            if system is System.FREEE
            else func.lower(ConnectionTable.smarthr_subdomain) == connection.tenant_of(system)
        )
        others = select(ConnectionTable.id).where(there, ConnectionTable.id != connection.id)
        direction = next(each for each in Direction if each.target is system)
        items = select(ItemTable.id).where(ItemTable.connection_id.in_(others), ItemTable.direction == direction)
        doubtful = exists().where(
            ItemStepTable.item_id.in_(items),
            ItemStepTable.step == Step.CREATE,
            ItemStepTable.state.in_([StepState.SENDING, StepState.UNKNOWN]),
            ItemStepTable.at >= since,
        )
        return bool(self._session.scalar(select(doubtful)))

    def any_done(self, item_id: int) -> bool:
        """Whether this item has written anything, in any of its attempts."""
        done = exists().where(ItemStepTable.item_id == item_id, ItemStepTable.state == StepState.DONE)
        return bool(self._session.scalar(select(done)))

    def settle(self, item_id: int, *, still_open: Collection[str], now: datetime) -> list[str]:
        """Settle the requests in doubt after both sides were read anew. Returns the keys of those that did happen.

        A request in doubt did happen when none of its keys is a difference any more. (`settle_creates` settles creates,
        after a look for the person.)
        """
        doubtful = self._session.scalars(
            select(ItemStepTable).where(
                ItemStepTable.item_id == item_id,
                ItemStepTable.step != Step.CREATE,
                ItemStepTable.state.in_([StepState.SENDING, StepState.UNKNOWN]),
            )
        )
        keys: list[str] = []
        for record in doubtful:
            happened = not set(record.keys) & set(still_open)
            keys += record.keys if happened else []
            record.state, record.at = StepState.DONE if happened else StepState.FAILED, now
        self._session.flush()
        return keys

    def settle_creates(self, connection_id: int, source_id: str, *, happened: bool, now: datetime) -> None:
        """Settle the creates in doubt after a look for the person at the target: they did happen, or did not."""
        whose = {"connection_": connection_id, "source_": source_id}
        self._run(_SETTLE_CREATES, {**whose, "state_": StepState.DONE if happened else StepState.FAILED, "now_": now})

    def of_items(self, item_ids: Sequence[int]) -> dict[int, list[StepRow]]:
        """Item id → its steps in the order they were sent."""
        query = select(ItemStepTable).where(ItemStepTable.item_id.in_(item_ids)).order_by(ItemStepTable.id)
        found: dict[int, list[StepRow]] = {item_id: [] for item_id in item_ids}
        for record in self._session.scalars(query):
            found[record.item_id].append(as_row(StepRow, record))
        return found

"""People who wait for somebody's action: one row per connection, direction and person, which the newest outcome writes,
replaces or deletes in its own transaction (`storage.tables.attention_models`).

Every outcome of a run that is no preview comes here: those of jobs and surveys one by one (`ended`), those that a whole
run gives its people at its end by their items (`of_items`). What an outcome says is decided by `cause_of_end`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Boolean, ColumnElement, and_, bindparam, case, delete, exists, func, null, or_, select, update
from sqlalchemy.orm import aliased

from app.domain.enums import Direction, System, Trigger
from app.domain.matching.linking import QUESTIONS
from app.domain.planning.attention import ONLY_TARGET_CHANGED, Cause, Told, cause_of_end
from app.domain.planning.healing import Seen
from app.domain.planning.healing import kept as kept_with
from app.domain.runs.run_state import BAD_ITEM_STATES, ItemState
from app.storage.links.attention_reading import ROW, TABLE, AttentionReading
from app.storage.links.rows import AttentionRow
from app.storage.tables.models import ItemTable, RunTable

T = TypeVar("T")
CHUNK = 500
LINK_CODES = frozenset({*QUESTIONS, "source_deleted"})
"""Causes that end when a person has said who is whom."""
_WAIVER = ("waived_until", "waived_at", "waived_by", "waived_reason_enc")
_GOOD = frozenset({ItemState.SUCCEEDED, ItemState.UNCHANGED})
_PARTIAL = frozenset({Trigger.UNDO, Trigger.HELD})


@dataclass(frozen=True)
class Ended:
    """How one person ended in one run. `name` "" and `number` "": not known here, the row keeps what it has. `item_id`
    None: the run only counts the person."""

    connection_id: int
    direction: Direction
    source_id: str
    target_id: str | None
    number: str
    state: ItemState
    code: str | None
    notes: Sequence[Told]
    trigger: Trigger
    run_id: int
    item_id: int | None
    at: datetime
    name: str = field(default="", repr=False)
    sealed_name: str | None = field(default=None, repr=False)
    """The name as an item keeps it, in place of `name`."""
    seen: Seen | None = field(default=None, repr=False)
    """What the outcome has looked at; None: nothing was read."""

    @property
    def is_equal(self) -> bool:
        """Both sides were compared, and nothing was to be said of any item."""
        return self.state in _GOOD and self.code is None and not self.notes

    @property
    def is_partial(self) -> bool:
        """The run looked at a part of the person's plan: what it took back, or what had waited for an approval. A good
        end says nothing about the rest."""
        return self.trigger in _PARTIAL

    @property
    def knows_partner(self) -> bool:
        """It is settled who the person is at the target."""
        return self.state in _GOOD and not self.is_partial and self.target_id is not None

    def ends(self, row: Any) -> bool:
        """Whether this good end ends what the person waits for."""
        return bool(row.at <= self.at and (not self.is_partial or row.trigger is self.trigger))

    def ends_question(self, row: Any) -> bool:
        """Whether it ends what the same pair waits for in the other direction: the question who they are; where both
        sides are equal, whatever it was."""
        return bool(row.at <= self.at and (self.is_equal or row.code in LINK_CODES))

    @property
    def cause(self) -> Cause | None:
        return cause_of_end(self.state, self.code, self.notes)


class AttentionRepository(AttentionReading):
    """`uow.attention`."""

    # ── outcomes ──────────────────────────────────────────────────────────────────────────────────────────────────

    def ended(self, people: Sequence[Ended]) -> None:
        """Bring the rows of these people, all of one connection, up to date with their outcomes. A cancelled one says
        nothing about anybody."""
        told = [each for each in people if each.state.is_final and each.state is not ItemState.CANCELLED]
        waiting = [(each, cause) for each in told if (cause := each.cause) is not None]
        if waiting:
            self._run(_put(self._dialect), [self._values(each, cause) for each, cause in waiting])
            self._left_as_twins(people[0].connection_id, [each.source_id for each, _ in waiting])
        done = [each for each in told if each.cause is None]
        if len(done) > 1:
            self._done(done)
        elif done:
            self._run(_DONE, _of_done(done[0]))

    def of_items(self, *where: ColumnElement[bool]) -> None:
        """As `ended`, for the items for which this holds and which a newer outcome of the person has not overtaken.
        Items of a preview that nobody has approved do not count."""
        item, run, newer = ItemTable, RunTable, aliased(ItemTable)
        overtaken = exists().where(
            newer.connection_id == item.connection_id,
            newer.source_id == item.source_id,
            newer.direction == item.direction,
            newer.id > item.id,
            newer.finished_at.is_not(None),
            newer.state != ItemState.CANCELLED,
            newer.run_id.in_(select(RunTable.id).where(_counts(RunTable))),
        )
        columns = ("id", "connection_id", "direction", "source_id", "target_id", "employee_number", "name_enc", "state")
        query = (
            select(*(getattr(item, name) for name in columns), item.error_code, item.notes, item.finished_at)
            .add_columns(run.trigger, item.run_id)
            .join(run, run.id == item.run_id)
            .where(*where, item.source_id.is_not(None), item.finished_at.is_not(None), _counts(run), ~overtaken)
            .order_by(item.id)
        )
        after = 0
        while rows := self._session.execute(query.where(item.id > after).limit(CHUNK)).all():
            after = rows[-1].id
            self.ended([_of_item(row) for row in rows])

    def of_run(self, run_id: int) -> None:
        """As `of_items`, for those whom the survey of a preview has ended, now that the preview is approved: nothing of
        it is news once everybody was compared since."""
        later = aliased(RunTable)
        compared = exists().where(
            later.connection_id == RunTable.connection_id,
            later.direction == RunTable.direction,
            later.trigger == Trigger.SCHEDULE,
            ~later.dry_run,
            later.surveyed_at > RunTable.surveyed_at,
        )
        waits = exists().where(
            ROW.connection_id == ItemTable.connection_id,
            or_(ROW.source_id == ItemTable.source_id, ROW.source_id == ItemTable.target_id),
        )
        asks = or_(ItemTable.state.in_(BAD_ITEM_STATES), ItemTable.error_code == ONLY_TARGET_CHANGED)
        self.of_items(ItemTable.run_id == run_id, or_(asks, waits), ~compared)

    def _values(self, ended: Ended, cause: Cause) -> dict[str, Any]:
        return {
            "connection_id": ended.connection_id,
            "direction": ended.direction,
            "source_id": ended.source_id,
            "target_id": ended.target_id,
            "employee_number": ended.number,
            "name_enc": ended.sealed_name or self._seal(ended.name or None),
            "state": ended.state,
            "code": cause.code,
            "item_keys": list(cause.keys),
            "cause": cause.text,
            "trigger": ended.trigger,
            "run_id": ended.run_id,
            "item_id": ended.item_id,
            "seen": kept_with(ended.seen, cause.blames) if ended.seen else None,
            "mended": None,
            "since": ended.at,
            "at": ended.at,
        }

    def _left_as_twins(self, connection_id: int, source_ids: Sequence[str]) -> None:
        """Whoever was left for now stays so when the other direction finds the same matter as well."""
        other = TABLE.alias()
        twin = and_(
            other.c.connection_id == ROW.connection_id,
            other.c.direction != ROW.direction,
            other.c.source_id == ROW.target_id,
            other.c.cause == ROW.cause,
            other.c.waived_until.is_not(None),
        )
        values = {name: select(other.c[name]).where(twin).correlate(TABLE).scalar_subquery() for name in _WAIVER}
        is_left = select(other.c.id).where(twin).correlate(TABLE).exists()
        for some in _chunks(source_ids):
            mine = (ROW.connection_id == connection_id, ROW.source_id.in_(some), ROW.waived_until.is_(None))
            self._session.execute(update(TABLE).where(*mine, is_left).values(**values))

    def _done(self, people: Sequence[Ended]) -> None:
        """As the statement `_DONE` for one person, for many of a comparison in which nearly all are equal: those with a
        row are sought first, and their rows deleted in one order, so that two comparisons do not lock each other."""
        ended = {(each.direction, each.source_id): each for each in people}
        partners = {(each.direction.reverse, each.target_id): each for each in people if each.knows_partner}
        ids = sorted({person for _, person in (*ended, *partners) if person is not None})
        mine = (ROW.connection_id == people[0].connection_id, ROW.direction.in_(list(Direction)))
        gone: list[int] = []
        for some in _chunks(ids):
            for row in self._session.execute(select(*_WHO).where(*mine, ROW.source_id.in_(some))):
                own, other = ended.get((row.direction, row.source_id)), partners.get((row.direction, row.source_id))
                if (own and own.ends(row)) or (other and other.ends_question(row)):
                    gone.append(row.id)
        self._delete(gone)

    def _delete(self, ids: Sequence[int]) -> None:
        for some in _chunks(sorted(ids)):
            self._session.execute(select(ROW.id).where(ROW.id.in_(some)).order_by(ROW.id).with_for_update())
            self._session.execute(delete(TABLE).where(ROW.id.in_(some)))

    # ── causes that are gone ──────────────────────────────────────────────────────────────────────────────────────

    def keep_only(
        self, connection_id: int, direction: Direction, source_ids: Collection[str], *, seen_at: datetime
    ) -> None:
        """A comparison of everybody has found these people: whoever else waited since before then is gone. Whose link a
        deletion has broken waits on."""
        mine = (ROW.connection_id == connection_id, ROW.direction == direction, ROW.at <= seen_at)
        waiting = self._session.execute(select(ROW.id, ROW.source_id).where(*mine, ROW.code != "source_deleted"))
        self._delete([row.id for row in waiting if row.source_id not in source_ids])

    def decided(self, connection_id: int, *, smarthr_id: str, freee_id: str) -> None:
        """A person has said what these two are to each other, so that no question who is whom waits any more."""
        sides = or_(*(_is_person(system, each) for system, each in _sides(smarthr_id, freee_id)))
        mine = (ROW.connection_id == connection_id, ROW.code.in_(LINK_CODES))
        self._session.execute(delete(TABLE).where(*mine, sides))

    def kept_apart(self, connection_id: int, *, smarthr_id: str, freee_id: str) -> None:
        """A person has said that these two are different: the question whether they are one waits no more. Whoever has
        been compared with others as well is still asked about."""
        pair = _sides(smarthr_id, freee_id)
        ways = (
            and_(_is_person(system, person), ROW.target_id == other)
            for (system, person), (_, other) in zip(pair, reversed(pair), strict=True)
        )
        mine = (ROW.connection_id == connection_id, ROW.code.in_(LINK_CODES))
        self._session.execute(delete(TABLE).where(*mine, or_(*ways)))

    def no_longer_by_itself(self, connection_id: int, direction: Direction) -> None:
        """The automatic sync of a direction was switched off: what only automatic runs have found waits no more."""
        automatic = ROW.trigger.in_([each for each in Trigger if each.is_automatic])
        mine = (ROW.connection_id == connection_id, ROW.direction == direction)
        self._session.execute(delete(TABLE).where(*mine, automatic))

    def forget_connection(self, connection_id: int) -> None:
        """The connection is gone for good."""
        self._session.execute(delete(TABLE).where(ROW.connection_id == connection_id))

    # ── left for now ──────────────────────────────────────────────────────────────────────────────────────────────

    def waive(self, row: AttentionRow, *, until: date, reason: str, by: str, now: datetime) -> None:
        """Leave a person for now, with the twin of the other direction."""
        values = {"waived_until": until, "waived_by": by, "waived_at": now, "waived_reason_enc": self._seal(reason)}
        self._set([row, *self.twins_of(row)], values)

    def take_up(self, row: AttentionRow) -> None:
        """The person waits again at once."""
        self._set([row, *self.twins_of(row)], dict.fromkeys(_WAIVER))

    def _set(self, rows: Sequence[AttentionRow], values: dict[str, Any]) -> None:
        self._session.execute(update(TABLE).where(ROW.id.in_([row.id for row in rows])).values(**values))

    def erase_names(self, not_seen_since: datetime) -> int:
        """Erase names, and why people were left for now, where the newest outcome is older. Returns how many."""
        old = (ROW.at < not_seen_since, or_(ROW.name_enc.is_not(None), ROW.waived_reason_enc.is_not(None)))
        return self._changed(update(TABLE).where(*old).values(name_enc=None, waived_reason_enc=None))


def _counts(run: Any) -> ColumnElement[bool]:
    """Whether the outcomes of a run count: it is no preview, or was approved."""
    return or_(~run.dry_run, run.approved_at.is_not(None))


def _sides(smarthr_id: str, freee_id: str) -> tuple[tuple[System, str], tuple[System, str]]:
    return ((System.SMARTHR, smarthr_id), (System.FREEE, freee_id))


def _is_person(system: System, person_id: str) -> ColumnElement[bool]:
    """The row is about this person of a system, as the source."""
    (direction,) = (each for each in Direction if each.source is system)
    return and_(ROW.direction == direction, ROW.source_id == person_id)


def _chunks(ids: Sequence[T]) -> Iterable[Sequence[T]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _of_item(row: Any) -> Ended:
    return Ended(
        connection_id=row.connection_id,
        direction=row.direction,
        source_id=row.source_id,
        target_id=row.target_id,
        number=row.employee_number,
        state=row.state,
        code=row.error_code,
        notes=[Told(note["code"], note["severity"], note["key"]) for note in row.notes],
        trigger=row.trigger,
        run_id=row.run_id,
        item_id=row.id,
        at=row.finished_at,
        sealed_name=row.name_enc,
    )


# ── statements that stand ready ───────────────────────────────────────────────────────────────────────────────────────

_WHO = (ROW.id, ROW.direction, ROW.source_id, ROW.code, ROW.trigger, ROW.at)
_MINE = and_(ROW.direction == bindparam("direction_"), ROW.source_id == bindparam("source_"))
_OTHER_WAY = and_(ROW.direction == bindparam("reverse_"), ROW.source_id == bindparam("target_"))
_DONE = delete(TABLE).where(
    ROW.connection_id == bindparam("connection_"),
    ROW.at <= bindparam("at_", type_=ROW.at.type),
    or_(
        and_(_MINE, or_(~bindparam("is_partial_", type_=Boolean()), ROW.trigger == bindparam("trigger_"))),
        and_(_OTHER_WAY, or_(bindparam("is_equal_", type_=Boolean()), ROW.code.in_(LINK_CODES))),
    ),
)
"""As `Ended.ends` and `Ended.ends_question`."""


def _of_done(ended: Ended) -> dict[str, Any]:
    """Parameters of `_DONE`."""
    return {
        "connection_": ended.connection_id,
        "at_": ended.at,
        "direction_": ended.direction,
        "source_": ended.source_id,
        "reverse_": ended.direction.reverse,
        "target_": ended.target_id if ended.knows_partner else None,
        "is_partial_": ended.is_partial,
        "trigger_": ended.trigger,
        "is_equal_": ended.is_equal,
    }


@cache
def _put(dialect: Any) -> Any:
    """Insert a person, or replace the row by a newer outcome. `since` stays while the code does, a waiver while the
    cause does."""
    new = dialect.insert(TABLE)
    given = new.excluded
    same_code, same_cause = ROW.code == given.code, ROW.cause == given.cause
    newest = ("state", "code", "item_keys", "cause", "trigger", "seen", "mended", "at")
    only_counted = and_(given.item_id.is_(None), same_cause)
    values: dict[str, Any] = {name: given[name] for name in newest}
    values |= {
        "target_id": func.coalesce(given.target_id, ROW.target_id),
        "employee_number": case((given.employee_number == "", ROW.employee_number), else_=given.employee_number),
        "name_enc": func.coalesce(given.name_enc, ROW.name_enc),
        "run_id": case((only_counted, ROW.run_id), else_=given.run_id),
        "item_id": case((only_counted, ROW.item_id), else_=given.item_id),
        "since": case((same_code, ROW.since), else_=given.since),
    }
    values |= {name: case((same_cause, ROW[name]), else_=null()) for name in _WAIVER}
    person = ["connection_id", "direction", "source_id"]
    return new.on_conflict_do_update(index_elements=person, set_=values, where=ROW.at <= given.at)

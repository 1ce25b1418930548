"""One employee's result as users see it: labels, values as people read them, masks, and the catalogue's text for every
code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.display import MASK, show
from app.domain.enums import System
from app.domain.error_catalogue.catalogue import message_of, remedy_of
from app.domain.mapping import BY_KEY, FieldMapping
from app.domain.planning import exact
from app.domain.snapshot import BLANK, FieldState, Unconvertible
from app.storage.enums import ChangeState
from app.storage.runs.rows import ChangeRow, ItemRow, StepRow
from app.use_cases.shared.views import ChangeView, ItemView, NoteView, StepView


def item_view(
    row: ItemRow, changes: Iterable[ChangeRow], steps: Iterable[StepRow], *, reveal: bool = False
) -> ItemView:
    """One item with its changes and steps. `reveal`: show masked items (bank account, insurance numbers, standard
    incomes) in plain."""
    return ItemView(
        id=row.id,
        employee_number=row.employee_number,
        state=row.state,
        kind=row.kind,
        closing_month=row.closing_month,
        pay_month=row.pay_month,
        attempts=row.attempt,
        error_code=row.error_code,
        message=_message(row),
        remedy=(remedy_of(row.error_code) or None) if row.error_code else None,
        changes=tuple(_change(change, row, reveal=reveal) for change in changes),
        notes=tuple(_note(note) for note in row.notes),
        steps=tuple(_step(step) for step in steps),
        candidates=row.candidates,
    )


def _message(row: ItemRow) -> str | None:
    """The catalogue's sentence for the item's code, followed by the vendor's own words where they are in Japanese:
    those the vendor has written for people."""
    if row.error_code is None:
        return None
    message = message_of(row.error_code)
    return f"{message}（{row.detail}）" if row.detail and not row.detail.isascii() else message


def _change(change: ChangeRow, row: ItemRow, *, reveal: bool) -> ChangeView:
    field = BY_KEY.get(change.key)
    before = _shown(change.key, change.before, reveal=reveal)
    if field and isinstance(change.before, Unconvertible) and change.raw is not None:
        before = _as_it_stands(field, change.raw, row.direction.target, reveal=reveal)
    return ChangeView(
        key=change.key,
        label=field.label if field else change.key,
        before=before,
        after=_shown(change.key, change.after, reveal=reveal),
        retroactive=field.retroactive if field else False,
        state=change.state.value,
        ticked=change.state is ChangeState.HELD and change.key in (row.ticked or ()),
    )


def _as_it_stands(field: FieldMapping, raw: Mapping[str, Any], target: System, *, reveal: bool) -> str:
    """A value without plain form, as the target writes it."""
    return MASK if field.masked and not reveal else exact.shown(target, field, raw)


def _shown(key: str, state: FieldState | None, *, reveal: bool) -> str | None:
    """The value as people read it. None: blank, absent or erased. A key that this version of Awase does not know is
    masked, because hiding a value is better than showing one that must stay hidden."""
    if state is None or state is BLANK:
        return None
    return show(key, state, reveal=reveal) if key in BY_KEY else MASK


def _note(note: dict[str, Any]) -> NoteView:
    code = note["code"]
    return NoteView(
        code=code,
        key=note["key"],
        severity=note["severity"],
        message=message_of(code),
        remedy=remedy_of(code) or None,
    )


def _step(step: StepRow) -> StepView:
    return StepView(
        step=step.step.value,
        label=step.step.label,
        attempt=step.attempt,
        state=step.state.value,
        error_code=step.error_code,
        at=step.at,
    )

"""One employee's result as people see it: labels, shown values, masks, and the catalogue's words for every code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.domain.display import MASK, show
from app.domain.error_catalogue.catalogue import message_of, remedy_of
from app.domain.mapping import BY_KEY
from app.domain.snapshot import BLANK, FieldState
from app.storage.runs.rows import ChangeRow, ItemRow, StepRow
from app.use_cases.shared.views import ChangeView, ItemView, NoteView, StepView


def item_view(
    row: ItemRow, changes: Iterable[ChangeRow], steps: Iterable[StepRow], *, reveal: bool = False
) -> ItemView:
    """`reveal`: masked items (bank account, insurance numbers, standard incomes) in plain."""
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
        changes=tuple(_change(change, reveal=reveal) for change in changes),
        notes=tuple(_note(note) for note in row.notes),
        steps=tuple(_step(step) for step in steps),
        candidates=row.candidates,
    )


def _message(row: ItemRow) -> str | None:
    """The catalogue's sentence, with what the vendor itself said when that is written for people (Japanese)."""
    if row.error_code is None:
        return None
    message = message_of(row.error_code)
    return f"{message}（{row.detail}）" if row.detail and not row.detail.isascii() else message


def _change(change: ChangeRow, *, reveal: bool) -> ChangeView:
    field = BY_KEY.get(change.key)
    return ChangeView(
        key=change.key,
        label=field.label if field else change.key,
        before=_shown(change.key, change.before, reveal=reveal),
        after=_shown(change.key, change.after, reveal=reveal),
        retroactive=field.retroactive if field else False,
        state=change.state.value,
    )


def _shown(key: str, state: FieldState | None, *, reveal: bool) -> str | None:
    """None for blank, absent or erased. An item of another version is better hidden than shown by mistake."""
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

"""One employee's result as users see it: labels, values as people read them, masks, and the catalogue's text for every
code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.domain.completeness.unreadable import said
from app.domain.display import MASK, show
from app.domain.enums import System, Trigger
from app.domain.error_catalogue.catalogue import Place, who_of
from app.domain.mail_text.letter import Words
from app.domain.mapping import BY_KEY, FieldMapping
from app.domain.planning import exact
from app.domain.snapshot import BLANK, FieldState, Unconvertible
from app.domain.vendors.answer import VendorAnswer
from app.storage.enums import ChangeState
from app.storage.repository import as_row
from app.storage.runs.rows import ChangeRow, ItemRow, StepRow
from app.use_cases.shared.vendor_answers import answers_in_plain, answers_without_masked
from app.use_cases.shared.views import AnswerView, ChangeView, ItemView, NoteView, StepView


def item_view(
    row: ItemRow,
    changes: Sequence[ChangeRow],
    steps: Iterable[StepRow],
    *,
    trigger: Trigger | None = None,
    say: Words,
    reveal: bool = False,
) -> ItemView:
    """One item with its changes and steps. `trigger`: of its run. `say`: the words for what its codes mean. `reveal`:
    show masked items (bank account, insurance numbers, standard incomes) in plain."""
    where, code = Place(row.direction, trigger), row.error_code
    answers = answers_in_plain(row) if reveal else answers_without_masked(row, changes)
    return as_row(
        ItemView,
        row,
        attempts=row.attempt,
        error_code=code,
        message=_with_answers(say.message(code, where), code, row, answers) if code else None,
        catalogue_message=say.message(code, where) if code else None,
        cause=say.why(code, where) if code else None,
        remedy=say.remedy(code, where) if code else None,
        who=who_of(code, where) if code else None,
        answers=tuple(_answer(each) for each in answers),
        changes=tuple(_change(change, row, reveal=reveal) for change in changes),
        notes=tuple(_note(note, where, say) for note in row.notes),
        steps=tuple(_step(step) for step in steps),
    )


def _with_answers(message: str, code: str, row: ItemRow, answers: Iterable[VendorAnswer]) -> str:
    """The catalogue's sentence for the item's code, followed by the vendor's own words."""
    words = "".join(f"（{each.words}）" for each in answers if each.words)
    return said(message, code, row.notes) + words


def _answer(answer: VendorAnswer) -> AnswerView:
    return AnswerView(
        system=answer.system,
        step=answer.step,
        step_label=answer.step.label if answer.step else None,
        message=answer.words or None,
        items=answer.named,
        labels=tuple(BY_KEY[key].label for key in answer.named if key in BY_KEY),
    )


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
        same=change.same,
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


def _note(note: dict[str, Any], where: Place, say: Words) -> NoteView:
    code = note["code"]
    return NoteView(
        code=code,
        key=note["key"],
        severity=note["severity"],
        message=say.message(code, where),
        remedy=say.remedy(code, where) or None,
    )


def _step(step: StepRow) -> StepView:
    return as_row(StepView, step, step=step.step.value, label=step.step.label, state=step.state.value)

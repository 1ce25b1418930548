"""Remembers which employees keep ending badly in automatic runs, so that people are told about one cause once."""

from __future__ import annotations

from app.storage.runs.rows import ItemRow, NewItem
from app.storage.unit_of_work import UnitOfWork
from app.use_cases.context import Context


def note_trouble(
    ctx: Context, uow: UnitOfWork, of: ItemRow | NewItem, item_id: int, *, number: str, code: str | None
) -> None:
    """Note one more bad end of this employee in an automatic run. When the cause is the same as the time before, the
    item is marked as known, so that no mail tells of it again."""
    known = uow.troubles.note(
        of.connection_id,
        of.direction,
        of.source_id or "",
        employee_number=number,
        code=code or "unexpected",
        now=ctx.clock.now(),
        quarantine_after=ctx.settings.quarantine_after,
    )
    if known:
        uow.items.set_known(item_id)

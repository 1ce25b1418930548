"""The 連携履歴 of one run for the page a summary mail links to: when it began and ended, counts, reasons with remedies.

Holds no name, number or value: the page is opened by whoever has the link, like the mail itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.domain.catalogue import message_of, remedy_of
from app.domain.run_state import ItemState, RunState
from app.storage.words import HistoryKind
from app.use_cases.context import Context
from app.use_cases.history import find_run, run_views
from app.use_cases.views import RunView

ENTRIES = {HistoryKind.START: "従業員情報同期開始", HistoryKind.END: "従業員情報同期終了"}


@dataclass(frozen=True)
class Entry:
    """A line of the 連携履歴. `result` is the 実行結果, None at the start."""

    text: str
    at: datetime
    result: RunState | None


@dataclass(frozen=True)
class Cause:
    """Why so many people ended in a state that needs somebody."""

    state: ItemState
    message: str
    remedy: str
    people: int


@dataclass(frozen=True)
class RunStory:
    run: RunView
    company: str
    entries: tuple[Entry, ...]
    causes: tuple[Cause, ...]


def run_story(ctx: Context, public_id: str) -> RunStory:
    """Raises Refused("run_not_found")."""
    with ctx.unit_of_work().reading() as uow:
        row = find_run(uow, public_id)
        (run,) = run_views(ctx, uow, [row])
        connection = uow.connections.get(row.connection_id)
        lines = uow.history.of_run(row.id)
        causes = uow.items.causes(row.id)
    return RunStory(
        run=run,
        company=connection.name if connection else "",
        entries=tuple(Entry(ENTRIES[line.kind], line.at, line.result) for line in lines),
        causes=tuple(Cause(state, message_of(code), remedy_of(code), people) for state, code, people in causes),
    )

"""連携履歴: every run with its 開始 and 終了, narrowed to what the person looks for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import TypeVar

from flask import Response, request

from app.domain.access.roles import Permission
from app.domain.enums import Direction, Trigger
from app.domain.runs.words import RunWord
from app.use_cases.queries.run_list import Wanted, run_list
from app.web.current import current_context
from app.web.screens.base import needs, render, screens

W = TypeVar("W", bound=StrEnum)

YEARS = range(2000, 2100)


@screens.get("/runs")
@needs(Permission.SEE_RUNS)
def history() -> Response:
    wanted = Wanted(
        connection=request.args.get("connection") or None,
        direction=chosen(Direction, request.args.get("direction")),
        trigger=chosen(Trigger, request.args.get("trigger")),
        result=chosen(RunWord, request.args.get("result")),
        quiet=request.args.get("quiet") == "1",
        first_day=day(request.args.get("from")),
        last_day=day(request.args.get("to")),
    )
    shown = run_list(current_context(), wanted, after=position(request.args.get("after")))
    return render("history/list.html", wanted=wanted, shown=shown, narrowed=replace(wanted, quiet=False) != Wanted())


def chosen(words: type[W], given: str | None) -> W | None:
    """A member of a closed list; None for anything else, as if nothing had been chosen."""
    return next((word for word in words if word.value == given), None)


def day(given: str | None) -> date | None:
    """`YYYY-MM-DD`; None for anything else."""
    try:
        found = date.fromisoformat(given or "")
    except ValueError:
        return None
    return found if found.year in YEARS else None


def position(given: str | None) -> int | None:
    """The position where the page before ended; None for a text that is no such position."""
    text = given or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

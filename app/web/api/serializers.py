"""Views of the use cases as the schemas of the answers take them, for the API and for `--json` on the command line.

A schema reads a view by itself. Here stands what an answer has besides, and what it hides.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from app.domain.runs.run_state import ItemState
from app.use_cases.shared.views import (
    AnswerView,
    ChangeView,
    DeliveryState,
    DeliveryView,
    ItemView,
    Page,
    QueueView,
    RunView,
)
from app.web.i18n import DEFAULT, wording

HIDDEN = "••••"


def run(view: RunView) -> dict[str, Any]:
    """A run with every item state listed, so that a reader needs no default."""
    return {
        **_shallow(view),
        "state_label": view.word.label,
        "error_who_label": view.error_who.label if view.error_who else None,
        "counts": all_states(view.counts),
        "looked_at": all_states(view.looked_at),
        "left_out": [
            {"code": code, "message": wording(DEFAULT).message(code, view), "people": people}
            for code, people in view.left_out.items()
        ],
        "vendor_calls": {system: view.vendor_calls.get(system, 0) for system in ("smarthr", "freee")},
    }


def item(view: ItemView, *, values: bool) -> dict[str, Any]:
    """An item of a run, without its personal values when `values` is False.

    `values` False hides what a field was and what it becomes, and the vendor's own message, which may quote a name. The
    view has hidden masked items already.
    """
    return {
        **_shallow(view),
        "message": view.message if values else view.catalogue_message,
        "who_label": view.who.label if view.who else None,
        "state_label": view.state.label,
        "answers": [_answer(answer, values=values) for answer in view.answers],
        "changes": [_change(change, values=values) for change in view.changes],
    }


def run_page(page: Page[RunView]) -> dict[str, Any]:
    return {"items": [run(view) for view in page.items], "next_after": page.next_after}


def item_page(page: Page[ItemView], *, values: bool) -> dict[str, Any]:
    return {"items": [item(view, values=values) for view in page.items], "next_after": page.next_after}


def listed(views: Iterable[Any]) -> dict[str, Any]:
    """A list that always fits on one page."""
    return {"items": list(views)}


def queue(view: QueueView) -> dict[str, Any]:
    received = {str(state): view.deliveries_last_hour.get(state, 0) for state in DeliveryState}
    return {**_shallow(view), "items": all_states(view.items), "deliveries_last_hour": received}


def delivery(view: DeliveryView) -> dict[str, Any]:
    """A delivery. A list shows only how many people and which results: an import may name thousands of employees."""
    results = Counter(item.state for item in view.items)
    return {**_shallow(view), "people_count": len(view.people), "results": all_states(results)}


def delivery_page(page: Page[DeliveryView]) -> dict[str, Any]:
    return {"items": [delivery(view) for view in page.items], "next_after": page.next_after}


def all_states(counts: Mapping[ItemState, int]) -> dict[str, int]:
    return {str(state): counts.get(state, 0) for state in ItemState}


def _answer(view: AnswerView, *, values: bool) -> dict[str, Any]:
    return _shallow(view) | ({} if values else {"message": None})


def _change(view: ChangeView, *, values: bool) -> dict[str, Any]:
    shown = _shallow(view)
    if not values:
        shown |= {side: HIDDEN for side in ("before", "after") if shown[side] is not None}
    return shown


def _shallow(view: Any) -> dict[str, Any]:
    return {field.name: getattr(view, field.name) for field in dataclasses.fields(view)}

"""届いた通知: the list, one delivery with what became of it, and the replay. These pages show ids only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import flash, redirect, request
from flask import url_for as url
from werkzeug.wrappers import Response

from app.domain.access.roles import Permission
from app.domain.enums import System
from app.domain.errors import Refused
from app.use_cases.connections.connections import list_connections
from app.use_cases.intake import delivery_replay
from app.use_cases.monitoring import deliveries as cases
from app.use_cases.shared.delivery_lookup import DeliveryFilter
from app.use_cases.shared.views import DeliveryState
from app.web.current import current_context
from app.web.screens.base import me, needs, render, screens, wording_here
from app.web.screens.query_args import instant, whole_number

PAGE_SIZE = 50
MOST = 1000
"""The most deliveries that one press of the button replays."""
_MINUTE = timedelta(minutes=1)
_NAMES = ("connection", "system", "state", "since", "until", "failed")


@screens.get("/engine/deliveries")
@needs(Permission.SEE_ENGINE)
def deliveries() -> Response:
    ctx = current_context()
    connections = list_connections(ctx)
    wanted = _wanted({each.key for each in connections})
    page = cases.list_deliveries(ctx, wanted, after=whole_number("after"), limit=PAGE_SIZE)
    return render(
        "engine/deliveries.html",
        page=page,
        wanted=wanted,
        given=_given(),
        connections=connections,
        states=list(DeliveryState),
        may_replay=wanted.failed or wanted.since is not None,
    )


@screens.get("/engine/deliveries/<int:delivery_id>")
@needs(Permission.SEE_ENGINE)
def delivery(delivery_id: int) -> Response:
    return render("engine/delivery.html", delivery=cases.get_delivery(current_context(), delivery_id))


@screens.post("/engine/deliveries/<int:delivery_id>/replay")
@needs(Permission.OPERATE)
def replay_delivery(delivery_id: int) -> Response:
    words = wording_here()
    try:
        done = delivery_replay.replay(current_context(), delivery_id, by=me().actor)
    except Refused as refused:
        if refused.code == "delivery_not_found":
            raise
        flash(words.refusal(refused), "bad")
    else:
        flash(words("engine.replayed_one", n=done.people), "good")
    return redirect(url("screens.delivery", delivery_id=delivery_id), code=303)


@screens.get("/engine/deliveries/replay")
@needs(Permission.OPERATE)
def ask_replay() -> Response:
    """Show how many deliveries a replay would do again, before anything is done."""
    ctx = current_context()
    wanted = _wanted({each.key for each in list_connections(ctx)})
    number = cases.count_deliveries(ctx, wanted, most=MOST)
    return render("engine/replay.html", wanted=wanted, given=_given(), number=number, most=MOST)


@screens.post("/engine/deliveries/replay")
@needs(Permission.OPERATE)
def replay_deliveries() -> Response:
    ctx, words = current_context(), wording_here()
    wanted = _wanted({each.key for each in list_connections(ctx)})
    try:
        done = delivery_replay.replay_many(ctx, wanted, limit=MOST, after=whole_number("after"), by=me().actor)
    except Refused as refused:
        flash(words.refusal(refused), "bad")
        return redirect(url("screens.deliveries", **_given()), code=303)
    flash(words("engine.replayed_many", deliveries=done.replayed, people=done.people, skipped=done.skipped), "good")
    if done.next_after is not None:
        flash(words("engine.replayed_more", most=MOST), "warn")
        return redirect(url("screens.ask_replay", **_given(), after=done.next_after), code=303)
    return redirect(url("screens.deliveries", **_given()), code=303)


def _given() -> dict[str, Any]:
    """The filter as the address carries it."""
    return {name: value for name in _NAMES if (value := request.values.get(name, ""))}


def _wanted(keys: set[str]) -> DeliveryFilter:
    """The filter. A value that is not on its list counts as not chosen. `until` includes the whole minute it names."""
    given = _given()
    until = instant("until")
    return DeliveryFilter(
        connection=given.get("connection") if given.get("connection") in keys else None,
        system=System(given["system"]) if given.get("system") in list(System) else None,
        state=DeliveryState(given["state"]) if given.get("state") in list(DeliveryState) else None,
        since=instant("since"),
        until=None if until is None else until + _MINUTE,
        failed="failed" in given,
    )

"""Names of 締め日支払い日 groups: chosen from those that freee holds, and looked up before they are saved.

The page comes first and asks freee afterwards, so that nobody waits for freee to see the settings. What freee does not
answer can be typed as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response, request

from app.domain.access.roles import Permission
from app.domain.errors import AwaseError, Refused
from app.use_cases.connections.held_names import HeldNames, held_schedules, to_check
from app.web.current import current_context
from app.web.http.vendor_turns import ask_vendor
from app.web.screens.base import needs, render, screens, wording_here
from app.web.screens.connections.forms import Values, error_words

FIELD = "pay_schedule_name"
AS_TYPED = "as_typed"
"""The field by which a person says that a name is right although nobody at freee has it."""


@dataclass(frozen=True)
class Held:
    """What freee has answered; `away`: why it has not, and what to do."""

    names: HeldNames | None
    away: str = ""


@screens.get("/connections/<key>/pay-schedules")
@needs(Permission.SET_UP)
def pay_schedules(key: str) -> Response:
    """The part of the settings page that says which names freee holds."""
    return render("connections/held_names.html", held=read_held(key), key=key)


def asked_held(key: str) -> Held | None:
    """What freee holds, if the address of the page asks for it (without scripts); else None."""
    return read_held(key) if request.args.get("names") == "read" else None


def read_held(key: str) -> Held:
    """Ask freee. Raises Refused for an unknown connection."""
    ctx = current_context()
    try:
        return Held(ask_vendor(lambda: held_schedules(ctx, key)))
    except Refused as refused:
        if refused.code == "unknown_connection":
            raise
        return Held(None, error_words(refused))
    except AwaseError as error:
        return Held(None, error_words(error))


@dataclass(frozen=True)
class Looked:
    """What came of looking the names up: field → what is wrong with it; or why nobody could look."""

    faults: Mapping[str, str]
    away: str = ""


def look_up(key: str, default: Values, sets: Sequence[Values]) -> Looked:
    """Look up the names that are about to be saved, unless they are saved already or meant as they are."""
    typed = {FIELD: default.get(FIELD, ""), **{f"{at}.{FIELD}": each.get(FIELD, "") for at, each in enumerate(sets)}}
    new = to_check(current_context(), key, typed.values())
    if not new or request.form.get(AS_TYPED):
        return Looked({})
    held = read_held(key)
    if held.names is None:
        return Looked({}, held.away)
    unknown = {place: name for place, name in typed.items() if name in new and name not in held.names.names}
    return Looked({place: _unknown(held.names, name) for place, name in unknown.items()})


def _unknown(held: HeldNames, name: str) -> str:
    words, near = wording_here(), held.nearest(name)
    told = words("connections.held.not_there" if held.complete else "connections.held.not_among_the_first")
    return f"{told} {words('connections.held.perhaps', name=near)}" if near else told

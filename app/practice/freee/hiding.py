"""Items that the token may not see, by the switch `hidden_items`: null or not there in answers, untouched by writes.

freee documents no permission per item. The switch is there because a null that hides a value would look like a blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.practice.vendor_kit.fault_injection import FaultInjector, Switch

SWITCHES = (
    Switch("hidden_items", (), None, note="items the token may not see or write (title, phone1, retire_date, …)"),
    Switch("hidden_item", "null", ("null", "absent"), note="how a hidden item reads"),
)


def as_the_token_sees(answer: Any, injector: FaultInjector) -> Any:
    """The answer, with every hidden item in it null or left out."""
    hidden = set(injector.switch("hidden_items")) - {"id"}
    return _seen(answer, hidden, absent=injector.switch("hidden_item") == "absent") if hidden else answer


def untouched(taken: Mapping[str, Any], old: Mapping[str, Any] | None, injector: FaultInjector) -> dict[str, Any]:
    """What a write changes: hidden items stay as they are."""
    hidden = set(injector.switch("hidden_items"))
    kept = {name: value for name, value in (old or {}).items() if name in hidden}
    return {**{name: value for name, value in taken.items() if name not in hidden}, **kept}


def _seen(value: Any, hidden: set[str], *, absent: bool) -> Any:
    if isinstance(value, list):
        return [_seen(each, hidden, absent=absent) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: None if name in hidden else _seen(each, hidden, absent=absent)
        for name, each in value.items()
        if not (absent and name in hidden)
    }

"""Switches of a vendor that does not keep what it is sent, although it answers with 200.

Names are those of the vendor's own fields, without the object around them: `tel_number`, `title`, `birth_date`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.practice.vendor_kit.fault_injection import Switch

SWITCHES = (
    Switch("ignores_writes_of", (), None, note="fields that stay as they are, whatever is sent"),
    Switch("shortens_writes_of", (), None, note="fields whose text is kept without its last character"),
    Switch("forgets_writes_of", (), None, note="fields that the answer shows as sent, and no later reading"),
)


def kept(sent: Mapping[str, Any], switch: Callable[[str], Any]) -> dict[str, Any]:
    """What the vendor keeps of the fields it was sent."""
    lost = {*switch("ignores_writes_of"), *switch("forgets_writes_of")}
    short = set(switch("shortens_writes_of"))
    return {name: _shorter(value) if name in short else value for name, value in sent.items() if name not in lost}


def told(shown: Mapping[str, Any], sent: Mapping[str, Any], switch: Callable[[str], Any]) -> dict[str, Any]:
    """The answer of the write: the object as it is shown, with the fields that are forgotten as soon as it is sent."""
    forgotten = {name: sent[name] for name in switch("forgets_writes_of") if name in sent and name in shown}
    return {**shown, **forgotten}


def _shorter(value: Any) -> Any:
    return value[:-1] if isinstance(value, str) and len(value) > 1 else value

"""The allow list: every attribute that a span may carry, and what its values may be.

Whatever is not named here, or does not have the form named here, is left out, so that no caller can let a name, a
number of a person or a body out by mistake. Paths of vendors hold ids of people; of a path only the vendors' own words
are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from app.domain.enums import Direction, Step, System, Trigger
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.runs.run_state import ItemState, RunState

Value = str | int | bool


def _as_it_is(value: object) -> object:
    return str(value) if isinstance(value, str) else value


class Attribute(NamedTuple):
    """`name`: as the collector sees it. `fits`: whether a value may leave; `form`: how it leaves."""

    name: str
    fits: Callable[[object], bool]
    form: Callable[[Any], Any] = _as_it_is


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _run(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _code(value: object) -> bool:
    return value in CATALOGUE


def _path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/")


def path_template(path: str) -> str:
    """The path with `{id}` in place of whatever is no word of the vendors."""
    return "/".join(part if part in PATH_WORDS or not part else ID for part in path.split("/"))


def _one_of(words: Iterable[str]) -> Callable[[object], bool]:
    known = frozenset(map(str, words))
    return lambda value: isinstance(value, str) and value in known


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EVENTS = (
    *(f"{what}_{how}" for what in ("crew", "dependent") for how in ("created", "updated", "deleted", "imported")),
    *("created", "updated", "destroyed"),
)
"""The events of SmartHR and of freee that Awase knows; an unknown one is a text of a stranger."""
_STATES: tuple[type[StrEnum], ...] = (RunState, ItemState)
_MAIL_STATES = ("sent", "failed", "skipped")

ATTRIBUTES: Mapping[str, Attribute] = {
    "run_id": Attribute("awase.run.id", _run),
    "connection_id": Attribute("awase.connection.id", _whole),
    "item_id": Attribute("awase.item.id", _whole),
    "delivery_id": Attribute("awase.delivery.id", _whole),
    "mail_id": Attribute("awase.mail.id", _whole),
    "attempt": Attribute("awase.attempt", _whole),
    "direction": Attribute("awase.direction", _one_of(Direction)),
    "trigger": Attribute("awase.trigger", _one_of(Trigger)),
    "dry_run": Attribute("awase.dry_run", _flag),
    "state": Attribute("awase.state", _one_of((*(state for kind in _STATES for state in kind), *_MAIL_STATES))),
    "code": Attribute("awase.code", _code),
    "people": Attribute("awase.people", _whole),
    "step": Attribute("awase.step", _one_of(Step)),
    "system": Attribute("awase.system", _one_of((*System, "freee-accounts"))),
    "event": Attribute("awase.event", _one_of(_EVENTS)),
    "repeated": Attribute("awase.repeated", _flag),
    "method": Attribute("http.request.method", _one_of(("GET", "POST", "PUT", "PATCH", "DELETE"))),
    "status": Attribute("http.response.status_code", _whole),
    "path": Attribute("url.template", _path, path_template),
}
"""Keyword of the callers → the attribute."""

NAMES = (
    "run",
    "survey",
    "item",
    "step",
    "vendor call",
    "mail",
    "webhook",
    "webhook sorted",
)
"""Every name of a span."""

PATH_WORDS = frozenset(
    re.findall(
        r"\S+",
        "api v1 authorize companies employees users me public_api token crews job_titles webhooks"
        " profile_rule health_insurance_rule welfare_pension_insurance_rule bank_account_rule",
    )
)
"""The words of the vendors' paths. Everything else in a path is an id."""
ID = "{id}"


def allowed(attributes: Mapping[str, object]) -> dict[str, Value]:
    """What of these may leave, by the collector's names. None stands for nothing."""
    found: dict[str, Value] = {}
    for key, value in attributes.items():
        attribute = ATTRIBUTES.get(key)
        if attribute is not None and value is not None and attribute.fits(value):
            found[attribute.name] = attribute.form(value)
    return found

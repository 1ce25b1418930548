"""freee人事労務's webhooks (beta): they tell which employee and what kind of event, never the change itself."""

from __future__ import annotations

from app.adapters.webhook import delivery_id_of, ids_of, json_object, moment_of, name_of
from app.domain.enums import System
from app.domain.runs.commands import ReceivedEvent

HEADER = "x-freee-token"
RESOURCE = "hr:employee"
ACTIONS = frozenset({"created", "updated", "destroyed"})
"""The actions of the resource `hr:employee`. The shape of the body is known from third parties only, so Awase relies on
nothing but its ids."""


def parse_event(body: bytes) -> ReceivedEvent:
    """The event in a body. Raises BadBody for a body that is no JSON object; any other body is an event, perhaps an
    unknown one."""
    raw = json_object(body)
    employee = raw.get("employee")
    employee = employee if isinstance(employee, dict) else {}
    resource, action = name_of(raw.get("resource")), name_of(raw.get("action"))
    people = tuple(each for each in ids_of([employee.get("id")]) if each.isdecimal())
    return ReceivedEvent(
        system=System.FREEE,
        name=action if resource == RESOURCE else f"{resource}:{action}"[:64],
        known=resource == RESOURCE and action in ACTIONS and bool(people),
        people=people,
        company_id=_company_of(employee.get("company_id")),
        delivery_id=delivery_id_of(raw.get("id")),
        triggered_at=moment_of(raw.get("created_at")),
    )


def _company_of(value: object) -> int | None:
    """The company's id; None for a value that cannot be one, because no database takes a number without bounds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63 else None

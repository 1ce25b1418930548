"""SmartHR's webhooks: which employees an event names, from full bodies and from bodies with
ids only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.adapters.webhook import ids_of, json_object, moment_of, name_of
from app.domain.enums import System
from app.domain.runs.commands import ReceivedEvent

HEADER = "X-SmartHR-Token"

CREW = "crew"
DEPENDENT = "dependent"
IMPORT = "import"

EVENTS: Mapping[str, str] = {
    "crew_created": CREW,
    "crew_updated": CREW,
    "crew_deleted": CREW,
    "crew_imported": IMPORT,
    "dependent_created": DEPENDENT,
    "dependent_updated": DEPENDENT,
    "dependent_deleted": DEPENDENT,
    "dependent_imported": IMPORT,
}
"""Event → the kind of ids its body holds. Each event is a switch of a registration (contract: Webhook)."""


def parse_event(body: bytes) -> ReceivedEvent:
    """The event in a body. Raises BadBody for a body that is no JSON object; any other body is an event, perhaps an
    unknown one."""
    raw = json_object(body)
    name = name_of(raw.get("event"))
    people = ids_of(_people(raw, EVENTS.get(name)))
    return ReceivedEvent(
        system=System.SMARTHR,
        name=name,
        known=name in EVENTS and bool(people),
        people=people,
        triggered_at=moment_of(raw.get("triggered_at")),
    )


def _people(raw: Mapping[str, Any], kind: str | None) -> Iterator[object]:
    """Ids of the crews that an event names. A change of a family member counts as a change of the crew."""
    if kind == CREW:
        yield from _field(raw.get("crew"), "id")
    elif kind == DEPENDENT:
        yield from _field(raw.get("dependent"), "crew_id")
    elif kind == IMPORT:
        for result, field in (("crew_import_result", "id"), ("dependent_import_result", "crew_id")):
            for people in _lists(raw.get(result)):
                for person in people:
                    yield from _field(person, field)


def _lists(result: object) -> Iterator[list[object]]:
    """The lists of an import's result: `created_…` and `updated_…`."""
    if isinstance(result, dict):
        yield from (each for each in result.values() if isinstance(each, list))


def _field(record: object, name: str) -> Iterator[object]:
    if isinstance(record, dict) and name in record:
        yield record[name]

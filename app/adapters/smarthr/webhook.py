"""SmartHR's webhooks: what an event is about (smarthr-api.md 7.2, 7.3). Full bodies and bodies with ids only alike."""

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
"""Event → whose ids its body holds. All of them are switches of a registration (contract: Webhook)."""


def parse_event(body: bytes) -> ReceivedEvent:
    """Raises BadBody for what is no JSON object. Anything else is an event, perhaps one we do not know."""
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
    """Ids of crews. A family member counts as a change of its crew."""
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
    """`created_…` and `updated_…` of an import."""
    if isinstance(result, dict):
        yield from (each for each in result.values() if isinstance(each, list))


def _field(record: object, name: str) -> Iterator[object]:
    if isinstance(record, dict) and name in record:
        yield record[name]

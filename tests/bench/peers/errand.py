"""One job of the peers: fetch both sides, plan, write, as the straight script does; nothing is kept, nothing is sure.

Workers get the vendors' addresses and what the survey found out from the environment, so that a payload is ids alone.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from app.adapters.municipalities import municipalities
from app.domain.settings.connection_settings import MappingOptions
from tests.bench.straight import Script, script_for

SMARTHR, FREEE, TODAY, READABLE = "BENCH_SMARTHR", "BENCH_FREEE", "BENCH_TODAY", "BENCH_READABLE"
SOCKET = "BENCH_BROKER"
DATABASE = 1
"""Of the house's broker; its own queues are in another."""
WRITTEN, UNCHANGED, REFUSED = OUTCOMES = ("written", "unchanged", "refused")
_of_thread = threading.local()


def errands(script: Script) -> Iterator[dict[str, Any]]:
    """The survey: a job for everybody of whom a loop could decide something."""
    employees = script.employees()
    for crew in script.crews():
        rows = employees.get(crew.get("emp_code") or "", [])
        if script.takes_part(crew) and crew.get("emp_code") and len(rows) < 2:
            yield {"crew": crew["id"], "row": rows[0] if rows else None}


def carry_out(errand: Mapping[str, Any]) -> str:
    """`{"crew": id, "row": freee's row or None}` → one of OUTCOMES."""
    script = _script()
    crew = script.smarthr.send("GET", f"/v1/crews/{errand['crew']}").json()
    written, refused = script.written, script.refused
    script.one(crew, errand["row"], _options())
    if script.refused > refused:
        return REFUSED
    return WRITTEN if script.written > written else UNCHANGED


def _script() -> Script:
    """One a thread, with connections that are kept."""
    if not hasattr(_of_thread, "script"):
        today = date.fromisoformat(os.environ[TODAY])
        _of_thread.script = script_for(os.environ[SMARTHR], os.environ[FREEE], today)
    script: Script = _of_thread.script
    return script


def _options() -> MappingOptions:
    readable = frozenset(json.loads(os.environ[READABLE]))
    return MappingOptions(
        municipalities=municipalities(), readable_attributes=readable, as_of_date=date.fromisoformat(os.environ[TODAY])
    )

"""One sweep of a house that stands already, by the code of the checkout in which this runs (`one_item_more`).

The database and both vendors are those of the house that asks; the process is another one, with other rules.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from app.domain.mapping import FIELDS
from app.domain.planning.rule_version import ROWS
from app.use_cases.survey.sweep import request_sweep
from tests.clock import TurnedClock
from tests.house import HeldQueue, House, OpenLimiter, Postbox, process_of, settings_for
from tests.use_cases.test_sweep import tick


def swept(told: dict[str, Any]) -> dict[str, Any]:
    began = datetime.fromisoformat(told["now"])
    settings = settings_for(Path(told["folder"]), smarthr=told["smarthr"], freee=told["freee"], **told["variables"])
    clock, queue, postbox, limiter = TurnedClock(began), HeldQueue(), Postbox(), OpenLimiter()
    ctx, database = process_of(settings, clock, limiter, queue, postbox)
    outside: Any = None  # the vendors are the asking process's
    house = House(ctx, clock, queue, postbox, limiter, outside, outside, outside, outside, outside, outside, database)
    clock.turn(minutes=6)
    request_sweep(ctx, house.connection.id)
    runs = tick(house)
    with ctx.unit_of_work() as uow:
        rows = [uow.runs.get_by_public_id(run.id) for run in runs]
    found = {
        "items": [row.key for row in FIELDS],
        "rows": ROWS,
        "runs": len(runs),
        "missed": sorted((each["system"], each["id"]) for row in rows if row for each in row.missed or []),
        "ended": [
            (
                item.source_id,
                item.state.value,
                item.error_code,
                [(note["code"], note["key"]) for note in item.notes or []],
            )
            for run in runs
            for item in house.items(run)
        ],
        "mails": len(postbox.mails),
        "seconds": (clock.now() - began).total_seconds(),
    }
    database.dispose()
    return found


if __name__ == "__main__":
    print(json.dumps(swept(json.loads(sys.argv[1]))))

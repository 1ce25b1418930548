"""The small form of `make storm`: hundreds of webhooks with real processes, a worker killed, judged from outside."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.storm.run import passed, table
from tests.storm.storm import USUAL, Options, play

pytestmark = [pytest.mark.processes, pytest.mark.timeout(1200), pytest.mark.reach("all")]

SOON = {**USUAL, "LEASE_SECONDS": "3", "RECONCILE_SECONDS": "1", "RELAY_SECONDS": "0.1", "RETRY_BASE_SECONDS": "0.2"}


@pytest.mark.usefixtures("proc")
@pytest.mark.parametrize(("connections", "people"), [(1, 60), (20, 200)])
def test_a_small_storm_loses_doubles_and_leaves_nothing(tmp_path: Path, connections: int, people: int) -> None:
    options = Options(
        webhooks=600,
        people=people,
        connections=connections,
        kill_every=2.0,
        kills=1,
        quiet_window="1",
        latency_edits=0,
        await_sweep=False,
        patience=200 if connections == 1 else 600,
        env=SOON,
    )
    told = play(tmp_path, options)
    print(table(told), file=sys.stderr)
    assert told["verdict"] == {"lost": [], "doubled": [], "unequal": [], "open": []}
    assert told["killed"] == 1
    assert told["answers"]["statuses"]["202"] == told["deliveries"] > told["webhooks"] == 600
    assert told["items"]["succeeded"] > people / 2, "something was brought over"
    assert told["canary"]["leaks"] == {}
    assert told["canary"]["self_test_missed"] == []
    searched = set(told["canary"]["searched"])  # a done job leaves no payload: one may be seen or not
    assert searched >= {"broker", "database", "logs", "mails", "metrics"}
    assert passed(json.loads(json.dumps(told)))

"""The small form of `make siege`: everything rude at once on a real house, and nobody honest is turned away or lost."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.siege.run import Options, missed, play, table

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300), pytest.mark.reach("all")]


@pytest.mark.usefixtures("proc")
def test_a_small_siege_stops_nobody(tmp_path: Path) -> None:
    told = json.loads(json.dumps(play(tmp_path, Options(seconds=8, sign_ins=16, previews=45))))
    print(table(told), file=sys.stderr)
    assert [each for each in missed(told) if " ms" not in each] == [], "all are answered and stored"
    assert max(one["max_ms"] for one in told["met"].values()) < 10_000, "times belong to the machine; make siege judges"
    besiegers = told["besiegers"]
    assert besiegers["rude"]["opened"]["heads"] >= 400 and besiegers["rude"]["opened"]["bodies"] >= 400
    assert besiegers["sign-ins"]["statuses"] and besiegers["comparisons"]["statuses"].get("503")
    assert besiegers["previews"]["statuses"] == {"202": 45}

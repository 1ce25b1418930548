"""Every boundary: an ordinary day is traced once, then it happens again with a death or an error at each boundary seen.

ChaoticJob's idea with real processes. A boundary nobody reaches the second time is told as not reached.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from tests.chaos.parts import wait_for
from tests.chaos.scene import Scene
from tests.chaos.workload import TO_SMARTHR

FORGIVING = {"MAX_STARTS": "40", "MAX_ATTEMPTS": "60"}
"""A house in which one employee may die many times: poison has a fault of its own."""


def ordinary_day(scene: Scene) -> None:
    """Both directions with creates, and a preview that is approved."""
    scene.start(3, 2)
    scene.start(2, 0, direction=TO_SMARTHR)
    preview = scene.edit(1, 0)
    scene.work.trigger(preview, dry_run=True)
    wait_for(lambda: scene.state(preview) == "previewed" or scene.is_final(preview), seconds=180, what="a preview")
    _approve(scene, preview.run_id)


def _approve(scene: Scene, run_id: str) -> None:
    """Again until it is so: an answer may be lost, and then it says 409."""
    (preview,) = (batch for batch in scene.batches if batch.run_id == run_id)

    def approved() -> bool:
        if scene.state(preview) not in ("", "previewed"):
            return True
        scene.work.try_once(f"/api/v1/runs/{run_id}/approve")
        return False

    wait_for(approved, seconds=60, what="an approval")


def groups(sites: Sequence[str], size: int) -> Iterator[list[str]]:
    """Portions of the sites, those of mails first: a dead sender's mail waits for the longest lease."""
    ordered = sorted(sites, key=lambda site: ("mail" not in site, site))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def meet(scene: Scene, sites: Sequence[str], what: str) -> list[str]:
    """An ordinary day with these boundaries armed. Returns those that were not reached."""
    points = scene.house.failpoints
    known = len(points.hits())
    for site in sites:
        points.arm(site, what)
    ordinary_day(scene)
    for batch in scene.batches:
        wait_for(lambda: scene.is_final(batch), seconds=180, what="the run")  # noqa: B023
    for _ in range(30):
        if len(points.hits()) - known == len(sites):
            break
        time.sleep(0.1)  # mails and periodic work come after the end
    left = points.disarm()
    hits = points.hits()[known:]
    scene.over_at = hits[-1][2] if hits else time.time()
    return left

"""F25: the database is put back to a backup made in the middle of work, while both vendors have gone on.

What Awase has done since is in the vendors and not in its database. Judged: nobody is made twice, everybody is equal in
the end, and no mail of a run that had ended by the backup goes out again. Forgotten is the history since the backup; a
run that was open then may send its mail again, with the same Message-ID. Webhooks answered since are known to nobody:
the sweep finds what they were about.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from tests.chaos import backup
from tests.chaos.automatic import is_quiet
from tests.chaos.evidence import Mail, mails
from tests.chaos.house import House
from tests.chaos.judge import Broken, of_freee, of_smarthr
from tests.chaos.parts import wait_for
from tests.chaos.scene import NotReached, Scene
from tests.chaos.workload import Batch

SWEEPING = {"SWEEP_MINUTES": "0.5"}
"""An hour, in a house that is restored."""
SWEEP_SECONDS = 240
"""Restored is the lease of a cron process that is gone, too: a minute and a half until the new one may lead."""
WORK_SECONDS = 120
SLACK_SECONDS = 2.0
"""A write may reach a vendor just before the backup, and its step be stored just after it."""


def restored(scene: Scene) -> None:
    """Work that is in flight at the backup and done by the restore, people made since, and in the long form besides
    edits that were only heard of, and in turn a new pair of tokens: then the backup's is worth nothing any more, and a
    human consents. The sweep needs its time, so the short form, in which nothing is left to find, does not wait for it.
    """
    house = scene.house
    renewed = scene.long and scene.turn % 2 == 1
    wait_for(lambda: is_quiet(house), seconds=WORK_SECONDS, what="a quiet moment")
    ended = mails(house.mails)
    scene.start(4, 2)
    scene.await_writes(2)
    since = time.time() - SLACK_SECONDS
    backup.take(house, house.folder / "backup")
    if renewed:
        house.freee.ask("POST", "tokens", {"action": "expire"})
    scene.start(3, 2)
    wait_for(lambda: is_quiet(house), seconds=WORK_SECONDS, what="the end of what the backup does not know")
    if scene.long:
        _refused_on_the_way(scene, scene.start(3, 1))
    house.stop_service()
    house.freee.no_faults()
    backup.put_back(house, house.folder / "backup")
    at = time.time()
    scene.lane.forgotten.append((since, at))
    scene.lane.unheard |= {number for batch in scene.batches for number in batch.numbers}
    house.start_service()
    scene.over()
    if renewed:
        wait_for(lambda: house.connection_state() == "needs_consent", seconds=WORK_SECONDS, what="needs consent")
        house.consent()
        scene.over()
    if scene.long:
        wait_for(lambda: _swept(house, at), seconds=SWEEP_SECONDS, what="a sweep of both directions")
    wait_for(lambda: is_quiet(house), seconds=WORK_SECONDS, what="the end of it")
    scene.findings += judge_ended(ended, mails(house.mails))


def _refused_on_the_way(scene: Scene, batch: Batch) -> None:
    """freee takes two writes and no more: webhooks have been answered whose work is not done. Raises NotReached."""
    house = scene.house
    rule = {"path": "/hr/api", "status": 503, "times": 10_000, "body": {}}
    house.freee.fault(*({**rule, "method": method, "nth": nth} for method, nth in (("PUT", 3), ("POST", 1))))
    wait_for(lambda: any(rule["fired"] for rule in house.freee.ask("GET", "faults")), seconds=60, what="a refusal")
    wait_for(house.smarthr.is_idle, seconds=60, what="webhooks that are answered")
    if not different(house, batch):
        raise NotReached("everybody was equal already")


def different(house: House, batch: Batch) -> list[str]:
    """Numbers of those who are not the same on both sides."""
    crews = {
        each["emp_code"]: of_smarthr(each)
        for each in house.smarthr.state()["crews"]
        if each["emp_code"] in batch.numbers
    }
    people = {each["num"]: of_freee(each) for each in house.freee.state()["employees"] if each["num"] in batch.numbers}
    return sorted(number for number in batch.numbers if crews.get(number) != people.get(number))


def _swept(house: House, since: float) -> bool:
    """Both directions have been compared anew, and ended."""
    moment = datetime.fromtimestamp(since, UTC)
    ended = {
        run["direction"]
        for run in house.api.pages("/api/v1/runs")
        if run["trigger"] == "schedule" and run["finished_at"] and datetime.fromisoformat(run["created_at"]) >= moment
    }
    return len(ended) == 2


def judge_ended(before: Iterable[Mail], after: Iterable[Mail]) -> list[Broken]:
    """No mail that had gone out by the backup may come again."""
    had, have = (Counter(mail.message_id for mail in each) for each in (before, after))
    again = sorted(message_id for message_id in had if have[message_id] > had[message_id])
    return [
        Broken("I4", f"{message_id} went out before the backup, and again after its restore") for message_id in again
    ]

"""Walks that edit, break and mend, with runs, comparisons and webhooks in any order. A comparison never repeats
an attempt at values that were refused, and after it everybody whose values have changed was tried, or is offered."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random

import pytest

from app.domain.enums import Direction
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import build_company
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.survey import sweep
from tests.house import House, open_house
from tests.listening import automatic, now_in_japan
from tests.use_cases.test_attention_model import TODAY
from tests.use_cases.test_attention_state import rows
from tests.use_cases.test_healing import REFUSED
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

PEOPLE = 2
TO_FREEE = Direction.SMARTHR_TO_FREEE
STEPS = 14


class Healing:
    """`phones`: the number in SmartHR, now; `there`: the one in freee; `refused`: the one that freee refused last."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="healing-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))

    def open(self, on: bool) -> None:
        company = only(build_company(TODAY), "equal", most=PEOPLE)
        self.house: House = open_house(self.folder, company)
        self.scenarios = company.scenarios
        self.phones: list[str] = [""] * PEOPLE
        self.there, self.refused = list(self.phones), [""] * PEOPLE
        self.is_refusing = False
        self.run_by_a_person()
        self.automatic(on)
        self.sent_and_refused(0, 1)

    def teardown(self) -> None:
        self.house.close()
        shutil.rmtree(self.folder)

    def is_edited(self, who: int, nth: int) -> None:
        self.phones[who] = f"080-0000-000{nth}"
        self.house.smarthr.edit(str(self.scenarios[who].crew_id), {"tel_number": self.phones[who]})

    def refuses(self, on: bool) -> None:
        self.is_refusing = on
        self.house.freee_injector.clear_faults()
        if on:
            self.house.freee_injector.fault(method="PUT", path="/profile_rule", times=500, status=400, body=REFUSED)

    def sent_and_refused(self, who: int, nth: int) -> None:
        self.is_edited(who, nth)
        self.refuses(True)
        self.run_by_a_person()

    def automatic(self, on: bool) -> None:
        automatic(self.house, Automatic.SMARTHR_TO_FREEE if on else Automatic.OFF)

    # ── attempts ──────────────────────────────────────────────────────────────────────────────────────────────────

    def run_by_a_person(self) -> None:
        self.house.clock.turn(minutes=1)
        self.house.run(TO_FREEE, as_of_date=now_in_japan(self.house))
        for who in range(PEOPLE):
            self._tried(who)

    def webhook(self, who: int) -> None:
        if not self._is_on:
            return
        house = self.house
        with house.ctx.unit_of_work() as uow:
            asked = [SyncRequest(house.connection, TO_FREEE, str(self.scenarios[who].crew_id))]
            collect_events(house.ctx, uow, asked, now=house.clock.now())
        house.clock.turn(minutes=1)
        house.work()
        self._tried(who)

    def comparison(self) -> None:
        """The law."""
        house, due = self.house, [who for who in range(PEOPLE) if self._differs(who)]
        before = [self._requests(who) for who in range(PEOPLE)]
        house.clock.turn(minutes=6)
        if self._is_on:
            sweep.request_sweep(house.ctx, house.connection.id)
            while sweep.sweep_due(house.ctx):
                house.work()
        else:
            house.run(TO_FREEE, as_of_date=now_in_japan(house), dry_run=True)
        for who in range(PEOPLE):
            was_tried = self._requests(who) > before[who]
            blind = self.phones[who] == self.refused[who]
            if self._is_on:
                assert was_tried == (who in due and not blind)
                if was_tried:
                    self._tried(who)
            else:
                assert not was_tried
                row = rows(house).get(str(self.scenarios[who].crew_id))
                assert row is None or bool(row.mended) == (not blind)

    # ── what is known ─────────────────────────────────────────────────────────────────────────────────────────────

    def _tried(self, who: int) -> None:
        if self._differs(who) and self.is_refusing:
            self.refused[who] = self.phones[who]
        else:
            self.there[who], self.refused[who] = self.phones[who], ""

    def _differs(self, who: int) -> bool:
        return self.phones[who] != self.there[who]

    def _requests(self, who: int) -> int:
        return self.house.freee_injector.calls("PUT", f"/employees/{self.scenarios[who].employee_id}/profile_rule")

    @property
    def _is_on(self) -> bool:
        return self.house.connection.automatic is not Automatic.OFF


def act(walk: Healing, random: Random) -> None:
    """Something happens, most often what leads to a trouble or out of it."""
    who, nth = random.randrange(PEOPLE), random.randint(1, 3)
    acts = (
        lambda: walk.is_edited(who, nth),
        lambda: walk.is_edited(who, nth),
        lambda: walk.sent_and_refused(who, nth),
        lambda: walk.refuses(random.random() < 0.5),
        lambda: walk.automatic(random.random() < 0.7),
        lambda: walk.webhook(who),
        walk.run_by_a_person,
    )
    random.choice(acts)()


@pytest.mark.few(2)
@pytest.mark.parametrize("seed", range(4))
def test_no_refused_values_are_sent_twice_and_every_change_is_tried_or_offered(seed: int) -> None:
    walk, random = Healing(), Random(seed)
    try:
        walk.open(seed % 2 == 0)
        for _ in range(STEPS):
            act(walk, random)
            walk.comparison()
    finally:
        walk.teardown()

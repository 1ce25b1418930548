"""Promise 14 over any sequence: whoever acts in what order, nobody is first and second, and no program is second."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.settings.two_persons import TwoPersons
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.connections.two_persons import set_two_persons
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.upkeep import reconcile
from tests.house import KEY, House
from tests.listening import now_in_japan
from tests.properties import MORE, PROFILE
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_two_persons import Office, key_of

STEPS = 70 * (MORE if PROFILE == "long" else 1)


class Play:
    """Plays actions against a house. `firsts`: run that waits → who has asked for it, as the play itself knows."""

    def __init__(self, office: Office, chance: random.Random) -> None:
        self.office, self.house, self.chance = office, office.house, chance
        self.key = key_of(self.house, "runs:write", "accounts:write")
        self.firsts: dict[str, set[str]] = {}
        self.decided = 0

    def step(self) -> None:
        before, waiting = self.office.account(), {each.run for each in self.office.waiting}
        is_on = self.house.connection.two_persons is not TwoPersons.OFF
        off_by = self.house.connection.two_persons_off_by
        actors, decision = self._act()
        for each in self.office.waiting:
            self.firsts.setdefault(each.run, set(actors))
        if self.office.account() == before:
            return
        if decision is None:
            assert not is_on, "written by one person while two are asked for"
            assert not waiting, "written by another run while it waits"
            return
        self.decided += 1
        (decider,) = actors
        assert decider.startswith("user:") and decider != off_by
        assert decider not in self.firsts[decision]

    def _act(self) -> tuple[list[str], str | None]:
        """Do something. Returns whoever has acted, and the run on which somebody has decided."""
        waits = bool(self.office.waiting)
        usual = ["edit", "edit", "run", "preview", "switch", "pass"]
        what = self.chance.choice([*usual, *(["decide"] * 6 + ["decline"] if waits else ["run", "preview"])])
        one, other = (self.chance.choice(self._everybody) for _ in range(2))
        run = self.chance.choice([each.run for each in self.office.waiting] or [""])
        try:
            return self._done(what, one, other, run)
        except Refused:
            return [one, other], None
        finally:
            self.house.work()

    def _done(self, what: str, one: str, other: str, run: str) -> tuple[list[str], str | None]:
        ctx = self.house.ctx
        if what == "edit":
            self.office.move_account(number=f"90000{self.chance.randrange(10, 99)}")
        elif what == "run":
            self._run(one)
            return [one], None
        elif what == "preview":
            preview = self._run(one, dry_run=True)
            approve_retry_cancel.approve(ctx, preview.id, by=other, acknowledged=True)
        elif what == "switch" and one.startswith("user:"):
            set_two_persons(
                ctx, KEY, mode=self.chance.choice(["off", "accounts", "accounts", "accounts_and_income"]), by=one
            )
        elif what == "pass":
            self.house.clock.turn(hours=self.chance.randrange(1, 40))
            reconcile.reconcile_once(ctx)
        elif what == "decline" and run:
            approve_retry_cancel.cancel(ctx, run, by=one)
        elif what == "decide" and run:
            approve_retry_cancel.approve(ctx, run, by=one, acknowledged=True)
            return [one], run
        return [one, other], None

    @property
    def _everybody(self) -> list[str]:
        administrators = [self.office.aoki, self.office.baba, self.office.chiba]
        return [*administrators * 3, self.office.viewer, self.key, "cli"]

    def _run(self, by: str, **more: Any) -> Any:
        day = now_in_japan(self.house)
        return self.house.run(Direction.SMARTHR_TO_FREEE, as_of_date=day, started_by=by, **more)


@pytest.mark.reach("test")
@pytest.mark.parametrize("seed", thinned(3, range(3)))
def test_never_one_person_both_first_and_second(
    open_practice: Callable[..., House], company: PracticeCompany, seed: int
) -> None:
    house = open_practice(only(company, "equal", most=1))
    house.run(Direction.SMARTHR_TO_FREEE, as_of_date=now_in_japan(house))
    play = Play(Office(house), random.Random(seed))
    for _ in range(STEPS):
        play.step()
    assert play.decided, "nobody has decided on anything"

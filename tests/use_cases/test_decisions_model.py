"""A machine that tries together what waits for people: the limits of a day, stopped changes, two persons, and automatic
sync that begins with a preview, in any order.

After every act the accounts in freee are compared with those of before: no account that waited is written by anything
but a decision on it, nobody is first and second, a day never has more unasked accounts than its limit, nothing is
written before the automatic sync has begun, and the counts of a run over everybody are everybody.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from app.domain.enums import Trigger
from app.domain.errors import Refused
from app.domain.planning.mass_change import DAY, Effect, limit_of
from app.domain.planning.stopping import StopReason, StopState
from app.domain.runs.run_state import RunState
from app.domain.settings.two_persons import TwoPersons
from app.practice.staff.practice_company import build_company
from app.storage.runs.rows import RunRow
from app.use_cases.connections.two_persons import set_two_persons
from app.use_cases.intake import approve_retry_cancel
from tests.beginnings import compared, marks, switch
from tests.house import KEY, House, open_house
from tests.listening import now_in_japan
from tests.properties import examples
from tests.use_cases.test_job import only
from tests.use_cases.test_two_persons import TO_FREEE, Office

pytestmark = pytest.mark.reach("test")  # long journeys

TODAY = date(2026, 11, 11)
PEOPLE = 6
MOST = limit_of(Effect.BANK, linked=PEOPLE)
people, users = st.integers(0, PEOPLE - 1), st.integers(0, 2)


@dataclass(frozen=True)
class Before:
    accounts: dict[int, str]
    waiting: dict[StopReason, set[int]]
    two_are_asked: bool
    off_by: str | None
    has_begun: bool


class Decisions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="decisions-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.unasked: list[tuple[datetime, int]] = []

    @initialize()
    def open(self) -> None:
        company = only(build_company(TODAY), "equal", most=PEOPLE)
        self.house: House = open_house(self.folder, company)
        self.house.run(TO_FREEE, as_of_date=now_in_japan(self.house))
        self.office = Office(self.house)
        self.users = (self.office.aoki, self.office.baba, self.office.chiba)
        set_two_persons(self.house.ctx, KEY, mode="off", by="cli")

    def teardown(self) -> None:
        self.house.close()
        shutil.rmtree(self.folder)

    # ── what people do ────────────────────────────────────────────────────────────────────────────────────────────

    @rule(who=st.sets(people, min_size=1), number=st.integers(10, 13))
    def accounts_change(self, who: set[int], number: int) -> None:
        for nth in who:
            self.office.move_account(nth, f"90000{number}")

    @rule(nth=people, number=st.integers(1000, 1009))
    def something_else_changes(self, nth: int, number: int) -> None:
        self.house.smarthr.edit(self.house.smarthr.crews[nth]["id"], {"tel_number": f"080-1234-{number}"})

    @rule(user=users, acknowledged=st.sampled_from([False, False, True]))
    def somebody_runs(self, user: int, acknowledged: bool) -> None:
        with self._nothing_forbidden(acknowledged=acknowledged, unasked=not acknowledged) as before:
            run = self.office.run(self.users[user], acknowledged=acknowledged)
        assert not (before.two_are_asked and self._moved(before)), "written by one person while two are asked for"
        found = self._row(run.id)
        assert found.state.is_final and sum(run.counts.values()) == found.total == PEOPLE

    @rule(user=users, mode=st.sampled_from(["off", "accounts", "accounts_and_income"]))
    def two_are_asked_or_not(self, user: int, mode: str) -> None:
        set_two_persons(self.house.ctx, KEY, mode=mode, by=self.users[user])

    @rule(directions=st.sampled_from(["off", "smarthr_to_freee"]), policy=st.sampled_from(["hold", "smarthr_wins"]))
    def automatic_sync_is_set(self, directions: str, policy: str) -> None:
        with self._nothing_forbidden() as before:
            switch(self.house, directions, policy=policy)
            self.house.work()
        assert not self._moved(before), "a setting alone writes nothing"

    @rule(user=users, which=st.integers(0, 3))
    def somebody_decides(self, user: int, which: int) -> None:
        if (run := self._one_that_waits(which)) is None:
            return
        by = self.users[user]
        with self._nothing_forbidden(decided=run) as before:
            try:
                approve_retry_cancel.approve(self.house.ctx, run.public_id, by=by, acknowledged=True)
            except Refused:
                by = ""
            self.house.work()
        if not self._moved(before):
            return
        assert by, "a refused decision writes nothing"
        if run.decide_until is not None:
            assert by not in (run.first_by or []), "one person was first and second"
            assert by != before.off_by, "whoever switched it off is no second person"
        else:
            assert not before.two_are_asked, "written by one person while two are asked for"

    @rule(user=users, which=st.integers(0, 3))
    def somebody_declines(self, user: int, which: int) -> None:
        if (run := self._one_that_waits(which)) is None:
            return
        with self._nothing_forbidden() as before:
            approve_retry_cancel.cancel(self.house.ctx, run.public_id, by=self.users[user])
            self.house.work()
        assert not self._moved(before), "a declined change writes nothing"

    # ── what happens by itself ────────────────────────────────────────────────────────────────────────────────────

    @rule(hours=st.sampled_from([2, 9, 25]))
    def time_passes_and_everybody_is_compared(self, hours: int) -> None:
        self.house.clock.turn(hours=hours)
        with self._nothing_forbidden(unasked=True) as before:
            compared(self.house)
        moved = self._moved(before)
        assert before.has_begun or not moved, "written before the automatic sync has begun"
        assert not (before.two_are_asked and moved), "written by nobody while a person is asked for"
        for run in self._runs():
            if run.trigger is Trigger.SCHEDULE and run.state in (RunState.SUCCEEDED, RunState.PARTLY_FAILED):
                assert run.total == PEOPLE

    # ── what never happens ────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _nothing_forbidden(
        self, *, decided: RunRow | None = None, acknowledged: bool = False, unasked: bool = False
    ) -> Iterator[Before]:
        """`acknowledged`: whoever acts means a mass change; `unasked`: what is written counts towards the day."""
        connection = self.house.connection
        before = Before(
            self._accounts(),
            {reason: self._waiting(reason) for reason in StopReason},
            connection.two_persons is not TwoPersons.OFF,
            connection.two_persons_off_by,
            not marks(self.house),
        )
        yield before
        moved = self._moved(before)
        shown = self._shown_by(decided) if decided else set()
        for reason, waiting in before.waiting.items():
            if not (acknowledged and reason is StopReason.MASS_CHANGE):
                assert not (moved & waiting) - shown, f"an account that waits ({reason}) was written"
        if unasked and moved:
            now = self.house.clock.now()
            self.unasked.append((now, len(moved)))
            in_a_day = sum(count for at, count in self.unasked if now - at < DAY)
            assert in_a_day <= MOST, "more unasked accounts in a day than its limit"

    def _moved(self, before: Before) -> set[int]:
        now = self._accounts()
        return {nth for nth, number in before.accounts.items() if now[nth] != number}

    def _accounts(self) -> dict[int, str]:
        return {nth: self.office.account(nth) for nth in range(PEOPLE)}

    def _waiting(self, reason: StopReason) -> set[int]:
        places = {crew["id"]: nth for nth, crew in enumerate(self.house.smarthr.crews)}
        with self.house.ctx.unit_of_work() as uow:
            rows = uow.stopped_changes.of_connection(self.house.connection.id)
        return {places[row.source_id] for row in rows if row.state is StopState.WAITING and row.reason is reason}

    def _shown_by(self, run: RunRow) -> set[int]:
        places = {crew["id"]: nth for nth, crew in enumerate(self.house.smarthr.crews)}
        with self.house.ctx.unit_of_work() as uow:
            items = uow.items.page(run.id, after=-1, limit=100)
        return {places[item.source_id] for item in items if item.source_id is not None}

    def _one_that_waits(self, which: int) -> RunRow | None:
        waiting = [run for run in self._runs() if run.state is RunState.PREVIEWED]
        return waiting[which % len(waiting)] if waiting else None

    def _runs(self) -> list[RunRow]:
        with self.house.ctx.unit_of_work() as uow:
            return uow.runs.page(after=None, limit=200)

    def _row(self, public_id: str) -> RunRow:
        with self.house.ctx.unit_of_work() as uow:
            found = uow.runs.get_by_public_id(public_id)
        assert found is not None
        return found


def test_limits_decisions_two_persons_and_beginnings_keep_every_promise_together() -> None:
    run_state_machine_as_test(Decisions, settings=examples(8, stateful_step_count=20))

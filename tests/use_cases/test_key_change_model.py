"""A machine that changes keys in any order that the runbook allows, while people edit, webhooks come and comparisons
run, each in a process that knows only the keys it was started with.

Whatever the order: no process meets an error, every edit is written once and nothing else is, a repeated webhook is
recognised, and when the status says so, a former key can go.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from app.domain.enums import System
from app.domain.errors import Refused
from app.domain.runs.commands import ReceivedEvent
from app.domain.settings.connection_settings import ConflictPolicy
from app.practice.staff.practice_company import build_company
from app.practice.staff.scenarios import Scenario
from app.use_cases.intake.webhook_intake import accept, delivery_of
from app.use_cases.upkeep.heartbeat import beat
from app.use_cases.upkeep.rotation import renew_leftovers, rotate_secrets
from app.use_cases.upkeep.secrets_status import secrets_status
from tests.house import House, open_house
from tests.properties import examples
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import phones, set_freee_phone, set_smarthr_phone, settle, sweep

pytestmark = pytest.mark.reach("test")  # long journeys

PROCESSES = ("web", "worker", "cron")
processes, people = st.sampled_from(PROCESSES), st.integers(0, 1)


class KeyChange(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="keys-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.made = self.numbers = 0
        self.edited: set[int] = set()
        self.told: dict[bytes, set[str]] = {}
        """Body → ids of the keys under which it was stored."""

    @initialize()
    def open(self) -> None:
        company = only(build_company(date(2026, 11, 11)), "equal", most=2)
        self.house: House = open_house(self.folder, company)
        settings = self.house.ctx.settings
        self.given = [[settings.encryption_keys[0]], [settings.secret_key]]
        self.running = {name: self._started(name) for name in PROCESSES}
        settle(self.house, conflict_policy=ConflictPolicy.SMARTHR_WINS)
        sweep(self.running["worker"])
        self.writes, self.began = self.house.writes(), self.house.clock.now()

    def teardown(self) -> None:
        for each in self.running.values():
            each.database.dispose()
        self.house.close()
        shutil.rmtree(self.folder)

    # ── what the operator does ────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: all(len(keys) == 1 for keys in self.given))
    @rule(kinds=st.sets(st.integers(0, 1), min_size=1))
    def give_new_keys(self, kinds: set[int]) -> None:
        for kind in kinds:
            self.made += 1
            self.given[kind].insert(0, f"a-key-of-the-coming-year-with-the-number-{self.made}")

    @rule(name=processes)
    def restart(self, name: str) -> None:
        self.running[name].database.dispose()
        self.running[name] = self._started(name)

    @rule()
    def restart_all(self) -> None:
        for name in PROCESSES:
            self.restart(name)

    @rule()
    def rotate(self) -> None:
        operator = self._process()
        newest = {ring.newest.id for ring in operator.ctx.keys.rings}
        known = [{key for ring in each.ctx.keys.rings for key in ring.ids} for each in self.running.values()]
        try:
            list(rotate_secrets(operator.ctx))
        except Refused as refused:
            assert refused.code == "key_unknown_to_process" and not all(newest <= keys for keys in known)
        else:
            assert all(newest <= keys for keys in known)
        operator.database.dispose()

    @rule()
    def remove_former_keys(self) -> None:
        operator = self._process()
        if secrets_status(operator.ctx).is_settled:
            self.given = [keys[:1] for keys in self.given]
        operator.database.dispose()

    @rule()
    def some_seconds_pass(self) -> None:
        """Every process reads which keys are in use, tells of itself, and one cleans up."""
        for name, each in self.running.items():
            with each.ctx.unit_of_work() as uow:
                uow.read_keys()
            beat(each.ctx, name, since=each.clock.now())
        renew_leftovers(self.running["cron"].ctx)

    # ── what goes on meanwhile ────────────────────────────────────────────────────────────────────────────────────

    @rule(who=people, at_freee=st.booleans())
    def edit(self, who: int, at_freee: bool) -> None:
        if who in self.edited:  # two edits between two comparisons are one change, or a conflict
            return
        self.edited.add(who)
        self.numbers += 1
        (set_freee_phone if at_freee else set_smarthr_phone)(
            self.house, self._people()[who], f"03-0000-{self.numbers:04d}"
        )

    @rule(name=processes, body=st.sampled_from([b"one", b"another"]))
    def webhook(self, name: str, body: bytes) -> None:
        ctx = self.running[name].ctx
        event = ReceivedEvent(System.SMARTHR, "crew_created", people=(), known=False, triggered_at=self.began)
        (accepted,) = accept(ctx, [delivery_of(ctx, event, self.house.connection.id, body)])
        before = self.told.setdefault(body, set())
        assert accepted.repeated == bool(before & set(ctx.keys.signing.ids))
        if not accepted.repeated:
            before.add(ctx.keys.signing.in_use.id)

    @rule(name=processes)
    def compare(self, name: str) -> None:
        process = self.running[name]
        for run in sweep(process):
            assert {item.state.value for item in process.items(run)} <= {"succeeded", "unchanged"}
        self.writes += len(self.edited)
        self.edited.clear()
        assert self.house.writes() == self.writes
        assert all(len(set(phones(self.house, each))) == 1 for each in self._people())

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _process(self) -> House:
        encryption, signing = self.given
        return self.house.another_process(encryption=encryption, signing=signing)

    def _started(self, name: str) -> House:
        process = self._process()
        beat(process.ctx, name, since=process.clock.now())
        return process

    def _people(self) -> list[Scenario]:
        return [each for each in self.house.company.scenarios if each.crew_id and each.employee_id]


def test_any_order_that_the_runbook_allows_changes_nobody_and_loses_nothing() -> None:
    run_state_machine_as_test(KeyChange, settings=examples(6, stateful_step_count=16))

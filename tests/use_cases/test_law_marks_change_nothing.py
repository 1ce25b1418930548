"""A law: a survey that knows by its marks who is unchanged finds what a survey finds that has none.

A machine edits people on both sides, changes settings, declines, cuts and joins links, lets changes wait, breaks what
was written, and lets hours, days and months pass, in any order. Again and again the house is doubled with its marks and
without them, both are surveyed, and everything that is stored afterwards is compared.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text

from app.domain.enums import Direction, System
from app.domain.errors import Refused
from app.domain.settings.connection_settings import Automatic, BlankPolicy, ConflictPolicy
from app.practice.staff.practice_company import build_company
from app.use_cases.connections.two_persons import set_two_persons
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.links import decide
from app.use_cases.survey.sweep import request_sweep, sweep_due
from app.use_cases.upkeep import relay
from tests.house import KEY, House, open_house
from tests.listening import now_in_japan
from tests.properties import examples
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import settle, sweep

pytestmark = pytest.mark.reach("test")  # long journeys

PEOPLE = 5
TABLES = (
    "links",
    "directory",
    "attention",
    "stopped_changes",
    "declined",
    "items",
    "tallies",
    "outbox",
    "told",
    "troubles",
)
MARKS = {"record_mark", "unchanged_to_freee", "unchanged_to_smarthr"}
people = st.integers(0, PEOPLE - 1)
directions = st.sampled_from(list(Direction))

CREW_EDITS: tuple[dict[str, Any], ...] = (
    {"tel_number": "080-0000-0001"},
    {"tel_number": "080-0000-0002"},
    {"tel_number": None},
    {"tel_number": "twelve"},
    {"gender": "male"},
    {"last_name": "渡邊"},
    {"last_name_yomi": "ワタナベ", "birth_at": "1988-08-08"},
    {"emp_code": "7001"},
    {"resigned_at": "2026-10-31", "emp_status": "retired"},
    {"resigned_at": "2027-03-31"},
    {"entered_at": "2027-01-01"},
    {"something_we_do_not_read": "x"},
)
FREEE_EDITS: tuple[dict[str, Any], ...] = (
    {"profile_rule": {"phone1": "080", "phone2": "0000", "phone3": "0001"}},
    {"profile_rule": {"phone1": "", "phone2": "", "phone3": ""}},
    {"profile_rule": {"last_name": "渡邊"}},
    {"num": "7001"},
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {"automatic": Automatic.BOTH},
    {"automatic": Automatic.SMARTHR_TO_FREEE},
    {"conflict_policy": ConflictPolicy.HOLD},
    {"conflict_policy": ConflictPolicy.SMARTHR_WINS},
    {"conflict_policies": {"phone": ConflictPolicy.FREEE_WINS}},
    {"blank_policies": {"phone": BlankPolicy.ERASE}},
    {"excluded": frozenset({"phone", "last_name"})},
    {"include_building": False},
    {"conflict_policies": {}, "blank_policies": {}, "excluded": frozenset(), "include_building": True},
)


class Marked(RuleBasedStateMachine):
    stood = 0
    """In how many comparisons there was a mark that could stand."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="marks-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.doubles = 0

    @initialize()
    def open(self) -> None:
        company = only(build_company(date(2026, 11, 11)), "equal", most=PEOPLE)
        (self.folder / "house").mkdir()
        self.house: House = open_house(self.folder / "house", company, FREEE_WEBHOOK_TOKEN="an-invented-token")
        settle(self.house)
        with self.house.ctx.unit_of_work() as uow:
            now = self.house.clock.now()
            uow.webhook_registrations.set_secret(self.house.connection.id, "an-invented-secret", previous_until=now)
        for _ in range(2):
            sweep(self.house)

    def teardown(self) -> None:
        self.house.close()
        shutil.rmtree(self.folder)

    # ── what happens ──────────────────────────────────────────────────────────────────────────────────────────────

    @rule(nth=people, edit=st.sampled_from(CREW_EDITS))
    def smarthr_is_edited(self, nth: int, edit: dict[str, Any]) -> None:
        self.house.smarthr.edit(self._crew(nth), edit)

    @rule(nth=people, edit=st.sampled_from(FREEE_EDITS))
    def freee_is_edited(self, nth: int, edit: dict[str, Any]) -> None:
        self.house.freee.edit(self._employee(nth), edit)

    @rule(nth=people, number=st.sampled_from(["9000001", "9000002"]))
    def an_account_moves(self, nth: int, number: str) -> None:
        crew = self.house.smarthr.crew(self._crew(nth))
        account = {**crew["bank_accounts"][0], "account_number": number}
        self.house.smarthr.edit(crew["id"], {"bank_accounts": [account]})

    @rule(options=st.sampled_from(OPTIONS))
    def settings_change(self, options: dict[str, Any]) -> None:
        with self.house.ctx.unit_of_work() as uow:
            uow.connections.set_options(replace(self.house.connection, **options))

    @rule(mode=st.sampled_from(["off", "accounts"]))
    def two_are_asked_or_not(self, mode: str) -> None:
        with suppress(Refused):
            set_two_persons(self.house.ctx, KEY, mode=mode, by="cli")

    @rule(nth=people, direction=directions, key=st.sampled_from(["phone", "last_name"]))
    def something_is_declined(self, nth: int, direction: Direction, key: str) -> None:
        source = self._crew(nth) if direction is Direction.SMARTHR_TO_FREEE else str(self._employee(nth))
        with self.house.ctx.unit_of_work() as uow:
            people = {source: {key: "2:an-invented-digest"}}
            uow.beginnings.decline(self.house.connection.id, direction, people, now=self.house.clock.now())

    @rule(nth=people, joined=st.booleans())
    def a_link_changes(self, nth: int, joined: bool) -> None:
        with suppress(Refused):
            if joined:
                ids = {"smarthr_id": self._crew(nth), "freee_id": str(self._employee(nth))}
                decide.join(self.house.ctx, KEY, **ids, by="cli")
            else:
                decide.cut(self.house.ctx, KEY, smarthr_id=self._crew(nth), by="cli")

    @rule(yes=st.booleans())
    def somebody_decides(self, yes: bool) -> None:
        with self.house.ctx.unit_of_work() as uow:
            waiting = [run for run in uow.runs.page(after=None, limit=20) if run.state.value == "previewed"]
        act = approve_retry_cancel.approve if yes else approve_retry_cancel.cancel
        for run in waiting[:1]:
            with suppress(Refused):
                act(self.house.ctx, run.public_id, by="cli", **({"acknowledged": True} if yes else {}))
        self.house.work()

    @rule(hours=st.sampled_from([1, 25, 24 * 20]))
    def time_passes(self, hours: int) -> None:
        self.house.clock.turn(hours=hours)

    # ── the law ───────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(times=st.integers(1, 2))
    def everybody_is_compared(self, times: int) -> None:
        for _ in range(times):
            self._marks_change_nothing("sweep")
            sweep(self.house)

    @rule(kind=st.sampled_from(["run", "preview"]), direction=directions)
    def somebody_runs(self, kind: str, direction: Direction) -> None:
        self._marks_change_nothing(kind, direction)
        with suppress(Refused):
            self.house.run(direction, as_of_date=now_in_japan(self.house), dry_run=kind == "preview")

    def _marks_change_nothing(self, kind: str, direction: Direction = Direction.SMARTHR_TO_FREEE) -> None:
        self.house.clock.turn(minutes=6)
        with_marks = self._surveyed(kind, direction, without_marks=False)
        assert with_marks == self._surveyed(kind, direction, without_marks=True)

    def _surveyed(self, kind: str, direction: Direction, *, without_marks: bool) -> dict[str, Any]:
        self.doubles += 1
        file = self.folder / f"double-{self.doubles}.db"
        double = self.house.doubled_at(file)
        try:
            if without_marks:
                _erase_marks(double)
            else:
                type(self).stood += _has_marks(double)
            _start(double, kind, direction)
            _survey(double)
            return _stored(double)
        finally:
            double.database.dispose()
            file.unlink()

    def _crew(self, nth: int) -> str:
        return str(self.house.company.scenarios[nth].crew_id)

    def _employee(self, nth: int) -> int:
        return int(self.house.company.scenarios[nth].employee_id or 0)


def _erase_marks(house: House) -> None:
    with house.database.engine.begin() as connection:
        connection.execute(text("UPDATE directory SET record_mark = NULL"))
        connection.execute(text("UPDATE links SET unchanged_to_freee = NULL, unchanged_to_smarthr = NULL"))


def _has_marks(house: House) -> bool:
    with house.database.engine.begin() as connection:
        marked = text("SELECT count(*) FROM links WHERE unchanged_to_freee IS NOT NULL AND unlinked_at IS NULL")
        return bool(connection.scalar(marked))


def _start(house: House, kind: str, direction: Direction) -> None:
    if kind == "sweep":
        request_sweep(house.ctx, house.connection.id)
        return
    with suppress(Refused):
        house.start(direction, as_of_date=now_in_japan(house), dry_run=kind == "preview", acknowledged=False)


def _survey(house: House) -> None:
    """Whatever wants to be surveyed is; nobody is written to."""
    for _ in range(3):
        sweep_due(house.ctx)
        relay.relay_once(house.ctx)
        for job in house.queue.take():
            if job.function.endswith("survey_run"):
                house.do(job)


def _stored(house: House) -> dict[str, Any]:
    """All that a survey stores or tells, without what is drawn by lot."""
    found: dict[str, Any] = {}
    with house.database.engine.begin() as connection:
        for table in TABLES:
            rows = connection.execute(text(f"SELECT * FROM {table}")).mappings()
            kept = ({key: row[key] for key in row if key not in MARKS and not key.endswith("_enc")} for row in rows)
            found[table] = sorted(repr(each) for each in kept)
    with house.ctx.unit_of_work().reading() as uow:
        runs = uow.runs.page(after=None, limit=100)
        for run in runs:
            items = uow.items.page(run.id, after=-1, limit=100)
            changes = uow.changes.of_items([item.id for item in items])
            told = {key: value for key, value in asdict(run).items() if key not in ("public_id", "stopped", "trial")}
            found[f"run {run.id}"] = (told, items, changes)
        for system in System:
            found[system.value] = uow.directory.end(house.connection.id, system)
    return found


def test_whatever_happens_marks_change_nothing() -> None:
    Marked.stood = 0
    run_state_machine_as_test(Marked, settings=examples(4, stateful_step_count=12))
    assert Marked.stood

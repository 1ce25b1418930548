"""A machine that tries runs, webhook runs, repetitions, undo, cancelled and held runs, automatic sync on and off, in
any order. After every act 要対応 is what the people are: those whom the newest outcome has found broken, and nobody
else; and what waits for an approval."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RULE_MARKER,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.enums import Direction
from app.domain.errors import Refused
from app.domain.runs.run_state import RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import build_company
from app.use_cases.connections import automatic_settings
from app.use_cases.intake import approve_retry_cancel, attention_acts
from app.use_cases.intake.collect_events import SyncRequest, collect_events
from app.use_cases.intake.undo import undo
from app.use_cases.queries.attention import attention_summary, counted_in, see_attention
from app.use_cases.queries.attention_sources import Asked
from app.use_cases.queries.attention_views import Kind
from app.use_cases.shared.views import RunView
from app.use_cases.survey import sweep
from app.use_cases.upkeep import reconcile
from tests.house import KEY, House, open_house
from tests.listening import automatic, now_in_japan
from tests.properties import examples
from tests.use_cases.test_attention_state import surveyed
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TODAY = date(2026, 11, 11)
PEOPLE = 5
TO_FREEE = Direction.SMARTHR_TO_FREEE
ABROAD = "+1-212-555-0100"
people = st.integers(0, PEOPLE - 1)


class Attention(RuleBasedStateMachine):
    """`broken`: whose telephone number in SmartHR is one abroad, now. `known`: whom the newest outcome of theirs has
    found so, or whom a run has given up; with the code. `by_itself`: whose newest outcome is of an automatic run.
    `left`: who was left for now, and until when."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="attention-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.broken: set[int] = set()
        self.known: dict[int, str] = {}
        self.by_itself: set[int] = set()
        self.left: dict[int, date] = {}
        self.edits = 0
        self.last: RunView | None = None

    @initialize()
    def open(self) -> None:
        company = only(build_company(TODAY), "equal", most=PEOPLE)
        self.house: House = open_house(self.folder, company)
        self.crews = [str(each.crew_id) for each in company.scenarios]
        self.numbers = [each.number for each in company.scenarios]
        phones = {each["id"]: each["tel_number"] for each in company.crews}
        self.phones = [phones[crew] for crew in self.crews]
        self.house.run(TO_FREEE, as_of_date=now_in_japan(self.house))

    def teardown(self) -> None:
        self.house.close()
        shutil.rmtree(self.folder)

    # ── the people ────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(who=people)
    def breaks(self, who: int) -> None:
        self.house.smarthr.edit(self.crews[who], {"tel_number": ABROAD})
        self.broken.add(who)

    @rule(who=people)
    def is_mended(self, who: int) -> None:
        self.house.smarthr.edit(self.crews[who], {"tel_number": self.phones[who]})
        self.broken.discard(who)

    @rule(who=people)
    def is_edited(self, who: int) -> None:
        self.edits += 1
        self.house.smarthr.edit(self.crews[who], {"business_name": f"見本 {self.edits}"})
        self.house.smarthr.edit(self.crews[who], {"last_name_yomi": f"ミホン{'ア' * (self.edits % 5 + 1)}"})

    # ── runs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def run_over_everybody(self) -> None:
        self.last = self._run()
        self._seen(range(PEOPLE))

    @rule(who=people)
    def run_over_one(self, who: int) -> None:
        self.last = self._run(employees=[self.numbers[who]])
        self._seen([who])

    @rule()
    def preview(self) -> None:
        shown = self._run(dry_run=True)
        if not self.house.seen(shown).state.is_final:
            approve_retry_cancel.cancel(self.house.ctx, shown.id, by="test")
            self.house.work()

    @rule()
    def approved_preview(self) -> None:
        shown = self._run(dry_run=True)
        if self.house.seen(shown).state is RunState.PREVIEWED:
            approve_retry_cancel.approve(self.house.ctx, shown.id, by="test", acknowledged=True)
            self.house.work()
            self.last = shown
            self._seen(range(PEOPLE))

    @rule()
    def cancelled(self) -> None:
        started = self.house.start(TO_FREEE, as_of_date=now_in_japan(self.house))
        approve_retry_cancel.cancel(self.house.ctx, started.id, by="test")
        self.house.work()

    @rule(who=people)
    def given_up(self, who: int) -> None:
        """A run that does not get to an end: whoever waited to be written has failed."""
        started = self.house.start(TO_FREEE, as_of_date=now_in_japan(self.house), employees=[self.numbers[who]])
        surveyed(self.house)
        self.house.queue.take()
        waited = any(not item.state.is_final for item in self.house.items(started))
        self.house.clock.turn(hours=self.house.ctx.settings.run_deadline_hours + 1)
        reconcile.reconcile_once(self.house.ctx)
        self.house.work()
        if waited:
            self._found(who, "deadline")
            self.by_itself.discard(who)
            self.last = started
        else:
            self._seen([who])

    @rule()
    def held(self) -> None:
        """More accounts change than a day may have unasked: they wait in a run of their own, the rest travels."""
        self.edits += 1
        for nth, crew in enumerate(self.crews):
            account = {"account_number": f"{1_000_000 + 10 * self.edits + nth}"}
            before = self.house.smarthr.crew(crew)["bank_accounts"][0]
            self.house.smarthr.edit(crew, {"bank_accounts": [{**before, **account}]})
        self.last = self._run(acknowledged=False)
        self._seen(range(PEOPLE))

    @rule(yes=st.booleans())
    def decided(self, yes: bool) -> None:
        """What waits is approved, or declined: neither says anything about a telephone number."""
        with self.house.ctx.unit_of_work().reading() as uow:
            waiting = [each.run for each in uow.standing.held_runs()]
        for run in waiting:
            if yes:
                approve_retry_cancel.approve(self.house.ctx, run, by="test", acknowledged=True)
            else:
                approve_retry_cancel.cancel(self.house.ctx, run, by="test")
            self.house.work()

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeated(self) -> None:
        assert self.last is not None
        failed = [each.employee_number for each in self.house.items(self.last) if each.state.value == "failed"]
        with suppress(Refused):
            again = approve_retry_cancel.retry(self.house.ctx, self.last.id, by="test")
            self.house.work()
            if not again.already:
                self._seen([self.numbers.index(number) for number in failed])

    @precondition(lambda self: self.last is not None)
    @rule(yes=st.booleans())
    def taken_back(self, yes: bool) -> None:
        """What the last run wrote is put back, or only looked at: nobody is brought into line by that, and nobody gets
        worse. Whom it brings back as they were differs on purpose, so the list says nothing of them either."""
        assert self.last is not None
        with suppress(Refused):
            back = undo(self.house.ctx, self.last.id, by="test")
            self.house.work()
            if self.house.seen(back).state is not RunState.PREVIEWED:
                return
            if not yes:
                approve_retry_cancel.cancel(self.house.ctx, back.id, by="test")
            else:
                approve_retry_cancel.approve(self.house.ctx, back.id, by="test", acknowledged=True)
            self.house.work()

    @precondition(lambda self: self._is_on)
    @rule(who=people)
    def webhook(self, who: int) -> None:
        house, ctx = self.house, self.house.ctx
        with ctx.unit_of_work() as uow:
            asked = [SyncRequest(house.connection, TO_FREEE, self.crews[who])]
            collect_events(ctx, uow, asked, now=house.clock.now())
        house.clock.turn(minutes=1)
        house.work()
        self._seen([who], by_itself=True)

    @precondition(lambda self: self._is_on)
    @rule()
    def comparison(self) -> None:
        self.house.clock.turn(minutes=6)
        sweep.request_sweep(self.house.ctx, self.house.connection.id)
        while sweep.sweep_due(self.house.ctx):
            self.house.work()
        self._seen(range(PEOPLE), by_itself=True)

    # ── left for now ──────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: bool(self.known))
    @rule(nth=people, days=st.integers(1, 3))
    def is_left_for_now(self, nth: int, days: int) -> None:
        who = sorted(self.known)[nth % len(self.known)]
        until = now_in_japan(self.house) + timedelta(days=days)
        attention_acts.waive(self.house.ctx, self._entry(who), reason="確認中", until=until, by="user:1")
        self.left[who] = until

    @precondition(lambda self: bool(self.left))
    @rule(nth=people)
    def is_taken_up(self, nth: int) -> None:
        who = sorted(self.left)[nth % len(self.left)]
        attention_acts.take_up(self.house.ctx, self._entry(who), by="user:1")
        del self.left[who]

    @rule()
    def a_day_goes_by(self) -> None:
        self.house.clock.turn(days=1)

    def _entry(self, who: int) -> str:
        with self.house.ctx.unit_of_work().reading() as uow:
            found = uow.attention.of_connection(self.house.connection.id)
        return next(f"person:{row.id}" for row in found if row.source_id == self.crews[who])

    # ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def automatic_on(self) -> None:
        automatic(self.house, Automatic.SMARTHR_TO_FREEE)

    @rule()
    def automatic_off(self) -> None:
        automatic_settings.set_automatic(self.house.ctx, KEY, changes={"directions": "off"})
        for who in self.by_itself & self.known.keys():
            del self.known[who]
            self.left.pop(who, None)
        self.by_itself.clear()

    # ── what must hold ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_list_is_what_the_people_are(self) -> None:
        if not hasattr(self, "house"):
            return
        seen = see_attention(self.house.ctx, of_each=PEOPLE)
        listed = {(entry.number, entry.code) for group in seen.groups for entry in group.entries if entry.is_person}
        today = now_in_japan(self.house)
        away = {who for who, until in self.left.items() if until > today}
        assert listed == {(self.numbers[who], code) for who, code in self.known.items() if who not in away}
        held = [group for group in seen.groups if group.kind in (Kind.HELD, Kind.SECOND_PERSON)]
        with self.house.ctx.unit_of_work().reading() as uow:
            waiting = uow.standing.held_runs()
        assert {entry.run for group in held for entry in group.entries} == {each.run for each in waiting}
        assert (seen.total, seen.waived) == (len(listed) + len(waiting), len(away))
        assert not (seen.all_in_line and self.known)
        self._elsewhere(seen.total)

    def _elsewhere(self, total: int) -> None:
        """Home and the metric tell the same number."""
        ctx = self.house.ctx
        with ctx.unit_of_work().reading() as uow:
            assert attention_summary(Asked(ctx, uow, uow.connections.list_all())).total == total
            assert sum(counted_in(ctx, uow).values()) == total

    @property
    def _is_on(self) -> bool:
        return hasattr(self, "house") and self.house.connection.automatic is Automatic.SMARTHR_TO_FREEE

    def _run(self, **changes: object) -> RunView:
        self.house.clock.turn(seconds=5)
        return self.house.run(TO_FREEE, as_of_date=now_in_japan(self.house), **changes)

    def _seen(self, who: object, *, by_itself: bool = False) -> None:
        for each in who:  # type: ignore[attr-defined]
            self.by_itself.discard(each)
            self._found(each, "foreign_phone" if each in self.broken else None)
            if by_itself and each in self.broken:
                self.by_itself.add(each)

    def _found(self, who: int, code: str | None) -> None:
        """How the newest outcome has found somebody: only the same cause leaves them left for now."""
        if code is None:
            self.known.pop(who, None)
        if self.known.get(who) != code or code is None:
            self.left.pop(who, None)
        if code is not None:
            self.known[who] = code


def test_the_list_is_what_the_people_are_after_every_sequence() -> None:
    run_state_machine_as_test(Attention, settings=examples(6, stateful_step_count=14))


WALK: Sequence[tuple[str, Mapping[str, int | bool]]] = (
    ("automatic_on", {}),
    ("breaks", {"who": 0}),
    ("webhook", {"who": 0}),
    ("comparison", {}),
    ("automatic_off", {}),
    ("run_over_everybody", {}),
    ("is_left_for_now", {"nth": 0, "days": 2}),
    ("preview", {}),
    ("approved_preview", {}),
    ("a_day_goes_by", {}),
    ("is_taken_up", {"nth": 0}),
    ("is_left_for_now", {"nth": 0, "days": 1}),
    ("a_day_goes_by", {}),
    ("is_edited", {"who": 1}),
    ("run_over_everybody", {}),
    ("taken_back", {"yes": False}),
    ("taken_back", {"yes": True}),
    ("cancelled", {}),
    ("is_left_for_now", {"nth": 0, "days": 3}),
    ("is_mended", {"who": 0}),
    ("is_edited", {"who": 0}),
    ("given_up", {"who": 0}),
    ("repeated", {}),
    ("held", {}),
    ("decided", {"yes": False}),
    ("held", {}),
    ("decided", {"yes": True}),
    ("is_edited", {"who": 2}),
    ("run_over_one", {"who": 2}),
    ("breaks", {"who": 3}),
    ("automatic_on", {}),
    ("comparison", {}),
    ("is_mended", {"who": 3}),
    ("webhook", {"who": 3}),
    ("automatic_off", {}),
)
"""Every step at least once, also those that a few random sequences do not come to."""


def test_one_sequence_takes_every_step() -> None:
    assert {name for name, _ in WALK} == {name for name, each in vars(Attention).items() if hasattr(each, RULE_MARKER)}
    machine = Attention()
    try:
        machine.open()
        for name, given in WALK:
            getattr(machine, name)(**given)
            machine.the_list_is_what_the_people_are()
        assert machine.known == {}, "everybody was mended"
    finally:
        machine.teardown()

"""Any sequence of moves, vendors and triggers: the same change is sent at most twice, and everything becomes quiet."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Direction
from app.domain.mapping import FIELDS
from app.domain.planning import unsettled
from app.domain.planning.plan import Plan
from app.domain.planning.planning import Baseline, plan
from app.domain.planning.unsettled import MOST_WRITES, Comparison, Memory, loaded, sent_unit_of, stored_form
from app.domain.settings.connection_settings import ConflictPolicy, MappingOptions
from app.domain.snapshot import BLANK, FieldState, Snapshot
from tests.properties import examples

TO_FREEE = Direction.SMARTHR_TO_FREEE
ACCOUNT = {
    "bank_code": "0001",
    "bank_branch_code": "011",
    "bank_account_type": "futsu",
    "bank_account_number": "0012345",
    "bank_account_holder": "サトウ　ハナコ",
}
EVERYBODY: dict[str, FieldState] = {**{row.key: BLANK for row in FIELDS}, "last_name": "佐藤", **ACCOUNT}
MOVED = {"last_name": ("佐藤", "髙橋", "スズキ"), "bank_branch_code": ("011", "012"), "title": (BLANK, "課長", "部長")}
BAD = ("ignores", "alters", "forgets", "alters later")
"""What a vendor may make of a write. One that does first this and then that looks like a person who edits meanwhile."""


def fingerprint(key: str, text: str) -> str:
    return hashlib.blake2b(f"{key}\0{text}".encode()).hexdigest()


@dataclass
class World:
    """One person in both systems, one direction, as the product handles them."""

    source: dict[str, FieldState] = field(default_factory=lambda: dict(EVERYBODY))
    target: dict[str, FieldState] = field(default_factory=lambda: dict(EVERYBODY))
    vendor: str = "keeps"
    memory: Memory = field(default_factory=dict)
    items: int = 0
    since_move: dict[str, int] = field(default_factory=dict)

    def planned(self, *, automatic: bool) -> Plan:
        target = Snapshot(dict(self.target))

        def resting(changes: Any) -> dict[str, str]:
            compared = Comparison(target, changes, fingerprint)
            return unsettled.resting(self.memory, compared, item=self.items, patient=automatic)

        return plan(
            Snapshot(self.source),
            target,
            direction=TO_FREEE,
            baseline=Baseline({}, fingerprint),
            policy=ConflictPolicy.SMARTHR_WINS if automatic else ConflictPolicy.SOURCE_WINS,
            options=MappingOptions(),
            encodable=resting,
        )

    def trigger(self, *, automatic: bool, answer: str = "comes") -> int:
        """One item. Returns how many changes were sent. `answer`: comes, is lost, or refuses."""
        self.items += 1
        source, before = Snapshot(dict(self.source)), Snapshot(dict(self.target))
        gone = unsettled.settled(self.memory.keys(), source, before)
        self.memory = {unit: sent for unit, sent in self.memory.items() if unit not in gone}
        changes = self.planned(automatic=automatic).changes
        if not changes:
            return 0
        units = {sent_unit_of(change.key) for change in changes}
        self.memory = unsettled.sending(self.memory, units, Comparison(before, changes, fingerprint), item=self.items)
        self._count(units if answer != "refuses" else set())
        shown = self._carried_out(changes) if answer != "refuses" else self.target
        if answer != "is lost":
            self.memory = unsettled.answered(self.memory, units, refused=answer == "refuses")
            self.memory = unsettled.shown(self.memory, changes, Snapshot(shown), fingerprint)
        self.memory = loaded(stored_form(self.memory))
        return len(changes)

    def _count(self, units: set[str]) -> None:
        for unit in units:
            self.since_move[unit] = self.since_move.get(unit, 0) + 1
            assert self.since_move[unit] <= MOST_WRITES

    def _carried_out(self, changes: Any) -> dict[str, FieldState]:
        """What the vendor makes of a write. Returns what its answer shows."""
        wanted = {change.key: change.after for change in changes}
        altered = {key: f"{value}＊" for key, value in wanted.items() if key in ("last_name", "title")}
        kept = {"keeps": wanted, "ignores": {}, "forgets": {}}.get(self.vendor, {**wanted, **altered})
        self.target = {**self.target, **kept}
        honest = self.vendor not in ("forgets", "alters later")
        return dict(self.target) if honest else {**self.target, **wanted}

    def move(self, side: dict[str, FieldState], key: str, value: FieldState) -> None:
        if side[key] != value:
            side[key] = value
            self.since_move.pop(sent_unit_of(key), None)


STEPS = st.one_of(
    st.tuples(st.just("move"), st.sampled_from(["source", "target"]), st.sampled_from(list(MOVED)), st.integers(0, 2)),
    st.tuples(st.just("vendor")),  # it is mended, or breaks again
    st.tuples(st.just("trigger"), st.booleans(), st.sampled_from(["comes", "comes", "is lost", "refuses"])),
)


@examples(150)
@given(st.sampled_from(BAD), st.lists(STEPS, max_size=25))
def test_the_same_change_is_sent_at_most_twice_and_all_becomes_quiet(bad: str, steps: list[Any]) -> None:
    world = World(vendor=bad)
    for kind, *how in steps:
        if kind == "vendor":
            world.vendor = bad if world.vendor == "keeps" else "keeps"
        elif kind == "trigger":
            world.trigger(automatic=how[0], answer=how[1])
        else:
            side, key, nth = how
            world.move(getattr(world, side), key, MOVED[key][nth % len(MOVED[key])])
    for _ in range(MOST_WRITES + 1):
        world.trigger(automatic=True)
    assert world.trigger(automatic=True) == 0
    assert world.trigger(automatic=False) == 0


def test_the_memory_holds_no_value() -> None:
    world = World(vendor="ignores")
    world.move(world.source, "last_name", "髙橋")
    world.trigger(automatic=False)
    assert "髙橋" not in str(stored_form(world.memory)) and "佐藤" not in str(stored_form(world.memory))

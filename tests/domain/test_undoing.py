"""Taking back: what goes back, what stays, and what an automatic run makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.domain.enums import Direction
from app.domain.mapping import BY_KEY
from app.domain.planning.plan import Change, Plan, PlanKind, Severity
from app.domain.planning.three_way import UNDONE, Baseline, Ruling, form, rule
from app.domain.planning.undoing import Written, plan_undo, undone
from app.domain.settings.connection_settings import ConflictPolicy
from app.domain.snapshot import ABSENT, BLANK, FieldState, Snapshot, Unconvertible

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
BANK = {
    "bank_code": ("0001", "0005"),
    "bank_branch_code": ("111", "222"),
    "bank_account_type": ("futsu", "futsu"),
    "bank_account_number": ("1111111", "2222222"),
    "bank_account_holder": ("スズキ", "サトウ"),
}


def back(
    *written: Written, now: Mapping[str, FieldState], direction: Direction = TO_FREEE, refused: Any = None
) -> Plan:
    return plan_undo(written, Snapshot(now), direction=direction, encodable=lambda _changes: refused or {})


def told(plan: Plan) -> list[tuple[str, str | None]]:
    return [(note.code, note.key) for note in plan.notes if note.severity is Severity.REVIEW]


@pytest.mark.parametrize(
    ("before", "after", "now", "change", "note"),
    [
        ("鈴木", "佐藤", "佐藤", "鈴木", None),
        ("鈴木", "佐藤", "鈴木", None, None),
        ("鈴木", "佐藤", "田中", None, "changed_since"),
        ("鈴木", "佐藤", BLANK, None, "changed_since"),
        ("鈴木", "佐藤", ABSENT, None, "not_readable"),
        (BLANK, "佐藤", "佐藤", None, "cannot_clear"),
        (Unconvertible("letters"), "佐藤", "佐藤", None, "cannot_restore"),
        (ABSENT, "佐藤", "佐藤", None, "cannot_restore"),
    ],
)
def test_one_item(
    before: FieldState, after: FieldState, now: FieldState, change: FieldState | None, note: str | None
) -> None:
    plan = back(Written("last_name", before, after), now={"last_name": now})
    assert [c.after for c in plan.changes] == ([] if change is None else [change])
    assert told(plan) == ([] if note is None else [(note, "last_name")])
    assert plan.kind is (PlanKind.UPDATE if plan.changes else PlanKind.NOTHING)


def test_what_we_emptied_is_filled_again_and_what_we_filled_is_emptied() -> None:
    emptied = back(Written("title", "課長", BLANK), now={"title": BLANK})
    assert emptied.changes == (Change("title", BLANK, "課長"),)
    filled = back(Written("title", BLANK, "課長"), now={"title": "課長"})
    assert filled.changes == (Change("title", "課長", BLANK),)


def account(**now: str) -> tuple[list[Written], dict[str, FieldState]]:
    written = [Written(key, before, after) for key, (before, after) in BANK.items()]
    return written, {**{key: after for key, (_, after) in BANK.items()}, **now}


def test_an_account_goes_back_whole() -> None:
    written, now = account()
    assert {c.key: c.after for c in back(*written, now=now).changes} == {key: pair[0] for key, pair in BANK.items()}


@pytest.mark.parametrize("key", [key for key, (before, after) in BANK.items() if before != after])
def test_an_account_of_which_a_part_is_another_is_another_account(key: str) -> None:
    written, now = account(**{key: "9"})
    plan = back(*written, now=now)
    assert plan.changes == ()
    assert told(plan) == [("changed_since", "bank_code")]


def test_an_account_is_not_left_half_when_one_part_cannot_be_written() -> None:
    written, now = account()
    plan = back(*written, now=now, refused={"bank_account_number": "too_long"})
    assert plan.changes == ()


def test_an_address_of_which_a_part_was_edited_stays_whole() -> None:
    written = [Written("home_zip_code", "1000001", "1500001"), Written("home_address", "千代田1", "神宮前1")]
    plan = back(*written, now={"home_zip_code": "1500001", "home_address": "神宮前9"})
    assert plan.changes == ()
    assert ("changed_since", "home_address") in told(plan)


def test_an_item_of_another_version_is_passed_over() -> None:
    assert back(Written("no_such_item", "a", "b"), now={}).notes == ()


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("policy", [each for each in ConflictPolicy if each is not ConflictPolicy.SOURCE_WINS])
def test_what_was_taken_back_is_held_whichever_side_asks(direction: Direction, policy: ConflictPolicy) -> None:
    def fingerprint(key: str, text: str) -> str:
        return f"{key}:{text}"

    row = BY_KEY["last_name"]
    agreed = {row.key: fingerprint(row.key, form(row, "佐藤"))}
    sides: tuple[FieldState, FieldState] = ("佐藤", "鈴木") if direction is TO_FREEE else ("鈴木", "佐藤")

    def ruling(digests: Mapping[str, str], by: ConflictPolicy) -> Ruling:
        baseline = Baseline(digests, fingerprint)
        return rule([row], sources=sides[:1], targets=sides[1:], baseline=baseline, policy=by, direction=direction)

    assert ruling(agreed, policy) is not Ruling.HOLD  # without the mark one side is simply newer
    marked = undone(agreed, [row.key])
    assert marked == {row.key: UNDONE}
    assert ruling(marked, policy) is Ruling.HOLD
    assert ruling(marked, ConflictPolicy.SOURCE_WINS) is Ruling.WRITE

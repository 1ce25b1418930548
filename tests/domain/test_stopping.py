"""Dividing a plan into what travels and what waits, over any plans, memories and counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.planning.mass_change import Effect
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.planning.stopping import (
    CREATE,
    DECLINED,
    WAITS,
    WAITS_THE_OTHER_WAY,
    Piece,
    Split,
    Stopped,
    StopReason,
    StopState,
    equal_units,
    only,
    pieces_of,
    split,
)
from app.domain.snapshot import ABSENT, BLANK, Snapshot
from app.storage.enums import KeyKind
from app.storage.keyring import Ring
from app.use_cases.planning.plan_employee import fingerprint_of

TODAY = date(2026, 11, 22)
FINGERPRINT = fingerprint_of(Ring(KeyKind.SIGNING, ["k" * 32]))
CHANGES = (
    Change("phone", "0311112222", "0311113333"),
    Change("title", "課長", BLANK),
    Change("resigned_on", BLANK, date(2026, 12, 31)),
    Change("bank_code", "0001", "0005"),
    Change("bank_account_number", "1111111", "2222222"),
    Change("home_address", "1-1", "2-2"),
    Change("home_address_kana", "イチ", BLANK),
)
EFFECTS = {
    "phone": set(),
    "title": {Effect.BLANK},
    "resigned_on": {Effect.RETIRE},
    "bank": {Effect.BANK},
    "home": {Effect.BLANK},
}


def pieces(plan: Plan) -> tuple[Piece, ...]:
    return pieces_of(plan, today=TODAY, fingerprint=FINGERPRINT)


def divided(plan: Plan, **given: object) -> Split:
    return split(plan, pieces(plan), **given)  # type: ignore[arg-type]


def test_a_plan_falls_into_what_is_decided_together() -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES)
    assert {piece.unit: set(piece.effects) for piece in pieces(plan)} == EFFECTS
    assert [change for piece in pieces(plan) for change in piece.changes] == list(CHANGES)
    new = Plan(PlanKind.CREATE, CHANGES)
    assert [(piece.unit, piece.effects, piece.changes) for piece in pieces(new)] == [
        (CREATE, frozenset({Effect.CREATE}), CHANGES)
    ]
    assert pieces(Plan(PlanKind.UPDATE, CHANGES, notes=(Note("E2", Severity.STOP),))) == ()


def test_what_waits_leaves_a_note_and_the_rest_travels() -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES, notes=(Note("lossy", Severity.INFO, "bank_code"),))
    found = divided(plan, closed={Effect.BANK})
    assert [piece.unit for piece in found.waiting] == ["bank"]
    assert found.removed == {"bank_code", "bank_account_number"}
    assert found.plan.notes == (Note(WAITS, Severity.REVIEW, "bank_code"),)
    assert found.counted == {Effect.BLANK, Effect.RETIRE}
    nothing = divided(Plan(PlanKind.CREATE, CHANGES), closed={Effect.CREATE})
    assert (nothing.plan.kind, nothing.plan.changes) == (PlanKind.NOTHING, ())
    assert nothing.plan.notes == (Note(WAITS, Severity.REVIEW, None),)


@pytest.mark.parametrize(
    ("state", "moved", "expected"),
    [
        (StopState.WAITING, False, WAITS),
        (StopState.WAITING, True, WAITS),
        (StopState.DECLINED, False, DECLINED),
        (StopState.DECLINED, True, None),
        (StopState.APPROVED, False, None),
        (StopState.APPROVED, True, None),
    ],
)
def test_what_is_remembered_decides(state: StopState, moved: bool, expected: str | None) -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES[3:5])
    (piece,) = pieces(plan)
    known = Stopped("bank", state, FINGERPRINT("x", "another") if moved else piece.digest)
    found = divided(plan, known=[known])
    assert [note.code for note in found.plan.notes] == ([expected] if expected else [])
    approved = state is StopState.APPROVED and not moved
    assert found.counted == (frozenset() if expected or approved else {Effect.BANK})


def test_a_change_that_is_not_grave_any_more_travels_unless_another_reason_holds_it() -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES[:1])
    waiting = Stopped("phone", StopState.WAITING, "old")
    assert divided(plan, known=[waiting]).plan == plan


def test_what_waits_the_other_way_is_not_written_over() -> None:
    found = divided(Plan(PlanKind.UPDATE, CHANGES), backwards={"bank"})
    assert found.plan.notes == (Note(WAITS_THE_OTHER_WAY, Severity.REVIEW, "bank_code"),)
    assert found.waiting == ()


def test_digests_of_other_rules_let_a_declined_change_rest() -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES[3:5])
    known = Stopped("bank", StopState.DECLINED, "0" * 32)
    assert [note.code for note in divided(plan, known=[known]).plan.notes] == [DECLINED]


STATES = st.builds(
    Stopped, st.sampled_from(sorted(EFFECTS)), st.sampled_from(StopState), st.just("other"), st.sampled_from(StopReason)
)


@given(
    changes=st.lists(st.sampled_from(CHANGES), unique=True),
    known=st.lists(STATES, max_size=4),
    closed=st.sets(st.sampled_from(Effect)),
    backwards=st.sets(st.sampled_from(sorted(EFFECTS))),
)
def test_every_change_travels_or_is_told_and_no_unit_is_torn(
    changes: Sequence[Change], known: Sequence[Stopped], closed: set[Effect], backwards: set[str]
) -> None:
    plan = Plan(PlanKind.UPDATE if changes else PlanKind.NOTHING, tuple(changes))
    found = divided(plan, known=known, closed=closed, backwards=backwards)
    travels = {change.key for change in found.plan.changes}
    assert travels | found.removed == {change.key for change in changes} and not travels & found.removed
    for piece in pieces(plan):
        keys = {change.key for change in piece.changes}
        assert keys <= travels or keys <= found.removed
        if piece.effects & closed:
            assert keys <= found.removed
        if any(each.state is StopState.WAITING and each.unit == piece.unit and piece.effects for each in known):
            assert keys <= found.removed
    assert not found.counted & closed
    effects = {effect for piece in pieces(found.plan) for effect in piece.effects}
    assert found.counted == effects, "nobody has approved these: each grave effect that travels is counted"


def test_only_some_units_of_a_plan() -> None:
    plan = Plan(PlanKind.UPDATE, CHANGES, notes=(Note("lossy", Severity.INFO, "phone"), Note("E5", Severity.REVIEW)))
    narrowed = only(plan, pieces(plan), {"bank"})
    assert [change.key for change in narrowed.changes] == ["bank_code", "bank_account_number"]
    assert narrowed.notes == ()
    assert only(plan, pieces(plan), set()).kind is PlanKind.NOTHING
    new = Plan(PlanKind.CREATE, CHANGES)
    assert only(new, pieces(new), {CREATE}) == new


def test_equal_units() -> None:
    one = Snapshot({"phone": "03", "title": "課長", "bank_code": "0001", "bank_account_number": ABSENT})
    other = Snapshot({"phone": "03", "title": BLANK, "bank_code": "0001", "bank_account_number": "1"})
    units = ["phone", "title", "bank", "resigned_on", CREATE]
    assert equal_units(units, one, other) == {"phone", "bank", CREATE}
    assert equal_units(units, one, None) == frozenset()

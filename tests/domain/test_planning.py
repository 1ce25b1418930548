"""The plan for one employee: what is written, kept, held and asked."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Direction, System
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.mapping import BY_KEY, FIELDS
from app.domain.planning.plan import Change, Conflict, Note, Plan, PlanKind, Severity
from app.domain.planning.planning import Baseline, digest, plan, shared_digests
from app.domain.settings.connection_settings import BlankPolicy, ConflictPolicy, MappingOptions
from app.domain.snapshot import ABSENT, BLANK, FieldState, Missing, Snapshot, Unconvertible
from tests.domain.records import plain_of

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
MANUAL = ConflictPolicy.SOURCE_WINS
BANK = ("bank_code", "bank_branch_code", "bank_account_type", "bank_account_number", "bank_account_holder")

EVERYTHING: dict[str, FieldState] = {
    "last_name": "佐藤",
    "first_name": "花子",
    "last_name_kana": "サトウ",
    "first_name_kana": "ハナコ",
    "birth_date": date(1990, 4, 2),
    "gender": "female",
    "employee_number": "00123",
    "title": "課長",
    "hired_on": date(2015, 4, 1),
    "resigned_on": BLANK,
    "having_spouse": False,
    "working_student": False,
    "widow_type": BLANK,
    "disability_type": BLANK,
    "home_zip_code": "100-0001",
    "home_prefecture": "東京都",
    "home_address": "千代田区千代田1-1",
    "home_address_kana": "チヨダクチヨダ",
    "registered_zip_code": "060-0000",
    "registered_prefecture": "北海道",
    "registered_address": "札幌市中央区北一条西2丁目",
    "registered_address_kana": "サッポロシチュウオウク",
    "phone": "03-1234-5678",
    "bank_code": "0001",
    "bank_branch_code": "001",
    "bank_account_type": "futsu",
    "bank_account_number": "0012345",
    "bank_account_holder": "サトウ　ハナコ",
    "employment_insurance_number": "1234-567890-1",
    "basic_pension_number": "1234-567890",
    "health_insured_number": "7",
    "pension_insured_number": "8",
    "health_standard_income": 300000,
    "pension_standard_income": 300000,
}
EVERYTHING |= {row.key: plain_of(row) for row in FIELDS if row.key not in EVERYTHING}


def side(**changes: FieldState) -> Snapshot:
    return Snapshot({**EVERYTHING, **changes})


def only(*keys: str, **values: FieldState) -> Snapshot:
    """Blank but for what is given."""
    return Snapshot({**dict.fromkeys(EVERYTHING, BLANK), **{key: EVERYTHING[key] for key in keys}, **values})


def fingerprint(key: str, text: str) -> str:
    return hashlib.blake2b(f"{key}\0{text}".encode(), key=b"test").hexdigest()


NO_BASELINE = Baseline({}, fingerprint)


def agreed_on(snapshot: Snapshot) -> Baseline:
    """The baseline left by a run after which both sides held this."""
    return Baseline(shared_digests(snapshot, snapshot, NO_BASELINE), fingerprint)


def decide(source: Snapshot, target: Snapshot | None, **changes: Any) -> Plan:
    known: dict[str, Any] = {
        "direction": TO_FREEE,
        "baseline": NO_BASELINE,
        "policy": MANUAL,
        "options": MappingOptions(),
    }
    return plan(source, target, **{**known, **changes})


def changed(decided: Plan) -> dict[str, FieldState]:
    return {change.key: change.after for change in decided.changes}


def noted(decided: Plan, severity: Severity | None = None) -> dict[str | None, str]:
    return {note.key: note.code for note in decided.notes if severity in (None, note.severity)}


# ── values ──


def test_two_equal_sides_need_nothing() -> None:
    assert decide(side(), side()) == Plan(PlanKind.NOTHING)


def test_a_difference_is_written_with_what_was_there() -> None:
    decided = decide(side(last_name="鈴木"), side())
    assert decided == Plan(PlanKind.UPDATE, (Change("last_name", "佐藤", "鈴木"),))
    assert decided.writes


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("last_name_kana", "サトウ", "ｻﾄｳ"),
        ("last_name_kana", "サトウ", "さとう"),
        ("phone", "03-1234-5678", "0312345678"),
        ("health_insured_number", "007", "7"),
        ("basic_pension_number", "1234-567890", "1234567890"),
        ("home_address", "千代田区千代田１－１", "千代田区千代田1-1"),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_another_writing_of_the_same_is_no_difference(key: str, one: str, other: str, direction: Direction) -> None:
    assert decide(side(**{key: one}), side(**{key: other}), direction=direction).kind is PlanKind.NOTHING


@pytest.mark.parametrize("value", [False, True])
def test_no_is_a_value_and_not_a_blank(value: bool) -> None:
    decided = decide(side(having_spouse=value), side(having_spouse=not value))
    assert changed(decided) == {"having_spouse": value}


def test_leading_zeros_of_the_employee_number_count() -> None:
    assert changed(decide(side(employee_number="00123"), side(employee_number="123"))) == {"employee_number": "00123"}


# ── three-way ──

HOLD, SMARTHR_WINS, FREEE_WINS = ConflictPolicy.HOLD, ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS
BEFORE = "03-0000-0000"
MINE, THEIRS = "03-1111-1111", "03-2222-2222"


@pytest.mark.parametrize(
    ("policy", "direction", "source", "target", "outcome"),
    [
        # only the source moved: written whatever the policy
        *((policy, d, MINE, BEFORE, "write") for policy in ConflictPolicy for d in Direction),
        # only the target moved: left alone, but a manual run is right anyway
        *(
            (policy, d, BEFORE, THEIRS, "target_newer")
            for policy in (HOLD, SMARTHR_WINS, FREEE_WINS)
            for d in Direction
        ),
        *((MANUAL, d, BEFORE, THEIRS, "write") for d in Direction),
        # both moved: the policy
        *((MANUAL, d, MINE, THEIRS, "write") for d in Direction),
        *((HOLD, d, MINE, THEIRS, "conflict") for d in Direction),
        (SMARTHR_WINS, TO_FREEE, MINE, THEIRS, "write"),
        (SMARTHR_WINS, TO_SMARTHR, MINE, THEIRS, "target_wins"),
        (FREEE_WINS, TO_FREEE, MINE, THEIRS, "target_wins"),
        (FREEE_WINS, TO_SMARTHR, MINE, THEIRS, "write"),
        # both moved to the same: nothing
        *((policy, d, MINE, "０３１１１１１１１１", "nothing") for policy in ConflictPolicy for d in Direction),
    ],
)
def test_who_moved_since_the_last_agreement(
    policy: ConflictPolicy, direction: Direction, source: str, target: str, outcome: str
) -> None:
    decided = decide(
        side(phone=source),
        side(phone=target),
        baseline=agreed_on(side(phone=BEFORE)),
        policy=policy,
        direction=direction,
    )
    if outcome == "write":
        assert decided == Plan(PlanKind.UPDATE, (Change("phone", target, source),))
    elif outcome == "conflict":
        assert decided == Plan(PlanKind.NOTHING, conflicts=(Conflict("phone", source, target),))
        assert decided.needs_review
    elif outcome == "nothing":
        assert decided == Plan(PlanKind.NOTHING)
    else:
        assert decided == Plan(PlanKind.NOTHING, notes=(Note(outcome, Severity.INFO, "phone"),))
        assert not decided.needs_review


def test_without_an_agreement_nobody_knows_who_is_older() -> None:
    sides = side(phone=MINE), side(phone=THEIRS)
    assert [conflict.key for conflict in decide(*sides, policy=HOLD).conflicts] == ["phone"]
    assert changed(decide(*sides, policy=SMARTHR_WINS)) == {"phone": MINE}
    assert noted(decide(*sides, policy=FREEE_WINS)) == {"phone": "target_wins"}


@pytest.mark.parametrize("policy", ConflictPolicy)
def test_an_empty_place_is_filled_without_asking(policy: ConflictPolicy) -> None:
    assert changed(decide(side(), side(phone=BLANK), policy=policy)) == {"phone": "03-1234-5678"}


def test_what_the_target_cleared_since_is_not_filled_again() -> None:
    decided = decide(side(), side(phone=BLANK), baseline=agreed_on(side()), policy=HOLD)
    assert noted(decided) == {"phone": "target_newer"}
    assert not decided.changes


def test_the_echo_of_our_own_write_plans_to_nothing() -> None:
    before, after = side(), side(phone=MINE)
    baseline = agreed_on(before)
    assert changed(decide(after, before, baseline=baseline, policy=HOLD)) == {"phone": MINE}
    assert decide(after, after, direction=TO_SMARTHR, baseline=baseline, policy=HOLD) == Plan(PlanKind.NOTHING)


VALUES = st.sampled_from([BLANK, "03-0000-0000", "03-1111-1111", "03-2222-2222"])


@given(VALUES, VALUES, st.none() | VALUES, st.sampled_from(BlankPolicy))
def test_conflicts_are_the_same_seen_from_either_side(
    one: FieldState, other: FieldState, before: FieldState | None, blank: BlankPolicy
) -> None:
    """On hold, either both directions ask about an item or neither does, and never do both write."""
    known: dict[str, Any] = {
        "policy": HOLD,
        "baseline": NO_BASELINE if before is None else agreed_on(side(phone=before)),
        "options": MappingOptions(blank_policies={"phone": blank}),
    }
    forth = decide(side(phone=one), side(phone=other), direction=TO_FREEE, **known)
    back = decide(side(phone=other), side(phone=one), direction=TO_SMARTHR, **known)
    assert {c.key for c in forth.conflicts} == {c.key for c in back.conflicts}
    assert not (forth.changes and back.changes)


# ── blank and absent ──


@pytest.mark.parametrize(
    ("policy", "agreement", "outcome"),
    [
        (BlankPolicy.KEEP, "03-1234-5678", "kept_blank"),
        (BlankPolicy.KEEP, None, "kept_blank"),
        (BlankPolicy.ERASE_IF_AGREED, "03-1234-5678", "erased"),
        (BlankPolicy.ERASE_IF_AGREED, "03-9999-9999", "kept_blank"),
        (BlankPolicy.ERASE_IF_AGREED, None, "kept_blank"),
        (BlankPolicy.ERASE, "03-1234-5678", "erased"),
        (BlankPolicy.ERASE, "03-9999-9999", "erased"),
        (BlankPolicy.ERASE, None, "erased"),
    ],
)
def test_a_blank_source_in_a_manual_run(policy: BlankPolicy, agreement: str | None, outcome: str) -> None:
    baseline = agreed_on(side(phone=agreement)) if agreement else NO_BASELINE
    options = MappingOptions(blank_policies={"phone": policy})
    decided = decide(side(phone=BLANK), side(), baseline=baseline, options=options)
    if outcome == "erased":
        assert decided == Plan(PlanKind.UPDATE, (Change("phone", "03-1234-5678", BLANK),))
    else:
        assert decided == Plan(PlanKind.NOTHING, notes=(Note(outcome, Severity.INFO, "phone"),))


def test_the_rows_own_policy_counts_when_the_connection_says_nothing() -> None:
    row = BY_KEY["title"]
    assert row.blank is BlankPolicy.ERASE_IF_AGREED
    assert changed(decide(side(title=BLANK), side(), baseline=agreed_on(side()))) == {"title": BLANK}
    assert noted(decide(side(title=BLANK), side())) == {"title": "kept_blank"}


def test_a_blank_of_an_automatic_run_follows_the_three_way_rule() -> None:
    erase = MappingOptions(blank_policies={"phone": BlankPolicy.ERASE})
    blank, full = side(phone=BLANK), side()
    assert changed(decide(blank, full, baseline=agreed_on(full), policy=HOLD, options=erase)) == {"phone": BLANK}
    newer = decide(blank, full, baseline=agreed_on(blank), policy=HOLD, options=erase)
    assert noted(newer) == {"phone": "target_newer"}
    both = decide(blank, full, baseline=agreed_on(side(phone=BEFORE)), policy=HOLD, options=erase)
    assert [conflict.key for conflict in both.conflicts] == ["phone"]
    unknown = decide(blank, full, policy=HOLD)
    assert noted(unknown) == {"phone": "kept_blank"}


@pytest.mark.parametrize(
    "key", sorted(row.key for row in FIELDS if System.SMARTHR in row.unclearable_in and row.group != "bank")
)
def test_what_the_target_never_empties_is_asked_instead(key: str) -> None:
    options = MappingOptions(blank_policies={key: BlankPolicy.ERASE})
    decided = decide(side(**{key: BLANK}), side(), direction=TO_SMARTHR, options=options)
    assert noted(decided)[key] == "cannot_clear"
    assert not decided.changes
    assert decided.needs_review


@given(
    st.dictionaries(st.sampled_from(sorted(EVERYTHING)), st.sampled_from([ABSENT, BLANK])),
    st.dictionaries(st.sampled_from(sorted(EVERYTHING)), st.sampled_from([ABSENT, BLANK])),
    st.sampled_from(Direction),
    st.sampled_from(ConflictPolicy),
)
def test_absent_and_blank_erase_nothing(
    mine: dict[str, FieldState], theirs: dict[str, FieldState], direction: Direction, policy: ConflictPolicy
) -> None:
    decided = decide(side(**mine), side(**theirs), direction=direction, policy=policy)
    assert not any(isinstance(change.after, Missing) for change in decided.changes)
    assert not any(theirs.get(change.key) is ABSENT for change in decided.changes)


def test_what_cannot_be_read_is_told_once_there_is_something_to_miss() -> None:
    for sides in ((side(phone=ABSENT), side()), (side(), side(phone=ABSENT))):
        assert decide(*sides) == Plan(PlanKind.NOTHING, notes=(Note("not_readable", Severity.INFO, "phone"),))
    for nothing in (ABSENT, BLANK):
        assert decide(side(phone=ABSENT), side(phone=nothing)) == Plan(PlanKind.NOTHING)
        assert decide(side(phone=nothing), side(phone=ABSENT)) == Plan(PlanKind.NOTHING)


def test_a_record_that_is_not_shown_is_not_called_equal() -> None:
    expected = Plan(PlanKind.NOTHING, notes=(Note("record_hidden", Severity.REVIEW),))
    assert decide(side(), Snapshot({})) == expected
    assert decide(Snapshot({}), side()) == expected


def test_outside_payroll_is_one_note_and_no_question() -> None:
    basics = ("birth_date", "employee_number", "hired_on", "resigned_on", "basic_pension_number")
    freee = Snapshot({key: EVERYTHING[key] for key in basics})
    forth = decide(side(employee_number="9"), freee, target_in_payroll=False)
    assert changed(forth) == {"employee_number": "9"}
    assert forth.notes == (Note("E14", Severity.INFO),)
    back = decide(freee, side(), direction=TO_SMARTHR, source_in_payroll=False)
    assert back == Plan(PlanKind.NOTHING, notes=(Note("E14", Severity.INFO),))


# ── what has no counterpart ──


def test_an_unconvertible_source_is_asked_and_not_written() -> None:
    decided = decide(side(widow_type=Unconvertible("abolished_widow_type")), side(), direction=TO_SMARTHR)
    assert decided == Plan(PlanKind.NOTHING, notes=(Note("abolished_widow_type", Severity.REVIEW, "widow_type"),))


def test_an_unconvertible_target_is_held_for_a_tick() -> None:
    old = Unconvertible("abolished_widow_type")
    held = (Change("widow_type", old, "widow"),)
    note = Note("target_not_carried", Severity.REVIEW, "widow_type")
    decided = decide(side(widow_type="widow"), side(widow_type=old))
    assert decided == Plan(PlanKind.NOTHING, notes=(note,), held=held)
    ticked = decide(side(widow_type="widow"), side(widow_type=old), ticked=["widow_type"])
    assert ticked == Plan(PlanKind.UPDATE, held)


def test_but_not_in_an_automatic_run_when_only_the_target_moved() -> None:
    abroad = Unconvertible("foreign_phone")
    decided = decide(side(), side(phone=abroad), baseline=agreed_on(side()), policy=HOLD)
    assert noted(decided) == {"phone": "target_newer"}
    assert [c.key for c in decide(side(), side(phone=abroad), policy=HOLD).conflicts] == ["phone"]


def test_a_blank_does_not_overwrite_what_nobody_understands() -> None:
    options = MappingOptions(blank_policies={"phone": BlankPolicy.ERASE})
    decided = decide(side(phone=BLANK), side(phone=Unconvertible("foreign_phone")), options=options)
    assert decided == Plan(PlanKind.NOTHING, notes=(Note("foreign_phone", Severity.REVIEW, "phone"),))


def test_gender_not_selected_is_filled_never_written_and_equal_to_nothing() -> None:
    unselected = Unconvertible("gender_unselected")
    assert changed(decide(side(), side(gender=unselected), policy=HOLD)) == {"gender": "female"}
    assert noted(decide(side(gender=unselected), side(), direction=TO_SMARTHR)) == {"gender": "gender_unselected"}
    assert decide(side(gender=unselected), side(gender=BLANK), direction=TO_SMARTHR) == Plan(PlanKind.NOTHING)


# ── the bank account ──


@pytest.mark.parametrize("key", BANK)
def test_one_difference_changes_all_five(key: str) -> None:
    other = "toza" if key == "bank_account_type" else "スズキ" if key == "bank_account_holder" else "9"
    decided = decide(side(**{key: other}), side())
    assert changed(decided) == {**{k: EVERYTHING[k] for k in BANK}, key: other}


@pytest.mark.parametrize("key", BANK)
def test_an_incomplete_account_is_left_alone(key: str) -> None:
    decided = decide(side(**{key: BLANK}), side(bank_code="9999"))
    assert not decided.changes
    assert noted(decided, Severity.REVIEW) == {"bank_code": "bank_incomplete"}


def test_no_account_at_all_is_not_worth_a_word() -> None:
    assert decide(side(**dict.fromkeys(BANK, BLANK)), side()) == Plan(PlanKind.NOTHING)


def test_an_account_that_cannot_be_read_or_understood_is_left_alone() -> None:
    assert noted(decide(side(**dict.fromkeys(BANK, ABSENT)), side())) == {"bank_code": "not_readable"}
    assert noted(decide(side(), side(**dict.fromkeys(BANK, ABSENT)))) == {"bank_code": "not_readable"}
    letters = side(bank_account_number=Unconvertible("letters_in_number"))
    decided = decide(letters, side(bank_code="9999"))
    assert decided == Plan(PlanKind.NOTHING, notes=(Note("letters_in_number", Severity.REVIEW, "bank_account_number"),))


def test_an_account_moves_as_one_thing() -> None:
    """One side changed the bank, the other the number: neither half is mixed with the other."""
    mine, theirs = side(bank_code="0005"), side(bank_account_number="7654321")
    decided = decide(mine, theirs, baseline=agreed_on(side()), policy=HOLD)
    assert not decided.changes
    assert {conflict.key for conflict in decided.conflicts} == {"bank_code", "bank_account_number"}
    wins = decide(mine, theirs, baseline=agreed_on(side()), policy=SMARTHR_WINS)
    assert changed(wins) == {**{k: EVERYTHING[k] for k in BANK}, "bank_code": "0005"}


def test_a_missing_account_is_filled_in_an_automatic_run() -> None:
    decided = decide(side(), side(**dict.fromkeys(BANK, BLANK)), policy=HOLD)
    assert set(changed(decided)) == set(BANK)


# ── what belongs together ──


@pytest.mark.parametrize("kind", ["health", "pension"])
def test_an_insured_number_needs_a_standard_income_somewhere(kind: str) -> None:
    number, income = f"{kind}_insured_number", f"{kind}_standard_income"
    source = side(**{number: "99", income: BLANK})
    assert changed(decide(source, side())) == {number: "99"}
    for nothing in (BLANK, 0):
        decided = decide(source, side(**{income: nothing}))
        assert noted(decided, Severity.REVIEW) == {number: "standard_income_missing"}
        assert not decided.changes
    both = decide(side(**{number: "99"}), side(**{income: BLANK}))
    assert changed(both) == {number: "99", income: 300000}


def test_smarthr_takes_an_insured_number_without_income() -> None:
    sides = side(health_insured_number="99", health_standard_income=BLANK), side(health_standard_income=BLANK)
    assert changed(decide(*sides, direction=TO_SMARTHR)) == {"health_insured_number": "99"}


def test_leaving_before_joining_is_asked() -> None:
    early = side(resigned_on=date(2015, 3, 31), phone=MINE)
    decided = decide(early, side())
    assert changed(decided) == {"phone": MINE}
    assert noted(decided) == {"resigned_on": "E13"}
    moved = decide(side(hired_on=date(2021, 4, 1), resigned_on=BLANK), side(resigned_on=date(2020, 3, 31)))
    assert noted(moved, Severity.REVIEW) == {"hired_on": "E13"}
    assert not moved.changes
    same_day = decide(side(resigned_on=date(2015, 4, 1)), side())
    assert changed(same_day) == {"resigned_on": date(2015, 4, 1)}


def test_a_contradiction_that_is_equal_on_both_sides_is_left_alone() -> None:
    both = side(resigned_on=date(2015, 3, 31))
    assert decide(both, both) == Plan(PlanKind.NOTHING)


def test_old_and_new_address_are_never_mixed() -> None:
    moved = {"home_prefecture": "大阪府", "home_address_kana": "オオサカシキタク"}
    source = side(home_zip_code=Unconvertible("digit_count"), home_address="大阪市北区1", **moved)
    decided = decide(source, side())
    assert not decided.changes
    assert noted(decided) == {
        "home_zip_code": "digit_count",
        **dict.fromkeys(("home_prefecture", "home_address", "home_address_kana"), "address_incomplete"),
    }
    filled = decide(source, side(**dict.fromkeys(("home_zip_code", "home_prefecture", "home_address"), BLANK)))
    assert set(changed(filled)) == {"home_prefecture", "home_address", "home_address_kana"}


def test_a_bad_reading_does_not_hold_the_address() -> None:
    source = side(home_address="千代田区丸の内2-2", home_address_kana=Unconvertible("kana_characters"))
    assert set(changed(decide(source, side()))) == {"home_address"}


# ── what the target cannot take ──


def refusing(reasons: Mapping[str, str]) -> Any:
    def encodable(changes: Sequence[Change]) -> Mapping[str, str]:
        return {change.key: reasons[change.key] for change in changes if change.key in reasons}

    return encodable


def test_a_change_that_cannot_be_encoded_becomes_a_question() -> None:
    source = side(title="部長", phone=MINE)
    decided = decide(source, side(), direction=TO_SMARTHR, encodable=refusing({"title": "unknown_position"}))
    assert changed(decided) == {"phone": MINE}
    assert noted(decided, Severity.REVIEW) == {"title": "unknown_position"}


def test_only_changes_are_tried() -> None:
    assert decide(side(), side(), encodable=refusing({"title": "too_long"})) == Plan(PlanKind.NOTHING)


def test_one_item_of_the_account_that_cannot_be_encoded_holds_all() -> None:
    decided = decide(side(bank_code="9"), side(), encodable=refusing({"bank_account_holder": "too_long"}))
    assert not decided.changes
    assert noted(decided)["bank_account_holder"] == "too_long"
    assert noted(decided)["bank_code"] == "bank_incomplete"


# ── creating ──


def test_a_new_person_takes_everything_that_is_there() -> None:
    decided = decide(side(), None)
    assert decided.kind is PlanKind.CREATE
    assert decided.writes
    assert changed(decided) == {key: value for key, value in EVERYTHING.items() if value is not BLANK}
    assert all(change.before is BLANK for change in decided.changes)
    assert not decided.needs_review


@pytest.mark.parametrize("nothing", [BLANK, ABSENT])
@pytest.mark.parametrize(
    ("direction", "key", "code"),
    [
        (TO_FREEE, "hired_on", "E1"),
        (TO_FREEE, "birth_date", "E2"),
        (TO_FREEE, "last_name", "E2"),
        (TO_FREEE, "first_name_kana", "E2"),
        (TO_SMARTHR, "last_name_kana", "E2"),
        (TO_SMARTHR, "gender", "E2"),
    ],
)
def test_a_missing_required_item_stops_before_the_first_request(
    direction: Direction, key: str, code: str, nothing: FieldState
) -> None:
    decided = decide(side(**{key: nothing}), None, direction=direction)
    assert decided.stops == (Note(code, Severity.STOP, key),)
    assert not decided.writes


@pytest.mark.parametrize(
    ("direction", "key"),
    [(TO_FREEE, "gender"), (TO_SMARTHR, "birth_date"), (TO_SMARTHR, "hired_on"), (TO_FREEE, "employee_number")],
)
def test_what_the_target_does_not_require_may_be_missing(direction: Direction, key: str) -> None:
    decided = decide(side(**{key: BLANK}), None, direction=direction)
    assert decided.kind is PlanKind.CREATE
    assert decided.writes


def test_nobody_is_created_in_smarthr_without_a_gender() -> None:
    decided = decide(side(gender=Unconvertible("gender_unselected")), None, direction=TO_SMARTHR)
    assert decided.kind is PlanKind.NOTHING
    assert noted(decided, Severity.REVIEW) == {"gender": "gender_unselected"}
    assert decided.needs_review
    assert not decided.writes


@pytest.mark.parametrize("key", ["last_name_kana", "birth_date", "employee_number", "resigned_on"])
def test_nobody_is_created_with_a_decisive_item_in_doubt(key: str) -> None:
    decided = decide(side(**{key: Unconvertible("wrong_type")}), None)
    assert (decided.kind, decided.writes, decided.needs_review) == (PlanKind.NOTHING, False, True)
    refused = decide(side(resigned_on=date(2020, 1, 1)), None, encodable=refusing({key: "too_long"}))
    assert (refused.kind, refused.needs_review) == (PlanKind.NOTHING, True)


def test_nobody_is_created_who_left_before_joining() -> None:
    decided = decide(side(resigned_on=date(2015, 3, 31)), None)
    assert decided.kind is PlanKind.NOTHING
    assert noted(decided) == {"resigned_on": "E13"}


def test_other_doubts_do_not_keep_a_person_from_being_created() -> None:
    doubtful = side(phone=Unconvertible("foreign_phone"), bank_code=BLANK, health_standard_income=BLANK, gender=ABSENT)
    decided = decide(doubtful, None)
    assert decided.kind is PlanKind.CREATE
    assert decided.needs_review
    assert noted(decided, Severity.REVIEW) == {
        "phone": "foreign_phone",
        "bank_code": "bank_incomplete",
        "health_insured_number": "standard_income_missing",
    }
    assert not set(changed(decided)) & {*BANK, "phone", "health_insured_number", "gender"}


# ── agreement and approval ──


def test_an_agreement_covers_what_is_equal_and_readable() -> None:
    one = side(phone=BLANK, title="部長", gender=Unconvertible("x"), home_address=ABSENT)
    other = side(phone=BLANK, title="課長", gender=Unconvertible("x"), home_address=ABSENT, last_name_kana="ｻﾄｳ")
    digests = shared_digests(one, other, NO_BASELINE)
    assert set(EVERYTHING) - set(digests) == {"title", "gender", "home_address"}
    assert digests == shared_digests(other, one, NO_BASELINE) | {}


def test_an_agreement_does_not_show_its_values() -> None:
    baseline = agreed_on(side())
    assert "佐藤" not in str(baseline.digests)
    assert repr(baseline) == "Baseline()"
    assert "佐藤" not in repr(decide(side(last_name="鈴木"), side(), policy=HOLD))


def test_blank_and_the_text_of_a_blank_are_not_the_same_agreement() -> None:
    baseline = agreed_on(only(title=BLANK))
    decided = decide(only(title="blank"), only(title=BLANK), baseline=baseline, policy=HOLD)
    assert changed(decided) == {"title": "blank"}


def test_same_plan_same_digest() -> None:
    first = decide(side(phone=MINE, title="部長"), side())
    again = decide(side(phone="0311111111", title="部長", last_name_kana="ｻﾄｳ"), side())
    assert digest(first, NO_BASELINE) == digest(again, NO_BASELINE)
    noisy = Plan(first.kind, tuple(reversed(first.changes)), notes=(Note("lossy", Severity.INFO, "title"),))
    assert digest(noisy, NO_BASELINE) == digest(first, NO_BASELINE)
    assert MINE not in digest(first, NO_BASELINE)


@pytest.mark.parametrize(
    "other",
    [
        decide(side(phone=THEIRS), side()),
        decide(side(phone=MINE), side(phone=BEFORE)),
        decide(side(phone=MINE, title="部長"), side()),
        decide(side(), side()),
        decide(side(phone=MINE), side(), policy=HOLD),
        Plan(PlanKind.CREATE, decide(side(phone=MINE), side()).changes),
    ],
)
def test_another_plan_another_digest(other: Plan) -> None:
    assert digest(other, NO_BASELINE) != digest(decide(side(phone=MINE), side()), NO_BASELINE)


def test_a_digest_is_keyed() -> None:
    decided = decide(side(phone=MINE), side())
    assert digest(decided, NO_BASELINE) != digest(decided, Baseline({}, lambda key, text: fingerprint(key, text + "x")))


# ── always ──

STATES = st.sampled_from([ABSENT, BLANK, Unconvertible("wrong_type"), None])


@given(
    st.dictionaries(st.sampled_from(sorted(EVERYTHING)), STATES),
    st.none() | st.dictionaries(st.sampled_from(sorted(EVERYTHING)), STATES),
    st.sampled_from(Direction),
    st.sampled_from(ConflictPolicy),
    st.booleans(),
)
def test_whatever_comes_the_plan_is_sound(
    mine: dict[str, FieldState | None],
    theirs: dict[str, FieldState | None] | None,
    direction: Direction,
    policy: ConflictPolicy,
    in_payroll: bool,
) -> None:
    def build(states: dict[str, FieldState | None]) -> Snapshot:
        return side(**{key: state for key, state in states.items() if state is not None})

    target = None if theirs is None else build(theirs)
    decided = decide(build(mine), target, direction=direction, policy=policy, target_in_payroll=in_payroll)
    keys = [change.key for change in decided.changes]
    assert len(keys) == len(set(keys))
    assert not set(keys) & {conflict.key for conflict in decided.conflicts}
    assert len(set(keys) & set(BANK)) in (0, 5)
    assert (decided.kind is PlanKind.NOTHING) == (not keys) or decided.kind is PlanKind.CREATE
    assert {note.code for note in decided.notes} <= CATALOGUE.keys() | {"wrong_type"}
    asked = {note.key for note in decided.notes if note.severity is not Severity.INFO}
    assert not asked & set(keys)


def test_planning_loads_no_framework() -> None:
    code = (
        "import sys, app.domain.planning.planning\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}\n"
        "  & {'flask', 'rq', 'redis', 'sqlalchemy', 'requests', 'marshmallow', 'authlib', 'structlog'}))\n"
        "print(sorted(name for name in sys.modules if name.startswith('app.') and not name.startswith('app.domain')))"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:2] == ["[]", "[]"]

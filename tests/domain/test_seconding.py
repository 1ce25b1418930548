"""What of a plan waits for a second person: over any plan and anything remembered, nothing of it travels unapproved."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import System
from app.domain.planning.plan import Change, Plan, PlanKind
from app.domain.planning.seconding import second_split
from app.domain.planning.stopping import DECLINED, Split, Stopped, StopReason, StopState, pieces_of
from app.domain.planning.two_persons import ACCOUNT, INCOME, covered_by
from app.domain.settings.two_persons import TwoPersons
from app.domain.snapshot import BLANK
from tests.properties import examples

TODAY = date(2026, 11, 30)
VALUES = {
    **dict.fromkeys(sorted(ACCOUNT), ("1", "2")),
    **dict.fromkeys(sorted(INCOME), (200_000, 220_000)),
    "health_insured_number": ("11", "12"),
    "phone": ("0312345678", "0312345679"),
}
MODES = st.sampled_from(list(TwoPersons))


def fingerprint(key: str, comparable: str) -> str:
    return f"{key}:{comparable}"


def plan_of(keys: frozenset[str], kind: PlanKind = PlanKind.UPDATE, *, filled: bool = True) -> Plan:
    whole = keys | (ACCOUNT if keys & ACCOUNT else frozenset())
    return Plan(kind, tuple(Change(k, VALUES[k][0] if filled else BLANK, VALUES[k][1]) for k in sorted(whole)))


def divided(plan: Plan, mode: TwoPersons, *known: Stopped, automatic: bool = False) -> Split:
    return second_split(
        plan,
        pieces_of(plan, today=TODAY, fingerprint=fingerprint),
        known=known,
        covered=covered_by(mode),
        target=System.FREEE,
        is_automatic=automatic,
    )


@given(
    keys=st.frozensets(st.sampled_from(sorted(VALUES))),
    mode=MODES,
    state=st.sampled_from([None, *StopState]),
    same=st.booleans(),
    reason=st.sampled_from(list(StopReason)),
    automatic=st.booleans(),
)
@examples(200)
def test_nothing_covered_travels_unless_two_have_approved_just_these_values(
    keys: frozenset[str], mode: TwoPersons, state: StopState | None, same: bool, reason: StopReason, automatic: bool
) -> None:
    plan = plan_of(keys)
    pieces = pieces_of(plan, today=TODAY, fingerprint=fingerprint)
    known = [Stopped(p.unit, state, p.digest if same else "another", reason) for p in pieces] if state else []
    found = divided(plan, mode, *known, automatic=automatic)
    travels = {change.key for change in found.plan.changes}
    assert travels | found.removed == {change.key for change in plan.changes} and not travels & found.removed
    approved = state is StopState.APPROVED and same and reason is StopReason.SECOND_PERSON
    if not approved:
        assert not travels & covered_by(mode)
    if state is StopState.WAITING and reason is StopReason.SECOND_PERSON:
        assert not travels  # also with the setting off by now
    elif mode is TwoPersons.OFF and not (state is StopState.DECLINED and automatic):
        assert travels == {change.key for change in plan.changes}


def test_what_was_declined_rests_only_for_automatic_runs() -> None:
    plan = plan_of(ACCOUNT)
    (piece,) = pieces_of(plan, today=TODAY, fingerprint=fingerprint)
    declined = Stopped(piece.unit, StopState.DECLINED, piece.digest, StopReason.SECOND_PERSON)
    rests = divided(plan, TwoPersons.ACCOUNTS, declined, automatic=True)
    assert (rests.waiting, [note.code for note in rests.plan.notes]) == ((), [DECLINED])
    assert [each.unit for each in divided(plan, TwoPersons.ACCOUNTS, declined).waiting] == [piece.unit]


def test_an_insurance_number_waits_with_the_first_income_of_its_insurance() -> None:
    keys = frozenset({"health_standard_income", "health_insured_number", "phone"})
    first = divided(plan_of(keys, filled=False), TwoPersons.ACCOUNTS_AND_INCOME)
    assert {each.unit for each in first.waiting} == {"health_standard_income", "health_insured_number"}
    later = divided(plan_of(keys), TwoPersons.ACCOUNTS_AND_INCOME)
    assert {each.unit for each in later.waiting} == {"health_standard_income"}


@given(mode=MODES, keys=st.frozensets(st.sampled_from(sorted(VALUES)), min_size=1))
@examples(60)
def test_a_new_person_is_created_without_what_waits(mode: TwoPersons, keys: frozenset[str]) -> None:
    created = divided(plan_of(keys, PlanKind.CREATE, filled=False), mode)
    travels = {change.key for change in created.plan.changes}
    assert not travels & covered_by(mode) and created.plan.kind is PlanKind.CREATE and not created.waiting

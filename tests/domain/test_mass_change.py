"""The mass-change guard: what counts, where the limits lie, how it is kept and told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.planning import mass_change
from app.domain.planning.mass_change import (
    Consequences,
    Effect,
    MassChangeCode,
    MassChangeReason,
    alarms,
    consequences,
    effects_of,
)
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.snapshot import BLANK, Unconvertible

TODAY = date(2026, 11, 22)
BEFORE, AFTER = date(2026, 10, 31), date(2026, 12, 31)


def updated(*changes: Change) -> Plan:
    return Plan(PlanKind.UPDATE, changes)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan(PlanKind.NOTHING), set()),
        (updated(Change("phone", "03", "04")), set()),
        (updated(Change("phone", BLANK, "04")), set()),
        (updated(Change("phone", "03", BLANK)), {Effect.BLANK}),
        (updated(Change("gender", Unconvertible("gender_unselected"), BLANK)), set()),
        (updated(Change("resigned_on", BLANK, AFTER)), {Effect.RETIRE}),
        (updated(Change("resigned_on", BLANK, BEFORE)), {Effect.RETIRE}),
        (updated(Change("resigned_on", AFTER, BEFORE)), {Effect.RETIRE}),
        (updated(Change("resigned_on", AFTER, TODAY)), set()),  # not in the past yet
        (updated(Change("resigned_on", BEFORE, date(2026, 9, 30))), {Effect.RETIRE}),
        (updated(Change("resigned_on", date(2027, 3, 31), AFTER)), set()),
        (updated(Change("resigned_on", BEFORE, AFTER)), set()),
        (updated(Change("resigned_on", AFTER, BLANK)), {Effect.BLANK}),
        (updated(Change("bank_account_number", "1", "2")), {Effect.BANK}),
        (updated(Change("bank_account_number", BLANK, "2")), {Effect.BANK}),
        (updated(Change("phone", "03", BLANK), Change("resigned_on", BLANK, AFTER)), {Effect.BLANK, Effect.RETIRE}),
        (Plan(PlanKind.CREATE, (Change("bank_account_number", BLANK, "2"),)), {Effect.CREATE}),
        (Plan(PlanKind.CREATE, notes=(Note("E2", Severity.STOP),)), set()),
    ],
)
def test_what_counts(plan: Plan, expected: set[Effect]) -> None:
    assert effects_of(plan, today=TODAY) == expected
    assert mass_change.from_text(mass_change.as_text(expected)) == expected


@pytest.mark.parametrize(
    ("found", "linked", "expected"),
    [
        (Consequences(), 0, []),
        (Consequences(people=5, creates=5), 0, []),
        (Consequences(people=6, creates=6), 0, [("many_people", 6, 5)]),
        (Consequences(people=6, creates=3, retires=2, blanks=1), 59, [("many_people", 6, 5)]),
        (Consequences(people=6), 60, []),
        (Consequences(people=10), 109, []),
        (Consequences(people=11), 109, [("many_people", 11, 10)]),
        (Consequences(bank_accounts=3), 0, []),
        (Consequences(bank_accounts=4), 10_000, [("many_bank_accounts", 4, 3)]),
        (Consequences(people=6, bank_accounts=4), 0, [("many_people", 6, 5), ("many_bank_accounts", 4, 3)]),
    ],
)
def test_where_the_limits_lie(found: Consequences, linked: int, expected: list[tuple[str, int, int]]) -> None:
    assert [(alarm.code.value, alarm.count, alarm.limit) for alarm in alarms(found, linked=linked)] == expected


@given(st.lists(st.frozensets(st.sampled_from(Effect)), max_size=30))
def test_everybody_counts_once_and_a_handful_is_harmless(people: list[frozenset[Effect]]) -> None:
    found = consequences(Counter(people))
    assert found.people == sum(bool(effects - {Effect.BANK}) for effects in people)
    assert max(found.creates, found.retires, found.blanks) <= found.people <= len(people)
    if len(people) <= mass_change.HARMLESS_PEOPLE:
        assert alarms(found, linked=0) == ()


def test_each_effect_is_counted_by_itself_and_told_with_the_alarm() -> None:
    people = {
        frozenset({Effect.CREATE}): 4,
        frozenset({Effect.RETIRE, Effect.BANK}): 2,
        frozenset({Effect.RETIRE, Effect.BLANK}): 1,
        frozenset({Effect.BANK}): 5,
        frozenset[Effect](): 100,
    }
    found = consequences(people)
    assert found == Consequences(people=7, creates=4, retires=3, blanks=1, bank_accounts=7)
    assert alarms(found, linked=0) == (
        MassChangeReason(MassChangeCode.PEOPLE, 7, 5, creates=4, retires=3, blanks=1),
        MassChangeReason(MassChangeCode.BANK_ACCOUNTS, 7, 3),
    )


def test_an_alarm_is_kept_plainly_and_told_in_words() -> None:
    alarm = MassChangeReason(MassChangeCode.PEOPLE, 12, 5, creates=2, retires=10)
    kept = {"code": "many_people", "count": 12, "limit": 5, "creates": 2, "retires": 10, "blanks": 0}
    assert mass_change.reason_as_dict(alarm) == kept
    erased = replace(alarm, retires=9, blanks=1)
    assert mass_change.sentence(erased).endswith("（上限5人。内訳: 新規登録2人、退職9人、値の消去1人）")
    told = mass_change.sentence(alarm)
    assert "12人" in told and "新規登録2人、退職10人" in told and "値の消去0人" not in told
    assert (
        mass_change.sentence(MassChangeReason(MassChangeCode.BANK_ACCOUNTS, 4, 3))
        == "口座を書き込む対象が4人（上限3人）"
    )

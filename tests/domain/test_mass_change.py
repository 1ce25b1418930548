"""The mass-change guard: what counts, where the limits lie, how it is kept and told."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.planning import mass_change
from app.domain.planning.mass_change import (
    Effect,
    MassChangeCode,
    MassChangeReason,
    alarms,
    consequences,
    effects_of,
    limit_of,
)
from app.domain.planning.plan import Change, Note, Plan, PlanKind, Severity
from app.domain.snapshot import BLANK, Unconvertible
from app.web.i18n import wording

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


NO_LINKS = {Effect.CREATE: 5, Effect.RETIRE: 5, Effect.BLANK: 5, Effect.BANK: 3}


@pytest.mark.parametrize(
    ("linked", "expected"),
    [
        (0, NO_LINKS),
        (59, NO_LINKS),
        (60, {**NO_LINKS, Effect.CREATE: 6, Effect.RETIRE: 6, Effect.BLANK: 6}),
        (399, {Effect.CREATE: 39, Effect.RETIRE: 39, Effect.BLANK: 39, Effect.BANK: 3}),
        (400, {Effect.CREATE: 40, Effect.RETIRE: 40, Effect.BLANK: 40, Effect.BANK: 4}),
        (10_000, {Effect.CREATE: 1_000, Effect.RETIRE: 1_000, Effect.BLANK: 1_000, Effect.BANK: 100}),
    ],
)
def test_where_the_limits_lie(linked: int, expected: dict[Effect, int]) -> None:
    assert {effect: limit_of(effect, linked=linked) for effect in Effect} == expected
    assert alarms(expected, linked=linked) == ()
    raised = alarms({effect: limit + 1 for effect, limit in expected.items()}, linked=linked)
    assert {alarm.effect: alarm.limit for alarm in raised} == expected


@given(
    st.lists(st.frozensets(st.sampled_from(Effect)), max_size=30),
    st.dictionaries(st.sampled_from(Effect), st.integers(0, 9)),
    st.integers(0, 1_000),
)
def test_each_kind_is_counted_by_itself_with_what_the_day_has_seen(
    people: list[frozenset[Effect]], written: dict[Effect, int], linked: int
) -> None:
    found = consequences(Counter(people))
    assert found == {effect: sum(effect in effects for effects in people) for effect in Effect}
    raised = {alarm.effect: alarm for alarm in alarms(found, linked=linked, written=written)}
    for effect in Effect:
        total = found[effect] + written.get(effect, 0)
        too_many = bool(found[effect]) and total > limit_of(effect, linked=linked)
        assert (effect in raised) == too_many
        if too_many:
            assert (raised[effect].count, raised[effect].written) == (total, written.get(effect, 0))


def test_an_alarm_is_kept_plainly_and_told_in_words() -> None:
    alarm = MassChangeReason(MassChangeCode.RETIRES, 12, 5)
    kept = {"code": "many_retires", "count": 12, "limit": 5, "written": 0}
    assert mass_change.reason_as_dict(alarm) == kept
    assert wording("ja").tell(mass_change.sentence(alarm)) == "退職にする人が12人（1日の上限5人）"
    accounts = MassChangeReason(MassChangeCode.BANK_ACCOUNTS, 4, 3, written=3)
    said = wording("ja").tell(mass_change.sentence(accounts))
    assert said == "口座を書き込む人が4人（1日の上限3人、うち3人は書き込み済み）"
    assert accounts.effect is Effect.BANK
    assert MassChangeReason(MassChangeCode.PEOPLE, 6, 5).effect is None
    assert {alarm.effect for alarm in alarms(dict.fromkeys(Effect, 99), linked=0)} == set(Effect)

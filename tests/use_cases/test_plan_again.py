"""What a survey learns after it has planned everybody concerns few: the others keep their plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from app.domain.employee import EmployeeRecord, Person
from app.domain.enums import Direction, System
from app.domain.matching.linking import LinkDecision, LinkKind
from app.domain.planning.mass_change import Effect
from app.domain.planning.plan import PlanKind
from app.domain.runs.run_state import ItemState
from app.storage.runs.rows import NewItem
from app.use_cases.planning.planned_item import Agreement, PlannedItem, mark_of
from app.use_cases.survey.plan_again import (
    NOBODY,
    Again,
    Before,
    Planner,
    Stands,
    is_the_same_pair,
    needed_no_other_month,
    without,
)
from app.use_cases.survey.survey_store import Agreed, as_agreed

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SOURCE = EmployeeRecord(Person(System.SMARTHR, "s1", "0001"), {})


class Decides:
    """The planner that knows more, as far as it is asked here."""

    def __init__(self, decision: LinkDecision | None = None) -> None:
        self._decision = decision or LinkDecision(LinkKind.CREATE)

    def decision(self, _source: EmployeeRecord) -> LinkDecision:
        return self._decision


def found(target_id: str | None = "f1", *, look: str | None = None, **item: Any) -> PlannedItem:
    columns = {"state": ItemState.UNCHANGED, "kind": PlanKind.NOTHING.value, "queue": "bulk", "effects": "", **item}
    who = {"run_id": 1, "connection_id": 1, "direction": Direction.SMARTHR_TO_FREEE, "position": 0}
    made = NewItem(**who, employee_number="0001", source_id="s1", target_id=target_id, created_at=NOW, **columns)
    return PlannedItem(made, look=look)


def kept(planned: PlannedItem, stands: Stands, planner: Decides | None = None) -> PlannedItem | None:
    return Before([planned], stands).standing(cast("Planner", planner or Decides()), SOURCE)


@pytest.mark.parametrize(
    ("decision", "stays"),
    [
        (LinkDecision(LinkKind.MATCHED, "f1"), True),
        (LinkDecision(LinkKind.LINKED, "f1"), True),
        (LinkDecision(LinkKind.MATCHED, "f2"), False),
        (LinkDecision(LinkKind.REVIEW, code="number_swapped"), False),
        (LinkDecision(LinkKind.CREATE), False),
    ],
)
def test_who_is_hidden_concerns_whoever_gets_another_partner(decision: LinkDecision, stays: bool) -> None:
    assert (kept(planned := found(), is_the_same_pair, Decides(decision)) is planned) is stays


def test_who_had_no_partner_is_decided_on_again() -> None:
    assert kept(found(None), is_the_same_pair, Decides(LinkDecision(LinkKind.CREATE))) is None


def test_another_month_concerns_whoever_needed_one() -> None:
    assert kept(planned := found(), needed_no_other_month) is planned
    assert kept(found(look="f1"), needed_no_other_month) is None


def test_a_full_day_concerns_whose_changes_are_of_that_kind() -> None:
    waiting = {"state": ItemState.WAITING, "kind": PlanKind.UPDATE.value}
    planned = found(effects=Effect.BANK.value, **waiting)
    assert kept(planned, without({Effect.BLANK})) is planned
    assert kept(planned, without({Effect.BANK, Effect.BLANK})) is None


def test_a_job_without_a_plan_is_always_made_anew() -> None:
    assert kept(found(state=ItemState.WAITING), without(())) is None


def test_a_plan_is_given_once_and_taken_out_of_the_list_from_before() -> None:
    planned_items = [found()]
    before = Before(planned_items, without(()))
    assert planned_items == []
    planner = cast("Planner", Decides())
    assert before.standing(planner, SOURCE) is not None
    assert before.standing(planner, SOURCE) is None
    assert NOBODY.standing(planner, SOURCE) is None


def test_what_the_planner_from_before_knew_goes_with_it() -> None:
    first, second = (cast("Planner", Decides(LinkDecision(LinkKind.MATCHED, "f1"))) for _ in range(2))
    planned = PlannedItem(found().item, Agreement("s1", "f1", Again(first, "s1", "f1")))
    stands = Before([planned], is_the_same_pair).standing(second, SOURCE)
    assert stands is not None
    assert stands.agreement is not None
    assert cast("Again", stands.agreement.compared).planner is second


def test_a_baseline_that_has_moved_since_the_plan_was_made_is_not_replaced() -> None:
    seen = {"title": "digest of 課長"}
    agreement = Agreement("s1", "f1", lambda baseline: {**baseline, "email": "new"}, 7, mark_of(seen))
    assert as_agreed(agreement, {7: dict(seen)}) == Agreed(agreement, seen, {**seen, "email": "new"})
    assert as_agreed(agreement, {7: {"title": "digest of 部長"}}) == Agreed(agreement, None, None)
    assert as_agreed(agreement, {}) == Agreed(agreement, None, None)  # the link went with its connection


def test_a_new_link_begins_with_what_both_sides_hold() -> None:
    agreement = Agreement("s1", "f1", lambda baseline: {**baseline, "email": "new"})
    assert as_agreed(agreement, {}) == Agreed(agreement, None, {"email": "new"})

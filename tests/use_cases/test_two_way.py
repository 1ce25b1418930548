"""Automatic sync with both vendors telling: one way and two ways, conflicts, deletions, echoes, quarantine."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.employee import YearMonth
from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.storage.enums import DeliveryState, UnlinkReason
from app.storage.runs.rows import ItemRow, RunRow
from app.use_cases.intake.webhook_intake import sort_received
from tests.house import House
from tests.listening import FREEE_TOKEN, automatic, differences, listening, now_in_japan, settle, swept
from tests.reach import thinned
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Everybody who is equal on both sides, linked by a first manual run; no webhook has been sent yet."""
    house = open_practice(only(company, "equal"), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.smarthr_injector.forget_requests()
    house.freee_injector.forget_requests()
    return house


def somebody(house: House, nth: int = 0) -> tuple[str, int]:
    """(crew id, employee id) of a linked pair."""
    with house.ctx.unit_of_work() as uow:
        links = uow.links.for_connection(house.connection.id)
    link = sorted(links, key=lambda each: each.smarthr_id)[nth]
    return link.smarthr_id, int(link.freee_id)


def in_freee(house: House, employee_id: int) -> dict[str, Any]:
    """As of the month that is now, whatever the group's closing day: far enough ahead for all of them."""
    on = now_in_japan(house)
    month = YearMonth(on.year, on.month).next()
    return house.freee.employee(employee_id, month=month)


def automatic_runs(house: House) -> list[RunRow]:
    with house.ctx.unit_of_work() as uow:
        return [run for run in uow.runs.page(after=None, limit=500) if run.trigger is Trigger.WEBHOOK]


def items_of(house: House, run: RunRow) -> list[ItemRow]:
    with house.ctx.unit_of_work() as uow:
        return uow.items.page(run.id, after=-1, limit=10_000)


def all_items(house: House) -> list[ItemRow]:
    return [item for run in automatic_runs(house) for item in items_of(house, run)]


# ── one way ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_in_smarthr_arrives_in_freee(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
        settle(pairs)
    assert in_freee(pairs, employee)["profile_rule"]["first_name"] == "新次郎"
    (run,) = automatic_runs(pairs)
    assert (run.state, run.total, run.direction) == (RunState.SUCCEEDED, 1, TO_FREEE)
    assert [mail.subject for mail in pairs.postbox.mails[1:]] == [
        "SmartHRからfreee人事労務へ従業員情報を同期しました｜練習用の会社"
    ]


def test_a_change_in_freee_arrives_in_smarthr(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.FREEE_TO_SMARTHR):
        pairs.freee.edit(employee, {"profile_rule": {"first_name": "新三郎"}})
        settle(pairs)
    assert pairs.smarthr.crew(crew)["first_name"] == "新三郎"


def test_one_person_costs_two_readings_and_one_writing(pairs: House) -> None:
    """And a reading more where the first one is no longer fresh: the machine is slow, and a second has passed."""
    crew, _ = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        before = pairs.calls()
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
        settle(pairs)
        assert pairs.calls() - before in (3, 4)
        assert pairs.writes() == 2  # the registration at SmartHR, and the name


def test_the_other_direction_is_left_alone(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.freee.edit(employee, {"profile_rule": {"first_name": "新三郎"}})
        settle(pairs)
    assert pairs.smarthr.crew(crew)["first_name"] != "新三郎"
    assert automatic_runs(pairs) == []
    with pairs.ctx.unit_of_work() as uow:
        assert [each.state for each in uow.deliveries.page(after=None, limit=10)] == [DeliveryState.IGNORED]


def test_a_direction_switched_off_meanwhile_writes_nothing(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
        assert pairs.smarthr.webhooks.wait_idle(30)
        assert sort_received(pairs.ctx) == 1
        automatic(pairs, Automatic.OFF)
        settle(pairs)
    (item,) = all_items(pairs)
    assert (item.state, item.error_code) == (ItemState.CANCELLED, "automatic_off")
    assert in_freee(pairs, employee)["profile_rule"]["first_name"] != "新次郎"


def test_a_newcomer_is_created_and_a_leaver_leaves(pairs: House, company: PracticeCompany) -> None:
    scenario = next(scenario for scenario in company.scenarios if scenario.to_freee == "create")
    record = next(crew for crew in company.crews if crew["id"] == scenario.crew_id)
    _, employee = somebody(pairs)
    crew, _ = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr.add(record)
        pairs.smarthr.edit(crew, {"resigned_at": now_in_japan(pairs).isoformat()})
        settle(pairs)
    assert len(pairs.freee.ids_by_num(record["emp_code"])) == 1
    assert pairs.freee.employee(employee)["retire_date"] == now_in_japan(pairs).isoformat()


# ── conflicts ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("policy", "wins"), [(ConflictPolicy.SMARTHR_WINS, "山田"), (ConflictPolicy.FREEE_WINS, "川田")]
)
def test_both_sides_moved_and_the_policy_decides(pairs: House, policy: ConflictPolicy, wins: str) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.BOTH, conflict_policy=policy):
        pairs.smarthr.edit(crew, {"last_name": "山田"})
        pairs.freee.edit(employee, {"profile_rule": {"last_name": "川田"}})
        settle(pairs)
    assert pairs.smarthr.crew(crew)["last_name"] == wins
    assert in_freee(pairs, employee)["profile_rule"]["last_name"] == wins


def test_a_held_conflict_waits_for_a_person_and_the_rest_goes_on(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.BOTH, conflict_policy=ConflictPolicy.HOLD):
        pairs.smarthr.edit(crew, {"last_name": "山田", "first_name": "一"})
        pairs.freee.edit(employee, {"profile_rule": {"last_name": "川田"}})
        settle(pairs)
    assert pairs.smarthr.crew(crew)["last_name"] == "山田"
    freee = in_freee(pairs, employee)["profile_rule"]
    assert (freee["last_name"], freee["first_name"]) == ("川田", "一")
    assert ItemState.CONFLICT in {item.state for item in all_items(pairs)}


def test_a_single_item_may_have_a_policy_of_its_own(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(
        pairs,
        Automatic.BOTH,
        conflict_policy=ConflictPolicy.SMARTHR_WINS,
        conflict_policies={"first_name": ConflictPolicy.FREEE_WINS},
    ):
        pairs.smarthr.edit(crew, {"last_name": "山田", "first_name": "一"})
        pairs.freee.edit(employee, {"profile_rule": {"last_name": "川田", "first_name": "二"}})
        settle(pairs)
    assert (pairs.smarthr.crew(crew)["last_name"], pairs.smarthr.crew(crew)["first_name"]) == ("山田", "二")
    assert differences(pairs) == []


@pytest.mark.reach("all")
def test_what_freee_does_not_tell_comes_back_with_the_next_webhook(pairs: House) -> None:
    """Edits of 口座 on freee's screen fire nothing: a webhook about anything else finds them."""
    crew, employee = somebody(pairs)
    number = pairs.smarthr.crew(crew)["bank_accounts"][0]["account_number"]
    with listening(pairs, Automatic.BOTH, conflict_policy=ConflictPolicy.HOLD):
        pairs.freee.edit(employee, {"bank_account_rule": {"account_number": "7654321"}})
        settle(pairs)
        assert pairs.smarthr.crew(crew)["bank_accounts"][0]["account_number"] == number
        pairs.smarthr.edit(crew, {"first_name": "一"})
        settle(pairs)
    assert pairs.smarthr.crew(crew)["bank_accounts"][0]["account_number"] == "7654321"
    assert differences(pairs) == []


# ── deletions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deletion_in_smarthr_breaks_the_link_and_asks(pairs: House) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.BOTH):
        pairs.smarthr.remove(crew)
        settle(pairs)
    assert pairs.freee.employee(employee), "nobody is ever deleted"
    (item,) = all_items(pairs)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "source_deleted")
    with pairs.ctx.unit_of_work() as uow:
        (broken,) = uow.links.broken(pairs.connection.id)
    assert (broken.smarthr_id, broken.unlinked_why) == (crew, UnlinkReason.SMARTHR_DELETED)


@pytest.mark.parametrize("directions", [Automatic.SMARTHR_TO_FREEE, Automatic.FREEE_TO_SMARTHR, Automatic.BOTH])
def test_a_deletion_in_freee_breaks_the_link_and_asks(pairs: House, directions: Automatic) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, directions):
        pairs.freee.remove(employee)
        settle(pairs)
        assert pairs.smarthr.crew(crew)
        with pairs.ctx.unit_of_work() as uow:
            (broken,) = uow.links.broken(pairs.connection.id)
        assert (broken.freee_id, broken.unlinked_why) == (str(employee), UnlinkReason.FREEE_DELETED)
        before = pairs.freee_injector.calls("POST", "/employees$")
        pairs.smarthr.edit(crew, {"first_name": "一"})
        settle(pairs)
        assert pairs.freee_injector.calls("POST", "/employees$") == before, (
            "nobody is created again without being asked"
        )


def test_somebody_registered_again_is_offered_for_relinking(pairs: House) -> None:
    crew, employee = somebody(pairs)
    record = {name: value for name, value in pairs.smarthr.crew(crew).items() if name not in ("id", "created_at")}
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr.remove(crew)
        settle(pairs)
        again = pairs.smarthr.add({key: record[key] for key in _WRITABLE if record.get(key) is not None})
        settle(pairs)
    assert again != crew
    assert len(pairs.freee.ids_by_num(record["emp_code"])) == 1
    asked = [item for item in all_items(pairs) if item.source_id == again]
    assert [(item.state, item.error_code) for item in asked] == [(ItemState.NEEDS_REVIEW, "relink_offered")]
    assert {candidate["id"] for candidate in asked[0].candidates} == {str(employee)}


@pytest.mark.parametrize(
    ("directions", "deleted_in"),
    thinned(2, [Automatic.SMARTHR_TO_FREEE, Automatic.FREEE_TO_SMARTHR, Automatic.BOTH], System),
)
def test_a_deletion_no_webhook_told_is_found_by_the_next_comparison(
    pairs: House, deleted_in: System, directions: Automatic
) -> None:
    crew, employee = somebody(pairs)
    automatic(pairs, directions)
    swept(pairs)  # what a first manual run in one direction leaves to the other
    writes = pairs.writes()
    if deleted_in is System.SMARTHR:
        pairs.smarthr.remove(crew)
    else:
        pairs.freee.remove(employee)
    swept(pairs)
    with pairs.ctx.unit_of_work() as uow:
        (broken,) = uow.links.broken(pairs.connection.id)
        scheduled = [run for run in uow.runs.page(after=None, limit=9) if run.trigger is Trigger.SCHEDULE]
    assert (broken.smarthr_id, broken.freee_id) == (crew, str(employee))
    assert pairs.writes() == writes
    codes = {item.error_code for run in scheduled for item in items_of(pairs, run)}
    assert codes & {"source_deleted", "E20"}
    swept(pairs)
    assert pairs.writes() == writes, "the one who is left waits for a person"


_WRITABLE = (
    "emp_code", "emp_status", "last_name", "first_name", "last_name_yomi", "first_name_yomi", "birth_at", "gender",
    "entered_at",
)  # fmt: skip


# ── echoes ────────────────────────────────────────────────────────────────────────────────────────────────────────

_NAMES = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十")


def edit_somewhere(house: House, dice: random.Random, people: list[tuple[str, int]]) -> None:
    """One edit by a person on one of the two screens."""
    crew, employee = dice.choice(people)
    part = dice.choice(("last_name", "first_name"))
    name = dice.choice(_NAMES) + dice.choice(_NAMES)
    if dice.random() < 0.5:
        house.smarthr.edit(crew, {part: name})
    else:
        house.freee.edit(employee, {"profile_rule": {part: name}})


@pytest.mark.parametrize(
    ("directions", "policy"),
    thinned(
        3,
        [Automatic.SMARTHR_TO_FREEE, Automatic.FREEE_TO_SMARTHR, Automatic.BOTH],
        [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS, ConflictPolicy.HOLD],
    ),
)
def test_no_combination_echoes_for_ever(pairs: House, directions: Automatic, policy: ConflictPolicy) -> None:
    dice = random.Random(11)
    people = [somebody(pairs, nth) for nth in range(4)]
    with listening(pairs, directions, conflict_policy=policy):
        for _ in range(12):
            edit_somewhere(pairs, dice, people)
        settle(pairs)
        writes = pairs.writes()
        settle(pairs)
        assert pairs.writes() == writes


@pytest.mark.reach("all")
@pytest.mark.parametrize("policy", [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS])
def test_a_storm_of_edits_on_both_sides_ends_quiet_and_equal(pairs: House, policy: ConflictPolicy) -> None:
    """500 edits, both directions on, both vendors reporting our own writes back, doubled and out of order."""
    dice = random.Random(7)
    people = [somebody(pairs, nth) for nth in range(12)]
    pairs.smarthr_injector.set_switches({"webhook_duplicates": 1, "webhook_order": "shuffled"})
    pairs.freee_injector.set_switches({"webhook_duplicates": 1, "webhook_order": "shuffled"})
    with listening(pairs, Automatic.BOTH, conflict_policy=policy):
        for wave in range(5):
            for _ in range(100):
                edit_somewhere(pairs, dice, people)
            if wave % 2:
                settle(pairs)
        settle(pairs)
        assert differences(pairs) == []
        writes = pairs.writes()
        settle(pairs)
        assert pairs.writes() == writes


# ── somebody who keeps failing ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.reach("all")
def test_one_cause_again_and_again_is_told_once_and_then_left_alone(pairs: House) -> None:
    crew, _ = somebody(pairs)
    told = len(pairs.postbox.mails)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.freee_injector.fault(method="PUT", path="profile_rule$", status=400, body={"message": "架空の理由"})
        for name in ("一", "二", "三", "四"):
            pairs.smarthr.edit(crew, {"first_name": name})
            settle(pairs)
    failed = [item for item in all_items(pairs) if item.state is ItemState.FAILED]
    assert len(failed) == 4
    assert len(pairs.postbox.mails) == told + 1, "the same cause is no news"
    with pairs.ctx.unit_of_work() as uow:
        (trouble,) = uow.troubles.of_connection(pairs.connection.id)
    assert (trouble.source_id, trouble.times, trouble.quarantined_at is not None) == (crew, 4, True)


def test_a_good_end_forgets_the_trouble(pairs: House) -> None:
    crew, _ = somebody(pairs)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.freee_injector.fault(method="PUT", path="profile_rule$", status=400, body={"message": "架空"}, times=1)
        for name in ("一", "二"):
            pairs.smarthr.edit(crew, {"first_name": name})
            settle(pairs)
    with pairs.ctx.unit_of_work() as uow:
        assert uow.troubles.of_connection(pairs.connection.id) == []

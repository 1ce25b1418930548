"""Law: every write converges, or stops. The same change of the same person is written at most twice, whatever asks for
it; then it rests as 要確認 with the true reason until one of its two values moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from app.domain.enums import Direction, Trigger
from app.domain.error_catalogue.entries import CATALOGUE
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff import practice_company
from app.practice.staff.practice_company import PracticeCompany
from app.practice.staff.scenarios import Scenario
from app.use_cases.connections.connections import replace_smarthr_token
from app.use_cases.intake.approve_retry_cancel import approve
from app.use_cases.intake.undo import undo
from app.use_cases.monitoring.troubles import lift_troubles
from app.use_cases.shared.views import RunView
from tests.house import House
from tests.listening import FREEE_TOKEN, listening
from tests.listening import settle as heard
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_sweep import settle, sweep

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
NAMES = {"ignores_writes_of": "kept_by_target", "shortens_writes_of": "stored_otherwise"}
NAMES |= {"forgets_writes_of": "overwritten_since"}
"""Switch of a practice vendor → the reason for which the item rests."""


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A few people who are equal and linked, and two who exist on one side only."""
    return open_practice(only(company, "equal", most=3), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)


def somebody(house: House) -> Scenario:
    return next(s for s in house.company.scenarios if s.crew_id and s.employee_id)


def linked(house: House) -> Scenario:
    house.run(TO_FREEE)
    return somebody(house)


def name_at_source(house: House, who: Scenario, direction: Direction, name: str) -> None:
    if direction is TO_FREEE:
        house.smarthr.edit(who.crew_id or "", {"last_name": name})
    else:
        for pay_month in ("2026-11", "2026-12"):  # a write of ours may have begun a new value in either
            house.freee.edit(who.employee_id or 0, {"profile_rule": {"last_name": name}}, pay_month=pay_month)


def name_at_target(house: House, who: Scenario, direction: Direction, name: str) -> None:
    name_at_source(house, who, direction.reverse, name)


def target_of(house: House, direction: Direction) -> Any:
    return house.freee_injector if direction is TO_FREEE else house.smarthr_injector


def writes_to(house: House, who: Scenario, direction: Direction) -> int:
    """How often the target was sent this person."""
    person = str(who.employee_id) if direction is TO_FREEE else str(who.crew_id)
    seen = target_of(house, direction).requests
    return sum(r.method in ("PUT", "PATCH") and f"/{person}" in r.path for r in seen)


def end_of(house: House, run: RunView, who: Scenario) -> tuple[ItemState, str | None]:
    people = {who.crew_id, str(who.employee_id)}
    (item,) = [item for item in house.items(run) if item.source_id in people]
    return item.state, item.error_code


def memories(house: House) -> list[Any]:
    with house.ctx.unit_of_work() as uow:
        return [link.unsettled for link in uow.links.for_connection(house.connection.id) if link.unsettled]


# ── (b) at most twice ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("direction", "switch"), thinned(3, Direction, NAMES))
def test_a_write_that_does_not_stay_is_sent_twice_and_rests_until_a_value_moves(
    house: House, direction: Direction, switch: str
) -> None:
    who = linked(house)
    target_of(house, direction).set_switch(switch, ["last_name"])
    name_at_source(house, who, direction, "長谷川")
    ends = [end_of(house, house.run(direction), who) for _ in range(5)]
    assert writes_to(house, who, direction) == 2
    assert ends[2:] == [(ItemState.NEEDS_REVIEW, NAMES[switch])] * 3

    name_at_source(house, who, direction, "長谷部")
    for _ in range(4):
        house.run(direction)
    assert writes_to(house, who, direction) == 4

    name_at_target(house, who, direction, "山城")
    for _ in range(4):
        house.run(direction)
    assert writes_to(house, who, direction) == 5, "it may have moved by itself"

    target_of(house, direction).set_switch(switch, [])
    name_at_source(house, who, direction, "佐々木")
    assert end_of(house, house.run(direction), who) == (ItemState.SUCCEEDED, None)
    assert end_of(house, house.run(direction), who) == (ItemState.UNCHANGED, None)
    assert memories(house) == []


@pytest.mark.parametrize("direction", list(Direction))
def test_what_stays_is_forgotten_only_after_a_later_reading(house: House, direction: Direction) -> None:
    who = linked(house)
    name_at_source(house, who, direction, "長谷川")
    house.run(direction)
    assert len(memories(house)) == 1, "the answer of the write is no proof"
    assert "長谷川" not in str(memories(house))
    house.run(direction)
    assert memories(house) == []


@pytest.mark.reach("all")
@pytest.mark.parametrize(
    ("direction", "switch", "policy"),
    thinned(4, Direction, NAMES, [ConflictPolicy.SMARTHR_WINS, ConflictPolicy.HOLD]),
)
def test_sweeps_end_quiet(house: House, direction: Direction, switch: str, policy: ConflictPolicy) -> None:
    who = linked(house)
    settle(house, conflict_policy=policy)
    sweep(house)
    target_of(house, direction).set_switch(switch, ["last_name"])
    name_at_source(house, who, direction, "長谷川")
    for _ in range(8):
        sweep(house)
    sent, mails, jobs = writes_to(house, who, direction), len(house.postbox.mails), len(house.jobs_done)
    assert 1 <= sent <= 2
    assert mails <= 1 + 2 * 3
    for _ in range(3):
        runs = sweep(house)
        assert [item.state for run in runs for item in house.items(run) if not item.state.is_final] == []
    assert (writes_to(house, who, direction), len(house.postbox.mails)) == (sent, mails)
    assert [job.function for job in house.jobs_done[jobs:] if "sync_item" in job.function] == []


@pytest.mark.parametrize(("direction", "switch"), thinned(3, Direction, NAMES))
def test_webhooks_both_ways_end_quiet_and_carry_no_old_value_back(
    house: House, direction: Direction, switch: str
) -> None:
    who = linked(house)
    target_of(house, direction).set_switch(switch, ["last_name"])
    with listening(house, Automatic.BOTH, conflict_policy=ConflictPolicy.HOLD):
        name_at_source(house, who, direction, "長谷川")
        heard(house, rounds=40)
        for _ in range(3):
            sweep(house)
            heard(house, rounds=40)
    assert 1 <= writes_to(house, who, direction) <= 2
    assert writes_to(house, who, direction.reverse) == 0, "what did not stay is no news from the other side"


def test_all_triggers_count_together(house: House) -> None:
    who = linked(house)
    house.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    name_at_source(house, who, TO_FREEE, "長谷川")
    preview = house.run(TO_FREEE, dry_run=True)
    approve(house.ctx, preview.id, by="test", acknowledged=True)
    house.work()
    house.run(TO_FREEE, trigger=Trigger.API)
    assert writes_to(house, who, TO_FREEE) == 2
    again = house.run(TO_FREEE, dry_run=True)
    assert end_of(house, again, who) == (ItemState.NEEDS_REVIEW, "kept_by_target"), "shown, and not to be chosen"
    settle(house, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    sweep(house)
    assert writes_to(house, who, TO_FREEE) == 2


def test_a_bank_account_rests_as_a_whole(house: House) -> None:
    who = next(s for s in house.company.scenarios if s.crew_id and s.employee_id and has_account(house, s))
    house.run(TO_FREEE)
    house.freee_injector.set_switch("ignores_writes_of", ["branch_code"])
    (account, *others) = house.smarthr.crew(who.crew_id or "")["bank_accounts"]
    account = {**account, "bank_branch_code": "999", "account_number": "7654321"}
    house.smarthr.edit(who.crew_id or "", {"bank_accounts": [account, *others]})
    for _ in range(4):
        run = house.run(TO_FREEE)
    assert writes_to(house, who, TO_FREEE) == 2
    (item,) = [item for item in house.items(run) if item.source_id == who.crew_id]
    assert {note["code"] for note in item.notes if note["severity"] == "review"} == {"stored_otherwise"}


def has_account(house: House, who: Scenario) -> bool:
    accounts = house.smarthr.crew(who.crew_id or "")["bank_accounts"]
    held = house.freee.employee(who.employee_id or 0, month=(house.today.year, house.today.month))["bank_account_rule"]
    return bool(accounts and accounts[0]["account_number"] and held and held["account_number"])


@pytest.mark.parametrize("direction", list(Direction))
def test_a_create_counts_as_the_first_write(
    open_practice: Callable[..., House], company: PracticeCompany, direction: Direction
) -> None:
    house = open_practice(only(company, "create", "", most=2))
    names = ["title"] if direction is TO_FREEE else ["tel_number"]
    target_of(house, direction).set_switch("ignores_writes_of", names)
    for _ in range(5):
        house.run(direction)
    seen = [r for r in target_of(house, direction).requests if r.method != "GET" and "public_api" not in r.path]
    creates = sum(r.method == "POST" for r in seen)
    assert creates > 0
    writes = [r.path for r in seen if r.method != "POST"]
    most = 1 if direction is TO_SMARTHR else 2  # SmartHR's create has tried the item already
    assert max(writes.count(path) for path in writes) <= most


def test_an_unanswered_write_counts_and_may_be_repeated_by_its_own_item(house: House) -> None:
    who = linked(house)
    house.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    name_at_source(house, who, TO_FREEE, "長谷川")
    house.run(TO_FREEE)
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=2, cut="silent")
    house.run(TO_FREEE)
    assert writes_to(house, who, TO_FREEE) == 1 + 3, "two requests were lost on the way"
    house.freee_injector.set_switch("ignores_writes_of", [])
    assert end_of(house, house.run(TO_FREEE), who) == (ItemState.NEEDS_REVIEW, "kept_by_target")
    assert writes_to(house, who, TO_FREEE) == 4


def test_a_lost_answer_does_not_keep_the_value_from_arriving(house: House) -> None:
    who = linked(house)
    name_at_source(house, who, TO_FREEE, "長谷川")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=3, cut="silent")
    assert end_of(house, house.run(TO_FREEE), who) == (ItemState.SUCCEEDED, None)


REFUSED = {"status_code": 400, "errors": [{"type": "validation", "messages": ["本人情報が不正です。"]}]}


def test_a_refused_write_is_no_write(house: House) -> None:
    """Who has mended what the vendor refused may try as often as they like."""
    who = linked(house)
    name_at_source(house, who, TO_FREEE, "長谷川")
    house.freee_injector.fault(method="PUT", path="/profile_rule", times=3, status=400, body=REFUSED)
    for _ in range(3):
        assert end_of(house, house.run(TO_FREEE), who)[0] is ItemState.FAILED
    assert end_of(house, house.run(TO_FREEE), who) == (ItemState.SUCCEEDED, None)


@pytest.mark.reach("all")
def test_somebody_who_writes_over_it_stops_us_too(house: House) -> None:
    """Another integration puts its value back after every run."""
    who = linked(house)
    name_at_source(house, who, TO_FREEE, "長谷川")
    for _ in range(5):
        run = house.run(TO_FREEE)
        name_at_target(house, who, TO_FREEE, "別連携")
    assert writes_to(house, who, TO_FREEE) == 2
    assert end_of(house, run, who) == (ItemState.NEEDS_REVIEW, "overwritten_since")


def test_an_undo_that_does_not_stay_stops_too(house: House) -> None:
    who = linked(house)
    name_at_source(house, who, TO_FREEE, "長谷川")
    run = house.run(TO_FREEE)
    house.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    for _ in range(4):
        preview = undo(house.ctx, run.id, by="test")
        house.work()
        if house.seen(preview).finished_at is None:
            approve(house.ctx, preview.id, by="test", acknowledged=True)
            house.work()
    assert writes_to(house, who, TO_FREEE) == 1 + 2


@pytest.mark.reach("all")
def test_the_kana_of_an_address_without_prefecture_ends(house: House) -> None:
    """The input that was seen: SmartHR's address has no 都道府県, its reading begins with one."""
    who = linked(house)
    for address in (
        {"pref": "", "literal_yomi": "トウキョウトミナトクシバ"},
        {"pref": None, "literal_yomi": "トウキョウトミナト"},
    ):
        before = writes_to(house, who, TO_FREEE)
        house.smarthr.edit(who.crew_id or "", {"address": address})
        for _ in range(6):
            house.run(TO_FREEE)
        assert writes_to(house, who, TO_FREEE) - before <= 2


def test_a_person_may_ask_for_one_further_try(house: House) -> None:
    """By lifting the trouble, or with another token: SmartHR may have given it the rights in the meantime."""
    who = linked(house)
    settle(house, conflict_policy=ConflictPolicy.SMARTHR_WINS)
    house.freee_injector.set_switch("ignores_writes_of", ["last_name"])
    name_at_source(house, who, TO_FREEE, "長谷川")
    for _ in range(4):
        sweep(house)
    assert writes_to(house, who, TO_FREEE) == 2
    lift_troubles(house.ctx, house.connection.key)
    for _ in range(3):
        sweep(house)
    assert writes_to(house, who, TO_FREEE) == 3
    house.freee_injector.set_switch("ignores_writes_of", [])
    replace_smarthr_token(house.ctx, house.connection.key, practice_company.SMARTHR_TOKEN)
    assert end_of(house, house.run(TO_FREEE), who) == (ItemState.SUCCEEDED, None)
    assert writes_to(house, who, TO_FREEE) == 4


# ── (c) the true reason ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("switch", list(NAMES))
def test_missing_rights_are_named_only_with_evidence(house: House, direction: Direction, switch: str) -> None:
    who = linked(house)
    target_of(house, direction).set_switch(switch, ["last_name"])
    name_at_source(house, who, direction, "長谷川")
    codes = set()
    for _ in range(4):
        for item in house.items(house.run(direction)):
            codes |= {item.error_code, *(note["code"] for note in item.notes)}
    assert not codes & {"E15", "E19"}
    assert NAMES[switch] in codes
    assert {"kept_by_target", "stored_otherwise", "overwritten_since"} <= CATALOGUE.keys()


def test_a_vendor_that_names_missing_rights_is_believed(house: House) -> None:
    who = linked(house)
    name_at_source(house, who, TO_SMARTHR, "長谷川")
    house.smarthr_injector.set_switch("forbidden", ["crews:write"])
    run = house.run(TO_SMARTHR)
    assert run.error_code == "E19" or end_of(house, run, who)[1] == "E19"


# ── any sequence ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", [0, *(pytest.param(each, marks=pytest.mark.reach("all")) for each in range(1, 8))])
def test_no_sequence_of_edits_and_triggers_repeats_a_write_more_than_once(house: House, seed: int) -> None:
    """Between two moves of one of the two values a person is written at most twice. A move is an edit, or our own write
    in the other direction. What the vendors do with a write may change at any time."""
    chance = random.Random(seed)
    who = linked(house)
    settle(house, conflict_policy=chance.choice([ConflictPolicy.SMARTHR_WINS, ConflictPolicy.FREEE_WINS]))
    since_move = dict.fromkeys(Direction, 0)
    for _ in range(30):
        step = chance.choice(["edit", "vendor", "manual", "manual", "sweep"])
        direction = chance.choice(list(Direction))
        before = {each: writes_to(house, who, each) for each in Direction}
        if step == "edit":
            name_at_source(house, who, direction, chance.choice(["長谷川", "長谷部", "山城"]))
            since_move = dict.fromkeys(Direction, 0)
        elif step == "vendor":
            target_of(house, direction).set_switch(chance.choice(list(NAMES)), chance.choice([[], ["last_name"]]))
        elif step == "sweep":
            sweep(house)
        else:
            house.run(direction)
        sent = {each: writes_to(house, who, each) - before[each] for each in Direction}
        since_move = {each: 0 if sent[each.reverse] else since_move[each] + sent[each] for each in Direction}
        assert max(since_move.values()) <= 2
    for _ in range(6):
        sweep(house)
    quiet = len(house.jobs_done)
    for _ in range(2):
        sweep(house)
    assert [job for job in house.jobs_done[quiet:] if "sync_item" in job.function] == []

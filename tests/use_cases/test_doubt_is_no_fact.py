"""Law: a doubt about the other side is not a fact about the person.

What did not come from the vendor settles nothing; one missing record breaks no link; who cannot be read yet is looked
for again; two people who exchange their numbers are told as just that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import TemporaryError
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.practice.vendor_kit.fault_injection import FaultInjector
from app.storage.runs.rows import ItemRow
from app.use_cases.intake import approve_retry_cancel, undo
from app.use_cases.links import compare_pair, decide
from app.use_cases.shared.views import RunView
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, differences, listening, now_in_japan, settle, swept
from tests.reach import thinned
from tests.use_cases.test_job import only
from tests.use_cases.test_two_way import all_items, in_freee, items_of, somebody

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR
PAGE = "<html><body>Access denied by the proxy of this company</body></html>"
BODIES: dict[str, Any] = {
    "page": PAGE,
    "plain": "upstream connect error",
    "empty": "",
    "another JSON": {"message": "Forbidden"},
    "a list": [1, 2],
    "the other vendor": {
        "code": 2,
        "type": "unauthorized_token",
        "message": "無効なアクセストークンです",
        "errors": None,
    },
    "the other vendor's problem": {
        "status_code": 403,
        "errors": [{"type": "forbidden", "messages": ["権限がありません"]}],
    },
    "a framework": {"status": 403, "error": "Forbidden", "message": "No message available", "path": "/"},
}
GONE_IN_SMARTHR = {"code": 4, "type": "not_found", "message": "存在しない ID です", "errors": None}
GONE_IN_FREEE = {"status_code": 404, "errors": [{"type": "not_found", "messages": ["従業員が見つかりません"]}]}
REFUSALS = (302, 400, 401, 403, 404, 405, 409, 413, 422)


@pytest.fixture
def pairs(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Six people who are equal on both sides and linked."""
    house = open_practice(only(company, "equal", most=6), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE, as_of_date=now_in_japan(house))
    house.smarthr_injector.forget_requests()
    house.freee_injector.forget_requests()
    return house


def injector(house: House, system: System) -> FaultInjector:
    return house.smarthr_injector if system is System.SMARTHR else house.freee_injector


def links(house: House) -> int:
    with house.ctx.unit_of_work() as uow:
        return len(uow.links.for_connection(house.connection.id))


def run_now(house: House, direction: Direction = TO_FREEE, **changes: Any) -> RunView:
    return house.run(direction, as_of_date=now_in_japan(house), **changes)


def bodies_for(system: System) -> list[Any]:
    foreign = "the other vendor" if system is System.FREEE else "the other vendor's problem"
    return [body for name, body in BODIES.items() if not name.startswith("the other") or name == foreign]


# ── an answer that is not the vendor's own ────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize(("status", "system"), thinned(2, [200, 204, *REFUSALS], System))
def test_an_answer_that_is_not_the_vendors_own_ends_no_run(pairs: House, system: System, status: int) -> None:
    """On the lists and on the person's own record; with each status another body (any body: tests/adapters)."""
    crew, employee = somebody(pairs)
    bodies = bodies_for(system)
    body = bodies[(status + len(system)) % len(bodies)]
    pairs.smarthr.edit(crew, {"first_name": "新次郎"})
    for path in ("/crews$|/employees$", "/crews/|/employees/"):
        injector(pairs, system).fault(method="GET", path=path, status=status, body=body, times=3)
    assert run_now(pairs).state is RunState.SUCCEEDED
    assert in_freee(pairs, employee)["profile_rule"]["first_name"] == "新次郎"
    assert links(pairs) == 6


@pytest.mark.few(2)
@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_something_between_that_goes_on_is_named_for_what_it_is(pairs: House, system: System, status: int) -> None:
    injector(pairs, system).fault(method="GET", path="/crews$|/employees$", status=status, body=PAGE)
    run = run_now(pairs)
    assert (run.state, run.error_code) == (RunState.FAILED, "not_the_vendor")
    assert "途中" in pairs.postbox.mails[-1].body and "プロキシ" in pairs.postbox.mails[-1].body
    assert "Access denied" not in pairs.postbox.mails[-1].body


@pytest.mark.parametrize("system", System)
def test_something_between_at_one_person_ends_that_person_and_no_other(pairs: House, system: System) -> None:
    crew, employee = somebody(pairs)
    other_crew, other = somebody(pairs, 1)
    pairs.smarthr.edit(crew, {"first_name": "新次郎"})
    pairs.smarthr.edit(other_crew, {"first_name": "新三郎"})
    path = f"/crews/{crew}" if system is System.SMARTHR else f"/employees/{employee}"
    injector(pairs, system).fault(path=path, status=401, body=PAGE)
    run = run_now(pairs)
    ends = {item.source_id: (item.state, item.error_code) for item in pairs.items(run)}
    assert ends[crew] == (ItemState.FAILED, "not_the_vendor")
    assert ends[other_crew] == (ItemState.SUCCEEDED, None)
    assert in_freee(pairs, other)["profile_rule"]["first_name"] == "新三郎"


@pytest.mark.parametrize("status", [401, 403])
def test_the_vendors_own_word_still_ends_the_run(pairs: House, status: int) -> None:
    own = {401: (2, "unauthorized_token", "E18"), 403: (3, "forbidden", "E19")}[status]
    body = {"code": own[0], "type": own[1], "message": "だめです", "errors": None}
    pairs.smarthr_injector.fault(method="GET", path="/crews$", status=status, body=body)
    run = run_now(pairs)
    assert (run.state, run.error_code) == (RunState.FAILED, own[2])


@pytest.mark.few(2)
@pytest.mark.parametrize(("status", "carried_out"), thinned(2, [200, 302, 400, 403, 404, 409, 422], [True, False]))
def test_a_write_without_proof_of_refusal_is_looked_up_and_not_doubled(
    open_practice: Callable[..., House], company: PracticeCompany, status: int, carried_out: bool
) -> None:
    house = open_practice(only(company, "create", most=1))
    house.freee_injector.fault(method="POST", path="/employees$", status=status, body=PAGE, times=1, after=carried_out)
    run = house.run(TO_FREEE)
    (item,) = house.items(run)
    assert item.state in (ItemState.SUCCEEDED, ItemState.UNCHANGED)
    assert links(house) == 1
    assert len(house.freee.ids_by_num(item.employee_number)) == 1


# ── a link ────────────────────────────────────────────────────────────────────────────────────────────────────────


def say_gone(house: House, system: System, **more: Any) -> tuple[str, int]:
    """The system says of one linked person, in its own form, that it does not know them, and still lists them."""
    crew, employee = somebody(house)
    if system is System.SMARTHR:
        house.smarthr_injector.fault(method="GET", path=f"/crews/{crew}$", status=404, body=GONE_IN_SMARTHR, **more)
    else:
        house.freee_injector.fault(method="GET", path=f"/employees/{employee}$", status=404, body=GONE_IN_FREEE, **more)
    return crew, employee


@pytest.mark.few(2)
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("direction", Direction)
def test_one_404_cuts_no_link_that_the_list_still_shows(pairs: House, direction: Direction, times: int) -> None:
    crew, employee = say_gone(pairs, System.SMARTHR, times=times)
    on = Automatic.SMARTHR_TO_FREEE if direction is TO_FREEE else Automatic.FREEE_TO_SMARTHR
    with listening(pairs, on, conflict_policy=ConflictPolicy.SMARTHR_WINS):
        if direction is TO_FREEE:
            pairs.smarthr.edit(crew, {"first_name": "新次郎"})
        else:
            pairs.freee.edit(employee, {"profile_rule": {"first_name": "新次郎"}})
        settle(pairs)
    assert links(pairs) == 6
    assert [item.state for item in all_items(pairs)] == [ItemState.SUCCEEDED]
    assert pairs.smarthr.crew(crew)["first_name"] == "新次郎"
    assert in_freee(pairs, employee)["profile_rule"]["first_name"] == "新次郎"


@pytest.mark.parametrize("direction", Direction)
def test_a_contradiction_that_goes_on_is_told_as_one_and_cuts_nothing(pairs: House, direction: Direction) -> None:
    crew, employee = say_gone(pairs, System.SMARTHR)
    pairs.smarthr.edit(crew, {"first_name": "新次郎"})
    run = run_now(pairs, direction)
    (item,) = [item for item in pairs.items(run) if item.state is not ItemState.UNCHANGED]
    assert (item.state, item.error_code) == (ItemState.FAILED, "listed_not_shown")
    assert links(pairs) == 6
    assert in_freee(pairs, employee)


def test_freee_hides_somebody_and_the_link_stays(pairs: House) -> None:
    crew, _ = say_gone(pairs, System.FREEE)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
        settle(pairs)
    assert links(pairs) == 6
    assert {item.error_code for item in all_items(pairs)} == {"person_left"}


@pytest.mark.parametrize("system", System)
def test_who_is_deleted_and_no_longer_listed_loses_the_link(pairs: House, system: System) -> None:
    crew, employee = somebody(pairs)
    with listening(pairs, Automatic.BOTH):
        if system is System.SMARTHR:
            pairs.smarthr.remove(crew)
        else:
            pairs.freee.remove(employee)
        settle(pairs)
    assert links(pairs) == 5
    assert {item.error_code for item in all_items(pairs)} <= {"source_deleted", "E20"}


def test_a_mass_deletion_lists_everybody_once_and_not_once_per_person(pairs: House) -> None:
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        for nth in range(3):
            pairs.smarthr.remove(somebody(pairs, nth)[0])
        before = pairs.smarthr_injector.calls("GET", "/crews$")
        settle(pairs)
    assert links(pairs) == 3
    assert pairs.smarthr_injector.calls("GET", "/crews$") - before <= 2


def test_a_list_that_lost_somebody_breaks_no_link(pairs: House) -> None:
    """A comparison misses one row, and the person's own record is away for one moment."""
    automatic(pairs, Automatic.SMARTHR_TO_FREEE)
    crew, _ = say_gone(pairs, System.SMARTHR, times=1)
    shown = [pairs.smarthr.crew(each) for each in pairs.smarthr.state.crews if each != crew]
    pairs.smarthr_injector.fault(method="GET", path="/crews$", body=shown, times=1)
    swept(pairs)
    assert links(pairs) == 6


def test_the_pages_of_links_say_away_and_not_gone(pairs: House) -> None:
    crew, employee = say_gone(pairs, System.SMARTHR)
    pair = compare_pair.compare_pair(pairs.ctx, KEY, smarthr_id=crew, freee_id=str(employee))
    assert pair.seen[System.SMARTHR].visibility is compare_pair.Visibility.AWAY
    assert pair.seen[System.SMARTHR].code == "listed_not_shown"
    decide.cut(pairs.ctx, KEY, smarthr_id=crew, by="test")
    with pytest.raises(TemporaryError) as caught:
        decide.join(pairs.ctx, KEY, smarthr_id=crew, freee_id=str(employee), by="test")
    assert caught.value.code == "listed_not_shown"


@pytest.mark.parametrize("direction", Direction)
def test_an_undo_takes_one_404_for_no_deletion(pairs: House, direction: Direction) -> None:
    crew, employee = somebody(pairs)
    if direction is TO_FREEE:
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
    else:
        pairs.freee.edit(employee, {"profile_rule": {"first_name": "新次郎"}})
    run = run_now(pairs, direction)
    preview = undo.undo(pairs.ctx, run.id, by="test")
    pairs.work()
    say_gone(pairs, direction.target, times=1)
    approve_retry_cancel.approve(pairs.ctx, preview.id, by="test", acknowledged=True)
    pairs.work()
    (item,) = pairs.items(preview)
    hidden = (ItemState.NEEDS_REVIEW, "person_left")  # freee says so of everybody outside their months
    expected = hidden if direction is TO_FREEE else (ItemState.SUCCEEDED, None)
    assert (item.state, item.error_code) == expected
    assert links(pairs) == 6


# ── somebody new ──────────────────────────────────────────────────────────────────────────────────────────────────


def newcomer(house: House, company: PracticeCompany) -> dict[str, Any]:
    scenario = next(each for each in company.scenarios if each.to_freee == "create")
    return next(crew for crew in company.crews if crew["id"] == scenario.crew_id)


@pytest.mark.parametrize("times", [1, 4])
def test_a_webhook_before_the_record_is_readable_is_tried_again(
    pairs: House, company: PracticeCompany, times: int
) -> None:
    record = newcomer(pairs, company)
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        path = "/crews/[^/]+$"
        pairs.smarthr_injector.fault(method="GET", path=path, status=404, body=GONE_IN_SMARTHR, times=times)
        pairs.smarthr.add(record)
        settle(pairs)
    assert [item.state for item in all_items(pairs)] == [ItemState.SUCCEEDED]
    assert len(pairs.freee.ids_by_num(record["emp_code"])) == 1


def test_who_cannot_be_read_for_ten_minutes_is_told_and_not_taken_for_unchanged(
    pairs: House, company: PracticeCompany
) -> None:
    record = newcomer(pairs, company)
    began = pairs.clock.now()
    with listening(pairs, Automatic.SMARTHR_TO_FREEE):
        path = "/crews/[^/]+$"
        pairs.smarthr_injector.fault(method="GET", path=path, status=404, body=GONE_IN_SMARTHR)
        pairs.smarthr.add(record)
        settle(pairs, rounds=400)
    (item,) = all_items(pairs)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "not_readable_yet")
    assert 600 <= ((item.finished_at or began) - item.created_at).total_seconds() < 900
    assert 5 <= pairs.smarthr_injector.calls("GET", path) <= 12, "growing pauses"
    assert "まだ読めません" in pairs.postbox.mails[-1].body


@pytest.mark.parametrize("system", System)
def test_a_newcomer_whose_deletion_was_told_ends_at_once(
    pairs: House, company: PracticeCompany, system: System
) -> None:
    record = newcomer(pairs, company)
    began = pairs.clock.now()
    with listening(pairs, Automatic.BOTH):
        if system is System.SMARTHR:
            pairs.smarthr.remove(pairs.smarthr.add(record))
        else:
            pairs.freee.remove(pairs.freee.add({"num": "NEW-1", "entry_date": "2026-01-01"}))
        settle(pairs)
    assert {item.state for item in all_items(pairs)} == {ItemState.UNCHANGED}
    assert (pairs.clock.now() - began).total_seconds() < 300


# ── numbers that change hands ─────────────────────────────────────────────────────────────────────────────────────


def unique_numbers(house: House, direction: Direction) -> None:
    if direction is TO_FREEE:
        house.freee_injector.set_switch("num_unique", True)
    else:
        house.smarthr_injector.set_switch("duplicate_emp_code", "reject")


def number_of(house: House, system: System, nth: int) -> str:
    crew, employee = somebody(house, nth)
    return str(house.smarthr.crew(crew)["emp_code"] if system is System.SMARTHR else in_freee(house, employee)["num"])


def give(house: House, system: System, numbers: Sequence[tuple[int, str]]) -> None:
    for nth, number in numbers:
        crew, employee = somebody(house, nth)
        if system is System.SMARTHR:
            house.smarthr.edit(crew, {"emp_code": number})
        else:
            house.freee.edit(employee, {"num": number})


def rotate(house: House, direction: Direction, people: int) -> list[str]:
    """The first so many people pass their numbers on in a circle, at the source. Returns the numbers before."""
    before = [number_of(house, direction.source, nth) for nth in range(people)]
    unique_numbers(house, direction)
    give(house, direction.source, [(nth, before[(nth + 1) % people]) for nth in range(people)])
    return before


def item_of(house: House, items: Sequence[ItemRow], system: System, nth: int) -> ItemRow:
    crew, employee = somebody(house, nth)
    wanted = crew if system is System.SMARTHR else str(employee)
    (found,) = [item for item in items if item.source_id == wanted]
    return found


@pytest.mark.parametrize("people", [2, 3])
@pytest.mark.parametrize("direction", Direction)
def test_a_swap_is_named_as_a_swap_and_everything_else_is_written(
    pairs: House, direction: Direction, people: int
) -> None:
    before = rotate(pairs, direction, people)
    crew, employee = somebody(pairs, 0)
    if direction is TO_FREEE:
        pairs.smarthr.edit(crew, {"first_name": "新次郎"})
    else:
        pairs.freee.edit(employee, {"profile_rule": {"first_name": "新次郎"}})
    run = run_now(pairs, direction)
    for nth in range(people):
        item = item_of(pairs, pairs.items(run), direction.source, nth)
        assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "numbers_swapped")
        others = [number for place, number in enumerate(before) if place != nth]
        assert item.detail is not None and item.detail.startswith("交換の相手: ")
        assert all(number in item.detail for number in others) and item.detail.count("（反映先ではまだ") == people - 1
        assert number_of(pairs, direction.target, nth) == before[nth]
    assert "交換" in pairs.postbox.mails[-1].body
    names = pairs.smarthr.crew(crew)["first_name"], in_freee(pairs, employee)["profile_rule"]["first_name"]
    assert names == ("新次郎", "新次郎")


@pytest.mark.few(2)
@pytest.mark.parametrize("people", [2, 3])
@pytest.mark.parametrize("direction", Direction)
def test_the_way_out_of_a_swap_that_is_named_works(pairs: House, direction: Direction, people: int) -> None:
    before = rotate(pairs, direction, people)
    run_now(pairs, direction)
    give(pairs, direction.source, [(0, "FREE-1")])
    run_now(pairs, direction)
    assert number_of(pairs, direction.target, 0) == "FREE-1"
    give(pairs, direction.source, [(0, before[1])])
    run = run_now(pairs, direction)
    assert run.state is RunState.SUCCEEDED
    wanted = [before[(nth + 1) % people] for nth in range(people)]
    assert [number_of(pairs, direction.target, nth) for nth in range(people)] == wanted
    assert differences(pairs) == []


@pytest.mark.few(2)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("order", [1, -1])
def test_a_number_that_is_handed_down_a_chain_arrives_without_a_person(
    pairs: House, direction: Direction, order: int
) -> None:
    people = [0, 1, 2][::order]
    before = {nth: number_of(pairs, direction.source, nth) for nth in people}
    unique_numbers(pairs, direction)
    wanted = {people[0]: before[people[1]], people[1]: before[people[2]], people[2]: "FREE-1"}
    give(pairs, direction.source, list(wanted.items()))
    run = run_now(pairs, direction)
    assert run.state is RunState.SUCCEEDED
    assert {nth: number_of(pairs, direction.target, nth) for nth in people} == wanted


@pytest.mark.parametrize("direction", Direction)
def test_a_chain_of_which_only_the_end_was_chosen_names_whose_turn_it_is(pairs: House, direction: Direction) -> None:
    before = number_of(pairs, direction.source, 1)
    unique_numbers(pairs, direction)
    give(pairs, direction.source, [(0, before), (1, "FREE-1")])
    run = run_now(pairs, direction, employees=[before])
    (item,) = pairs.items(run)
    assert (item.state, item.error_code) == (ItemState.FAILED, "number_not_free_yet")
    assert "FREE-1" in (item.detail or "")
    assert run_now(pairs, direction).state is RunState.SUCCEEDED


@pytest.mark.parametrize("direction", Direction)
def test_a_number_of_somebody_who_keeps_it_is_a_duplicate_as_before(pairs: House, direction: Direction) -> None:
    taken = number_of(pairs, direction.source, 1)
    unique_numbers(pairs, direction)
    if direction is TO_FREEE:
        pairs.smarthr.edit(somebody(pairs, 0)[0], {"emp_code": taken})
    else:
        pairs.freee.edit(somebody(pairs, 0)[1], {"num": taken})
    run = run_now(pairs, direction)
    item = item_of(pairs, pairs.items(run), direction.source, 0)
    assert (item.state, item.error_code) == (ItemState.FAILED, "E8")


@pytest.mark.parametrize("how", ["webhook", "sweep"])
def test_a_swap_is_named_by_webhooks_and_comparisons_as_well(pairs: House, how: str) -> None:
    if how == "webhook":
        with listening(pairs, Automatic.SMARTHR_TO_FREEE):
            rotate(pairs, TO_FREEE, 2)
            settle(pairs)
        items = all_items(pairs)
    else:
        automatic(pairs, Automatic.SMARTHR_TO_FREEE)
        rotate(pairs, TO_FREEE, 2)
        swept(pairs)
        with pairs.ctx.unit_of_work() as uow:
            runs = [run for run in uow.runs.page(after=None, limit=9) if run.trigger is Trigger.SCHEDULE]
        items = [item for run in runs for item in items_of(pairs, run)]
    assert {(item.state, item.error_code) for item in items} == {(ItemState.NEEDS_REVIEW, "numbers_swapped")}
    assert len({item.source_id for item in items}) == 2

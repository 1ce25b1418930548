"""Law: the window for a lost update is as small as the vendors allow, and what else moved in it is told.

Somebody edits at the vendor's screen while a run writes: before the last reading, between it and the write, after the
write. What was there at the last reading is kept, always; later it is kept or told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.enums import Direction, Trigger
from app.domain.meanwhile import MOVED, PERHAPS_PUT_BACK
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic, ConflictPolicy
from app.practice.staff.practice_company import PracticeCompany
from app.use_cases.intake import approve_retry_cancel
from app.use_cases.intake.undo import undo
from app.use_cases.shared.views import RunView
from tests.house import House
from tests.listening import automatic, now_in_japan
from tests.properties import every, examples
from tests.use_cases.test_job import only
from tests.use_cases.test_uncarried import freee_holds, item_of, pair
from tests.use_cases.test_undo import taken_back

pytestmark = pytest.mark.reach("test")  # long journeys

__all__ = ["pair"]

Pair = tuple[House, str, int]
TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR

# One change per request of an update, by what a person changes in SmartHR.
EVERY_REQUEST: dict[str, dict[str, Any]] = {
    "employees/[0-9]+$": {"emp_code": "A-77"},
    "profile_rule$": {"tel_number": "080-3333-4444"},
    "health_insurance_rule$": {"hel_ins_insured_person_number": 4711},
    "welfare_pension_insurance_rule$": {"soc_ins_insured_person_number": 4712},
    "/bank_account_rule$": {
        "bank_accounts": [
            {
                "bank_code": "0005",
                "bank_branch_code": "007",
                "account_type": "saving",
                "account_number": "7654321",
                "account_holder_name": "ヤマダ ハナコ",
            }
        ]
    },
}
ALL_AT_ONCE = {name: value for change in EVERY_REQUEST.values() for name, value in change.items()}

# What somebody changes at freee's screen: not exchanged, not written by the runs of this page.
FOREIGN: dict[str, dict[str, Any]] = {
    "householder": {"profile_rule": {"householder": "father", "householder_name": "合瀬 父"}},
    "email": {"profile_rule": {"email": "invented@example.com"}},
    "employment_type": {"profile_rule": {"employment_type": "temporary"}},
    "display_name": {"display_name": "呼び名"},
    "bank_name": {"bank_account_rule": {"bank_name": "架空銀行"}},
    "health_entried": {"health_insurance_rule": {"entried": False}},
    "pension_entried": {"welfare_pension_insurance_rule": {"entried": False}},
    "certificate": {"health_insurance_rule": {"health_insurance_qualification_required": True}},
}


def run_to(house: House, direction: Direction, **changes: Any) -> RunView:
    return house.run(direction, as_of_date=now_in_japan(house), **changes)


def told(house: House, run: RunView) -> dict[str, tuple[str, str]]:
    """Key → (code, severity) of what the item says about edits in between."""
    item = item_of(house, run)
    return {
        note["key"]: (note["code"], note["severity"])
        for note in item.notes
        if note["code"] in (MOVED, PERHAPS_PUT_BACK)
    }


def flat(changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in changes.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return found


def holds(house: House, employee: int, run: RunView, changes: Mapping[str, Any]) -> bool:
    now = freee_holds(house, employee, run)
    return all(now[name] == value for name, value in flat(changes).items())


def edit(house: House, employee: int, changes: Mapping[str, Any]) -> None:
    """Somebody changes this at freee's screen, for the month in which the runs of this page write and those after."""
    house.freee.edit(employee, changes, pay_month=f"{now_in_japan(house):%Y-%m}")


def reads(house: House) -> int:
    seen = [*house.smarthr_injector.requests, *house.freee_injector.requests]
    return sum(each.method == "GET" for each in seen)


# ── freee ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_exchanged_is_kept_while_an_earlier_request_is_slow(pair: Pair) -> None:
    """The first PUT takes 4 seconds; somebody sets 世帯主 meanwhile; the second PUT carries 世帯主 as a part of its
    object."""
    house, crew, employee = pair
    house.smarthr.edit(crew, {"emp_code": "A-77", "tel_number": "080-3333-4444"})
    house.freee_injector.meanwhile(
        lambda: edit(house, employee, FOREIGN["householder"]), method="PUT", path="employees/[0-9]+$"
    )
    run = run_to(house, TO_FREEE)
    assert holds(house, employee, run, FOREIGN["householder"])
    assert item_of(house, run).state is ItemState.SUCCEEDED
    held = freee_holds(house, employee, run)
    assert (held["num"], held["profile_rule.phone1"]) == ("A-77", "080")


OBJECTS = ["employee", "profile_rule", "health_insurance_rule", "welfare_pension_insurance_rule", "bank_account_rule"]
"""What the five requests carry, in their order."""


def object_of(name: str) -> str:
    (first, value), *_ = FOREIGN[name].items()
    return first if isinstance(value, dict) else "employee"


OUTSIDE_THE_WINDOW = [
    (name, nth, carried_out)
    for name in FOREIGN
    for nth in range(1, 6)
    for carried_out in (False, True)
    if carried_out or OBJECTS[nth - 1] != object_of(name)
]


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("name", "nth", "carried_out"),
    [
        pytest.param(*each, marks=[] if place % every(5) == 0 else pytest.mark.reach("all"))
        for place, each in enumerate(OUTSIDE_THE_WINDOW)
    ],
)
def test_every_edit_outside_the_window_of_its_own_object_is_kept(
    pair: Pair, name: str, nth: int, carried_out: bool
) -> None:
    """All five requests are sent. The edit lands at one of them, before it is carried out or before its answer leaves;
    the object it is of is sent later, or was sent before."""
    house, crew, employee = pair
    house.smarthr.edit(crew, ALL_AT_ONCE)
    house.freee_injector.meanwhile(
        lambda: edit(house, employee, FOREIGN[name]), method="PUT", nth=nth, carried_out=carried_out
    )
    run = run_to(house, TO_FREEE)
    assert house.freee_injector.calls("PUT") == 5
    assert holds(house, employee, run, FOREIGN[name])


@pytest.mark.few(2)
@pytest.mark.parametrize("path", EVERY_REQUEST)
def test_an_edit_before_the_job_reads_is_kept(pair: Pair, path: str) -> None:
    house, crew, employee = pair
    house.smarthr.edit(crew, EVERY_REQUEST[path])
    run = house.start(TO_FREEE, as_of_date=now_in_japan(house))
    for name in FOREIGN:
        edit(house, employee, FOREIGN[name])
    house.work()
    assert house.freee_injector.calls("PUT", path) == 1
    assert all(holds(house, employee, run, FOREIGN[name]) for name in FOREIGN)


@pytest.mark.parametrize("omitted", ["keep", "clear"])
def test_what_was_blank_is_not_carried(pair: Pair, omitted: str) -> None:
    """A mail address is filled in between the reading and the write: where freee keeps what is left out, it stays, and
    the answer tells of it."""
    house, crew, employee = pair
    house.freee_injector.set_switch("omitted_field", omitted)
    house.freee.edit(employee, {"profile_rule": {"email": None}})
    house.smarthr.edit(crew, EVERY_REQUEST["profile_rule$"])
    house.freee_injector.meanwhile(lambda: edit(house, employee, FOREIGN["email"]), method="PUT")
    run = run_to(house, TO_FREEE)
    assert holds(house, employee, run, FOREIGN["email"]) is (omitted == "keep")
    assert told(house, run) == ({"profile_rule.email": (MOVED, "info")} if omitted == "keep" else {})


@pytest.mark.few(2)
@pytest.mark.parametrize("path", EVERY_REQUEST)
def test_a_long_window_is_told_with_what_was_carried(pair: Pair, path: str) -> None:
    """freee answers after 2 seconds. Whether somebody's edit was put back no answer shows: the item and the mail say
    what to check."""
    house, crew, _ = pair
    house.smarthr.edit(crew, EVERY_REQUEST[path])
    house.freee_injector.fault(method="PUT", path=path, times=1, delay=2.1)
    run = run_to(house, TO_FREEE)
    item = item_of(house, run)
    assert item.state is ItemState.SUCCEEDED
    ((key, note),) = told(house, run).items()
    assert note == (PERHAPS_PUT_BACK, "info")
    assert key.removesuffix("_rule") in path.replace("employees/", "employee_")
    mail = house.postbox.mails[-1].body
    assert "書き込みの間に変わった可能性がある従業員: 1件" in mail and "お知らせ: 書き込みに時間がかかった" in mail


def test_an_answer_that_is_late_does_not_hide_a_later_edit(pair: Pair) -> None:
    house, crew, employee = pair
    house.smarthr.edit(crew, EVERY_REQUEST["profile_rule$"])
    house.freee_injector.fault(method="PUT", path="profile_rule$", times=1, late=2.1)
    house.freee_injector.meanwhile(
        lambda: edit(house, employee, FOREIGN["householder"]), method="PUT", path="profile_rule$", carried_out=True
    )
    run = run_to(house, TO_FREEE)
    assert holds(house, employee, run, FOREIGN["householder"])
    assert told(house, run) == {"profile_rule": (PERHAPS_PUT_BACK, "info")}


def test_a_lost_answer_is_told_too(pair: Pair) -> None:
    house, crew, _ = pair
    house.smarthr.edit(crew, EVERY_REQUEST["profile_rule$"])
    house.freee_injector.fault(method="PUT", path="profile_rule$", times=1, after=True)
    run = run_to(house, TO_FREEE)
    assert item_of(house, run).state is ItemState.SUCCEEDED
    assert told(house, run) == {"profile_rule": (PERHAPS_PUT_BACK, "info")}


def test_a_request_that_is_refused_does_not_silence_what_the_others_have_shown(pair: Pair) -> None:
    house, crew, _ = pair
    two_requests(house, crew)
    house.freee_injector.fault(method="PUT", path="employees/[0-9]+$", times=1, delay=2.1)
    refused = {"status_code": 400, "errors": [{"type": "bad_request", "messages": ["電話番号が不正です。"]}]}
    house.freee_injector.fault(method="PUT", path="profile_rule$", times=1, status=400, body=refused)
    run = run_to(house, TO_FREEE)
    assert item_of(house, run).state is ItemState.FAILED
    assert told(house, run) == {"employee": (PERHAPS_PUT_BACK, "info")}


# ── what was to be written has moved ──────────────────────────────────────────────────────────────────────────────────


def two_requests(house: House, crew: str) -> None:
    house.smarthr.edit(crew, {"emp_code": "A-77", "tel_number": "080-3333-4444"})


def test_a_stale_plan_is_not_written(pair: Pair) -> None:
    """Between the two requests somebody enters the very value at freee: nothing is left to write."""
    house, crew, employee = pair
    two_requests(house, crew)
    entered = {"profile_rule": {"phone1": "080", "phone2": "3333", "phone3": "4444"}}
    house.freee_injector.meanwhile(lambda: edit(house, employee, entered), method="PUT")
    run = run_to(house, TO_FREEE)
    assert house.freee_injector.calls("PUT") == 1
    assert item_of(house, run).state is ItemState.SUCCEEDED


def test_the_undo_of_a_value_that_moved_gives_back_the_newer_one(pair: Pair) -> None:
    """The source wins over the edit in between, and what is kept for an undo is that edit."""
    house, crew, employee = pair
    two_requests(house, crew)
    edited = {"profile_rule": {"phone1": "03", "phone2": "1111", "phone3": "2222"}}
    house.freee_injector.meanwhile(lambda: edit(house, employee, edited), method="PUT")
    run = run_to(house, TO_FREEE)
    assert freee_holds(house, employee, run)["profile_rule.phone2"] == "3333"
    assert item_of(house, run).state is ItemState.SUCCEEDED
    taken_back(house, run)
    assert holds(house, employee, run, edited)


def test_in_an_approved_preview_a_moved_value_asks_again(pair: Pair) -> None:
    house, crew, employee = pair
    two_requests(house, crew)
    run = run_to(house, TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, run.id, by="test", acknowledged=True)
    edited = {"profile_rule": {"phone1": "03", "phone2": "1111", "phone3": "2222"}}
    house.freee_injector.meanwhile(lambda: edit(house, employee, edited), method="PUT")
    house.work()
    item = item_of(house, run)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "approved_plan_changed")
    assert holds(house, employee, run, {**edited, "num": "A-77"})


def test_an_approved_preview_goes_on_when_something_else_moved(pair: Pair) -> None:
    house, crew, employee = pair
    two_requests(house, crew)
    run = run_to(house, TO_FREEE, dry_run=True)
    approve_retry_cancel.approve(house.ctx, run.id, by="test", acknowledged=True)
    house.freee_injector.meanwhile(lambda: edit(house, employee, FOREIGN["householder"]), method="PUT")
    house.work()
    assert item_of(house, run).state is ItemState.SUCCEEDED
    assert holds(house, employee, run, {**FOREIGN["householder"], "num": "A-77"})


def test_an_automatic_run_does_not_overwrite_what_moved_in_between(pair: Pair) -> None:
    """Policy: hold. The value that both sides have changed now is a conflict and stays."""
    house, crew, employee = pair
    two_requests(house, crew)
    edited = {"profile_rule": {"phone1": "03", "phone2": "1111", "phone3": "2222"}}
    house.freee_injector.meanwhile(lambda: edit(house, employee, edited), method="PUT")
    automatic(house, Automatic.SMARTHR_TO_FREEE, conflict_policy=ConflictPolicy.HOLD)
    run = run_to(house, TO_FREEE, trigger=Trigger.SCHEDULE)
    assert holds(house, employee, run, edited)
    assert item_of(house, run).state is ItemState.CONFLICT


def test_an_exchanged_item_that_moved_is_to_be_looked_at(pair: Pair) -> None:
    """The title is no part of the run; somebody changes it while the telephone number is written to SmartHR."""
    house, crew, employee = pair
    house.freee.edit(employee, {"profile_rule": {"phone1": "080", "phone2": "3333", "phone3": "4444"}})
    house.smarthr_injector.meanwhile(lambda: house.smarthr.edit(crew, {"last_name": "新田"}), method="PATCH")
    run = run_to(house, TO_SMARTHR)
    item = item_of(house, run)
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, MOVED)
    assert told(house, run) == {"last_name": (MOVED, "review")}
    assert house.smarthr.crew(crew)["last_name"] == "新田"


# ── SmartHR ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("nested", ["replace", "merge"])
def test_a_building_entered_before_the_patch_is_built_is_kept(pair: Pair, nested: str) -> None:
    """The job has read both sides and proves a null; meanwhile somebody enters the 建物名. Only the postal code was
    to be written, within an address that SmartHR takes as a whole. The new reading is planned anew: what the 建物名
    belongs to is a question now."""
    house, crew, employee = pair
    house.smarthr_injector.set_switch("nested_address", nested)
    house.smarthr.edit(crew, {"address": {"building": ""}, "widow_type": None})
    house.freee.edit(
        employee,
        {"profile_rule": {"residential_zipcode1": "105", "residential_zipcode2": "0014", "widow_type": "widow"}},
    )
    house.smarthr_injector.meanwhile(
        lambda: house.smarthr.edit(crew, {"address": {"building": "合瀬ビル2F"}}),
        method="GET",
        path="crews/",
        carried_out=True,
    )
    run = run_to(house, TO_SMARTHR)
    now = house.smarthr.crew(crew)
    item = item_of(house, run)
    assert now["address"]["building"] == "合瀬ビル2F"
    assert (item.state, item.error_code) == (ItemState.NEEDS_REVIEW, "building_unclear")
    assert now["widow_type"] == "widow", "the rest of the new plan is written"
    assert house.smarthr_injector.calls("GET", "crews/") in (3, 4), "the pair, the witness, once more"


def test_a_blank_part_of_an_address_is_not_carried(pair: Pair) -> None:
    """Entered in the window itself: it stays where SmartHR merges addresses, and the answer tells of it."""
    house, crew, employee = pair
    house.smarthr_injector.set_switch("nested_address", "merge")
    house.smarthr.edit(crew, {"address": {"building": ""}})
    house.freee.edit(employee, {"profile_rule": {"residential_zipcode1": "105", "residential_zipcode2": "0014"}})
    house.smarthr_injector.meanwhile(
        lambda: house.smarthr.edit(crew, {"address": {"building": "合瀬ビル2F"}}), method="PATCH"
    )
    run = run_to(house, TO_SMARTHR)
    assert house.smarthr.crew(crew)["address"]["building"] == "合瀬ビル2F"
    assert "home_address" in told(house, run)


def test_a_slow_patch_of_an_address_is_told(pair: Pair) -> None:
    house, _, employee = pair
    house.freee.edit(employee, {"profile_rule": {"residential_zipcode1": "105", "residential_zipcode2": "0014"}})
    house.smarthr_injector.fault(method="PATCH", times=1, delay=2.1)
    run = run_to(house, TO_SMARTHR)
    assert told(house, run) == {"address": (PERHAPS_PUT_BACK, "info")}


def test_a_slow_patch_that_carries_only_what_it_changes_needs_no_word(pair: Pair) -> None:
    house, crew, employee = pair
    house.freee.edit(employee, {"profile_rule": {"phone1": "080", "phone2": "3333", "phone3": "4444"}})
    house.smarthr_injector.fault(method="PATCH", times=1, delay=2.1)
    house.smarthr_injector.meanwhile(
        lambda: house.smarthr.edit(crew, {"address": {"building": "合瀬ビル2F"}}), method="PATCH"
    )
    run = run_to(house, TO_SMARTHR)
    assert house.smarthr.crew(crew)["address"]["building"] == "合瀬ビル2F"
    assert PERHAPS_PUT_BACK not in {code for code, _ in told(house, run).values()}


# ── undo, creates ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["householder", "employment_type"])
def test_an_undo_keeps_what_is_edited_between_its_requests(pair: Pair, name: str) -> None:
    house, crew, employee = pair
    before = freee_holds(house, employee, run_to(house, TO_FREEE, dry_run=True))
    two_requests(house, crew)
    run = run_to(house, TO_FREEE)
    preview = undo(house.ctx, run.id, by="test")
    house.work()
    approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
    house.freee_injector.meanwhile(lambda: edit(house, employee, FOREIGN[name]), method="PUT")
    house.work()
    held = freee_holds(house, employee, run)
    assert holds(house, employee, run, FOREIGN[name])
    for path in ("num", "profile_rule.phone1", "profile_rule.phone2", "profile_rule.phone3"):
        assert held[path] == before[path]


def test_the_writes_that_follow_a_create_keep_what_is_edited_between_them(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "create", most=1))
    run = house.start(TO_FREEE, as_of_date=now_in_japan(house))
    made: list[int] = []

    def edit() -> None:
        (person,) = house.freee.company.people
        made.append(person)
        house.freee.edit(person, {**FOREIGN["householder"], "bank_account_rule": {"bank_name": "架空銀行"}})

    house.freee_injector.meanwhile(edit, method="PUT", path="employees/[0-9]+$")
    house.work()
    assert item_of(house, run).state is ItemState.SUCCEEDED
    assert holds(house, made[0], run, {**FOREIGN["householder"], "bank_account_rule": {"bank_name": "架空銀行"}})


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.few(2)
@pytest.mark.parametrize("requests", range(6))
def test_at_most_one_reading_per_request_that_writes(pair: Pair, requests: int) -> None:
    """Nothing more for an unchanged person and for one request; one reading before each further request."""
    house, crew, _ = pair
    before = reads(house)
    run_to(house, TO_FREEE)
    unchanged = reads(house) - before
    for change in list(EVERY_REQUEST.values())[:requests]:
        house.smarthr.edit(crew, change)
    before, puts = reads(house), house.freee_injector.calls("PUT")
    run_to(house, TO_FREEE)
    assert house.freee_injector.calls("PUT") - puts == requests
    more = 1 + requests if requests else 0
    slow = 1 if requests else 0  # the first request has a reading of its own where a second has passed since planning
    assert more <= reads(house) - before - unchanged <= more + slow


# ── any edit at any moment ────────────────────────────────────────────────────────────────────────────────────────────


def test_any_single_foreign_edit_is_kept_before_the_last_reading_and_kept_or_told_after_it(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=1))
    item = item_of(house, run_to(house, TO_FREEE))
    crew, employee = item.source_id or "", int(item.target_id or 0)
    numbers = iter(range(10_000))

    @examples(25)
    @given(
        name=st.sampled_from(sorted(FOREIGN)),
        paths=st.sets(st.sampled_from(sorted(EVERY_REQUEST)), min_size=1),
        nth=st.integers(1, 5),
        carried_out=st.booleans(),
        blank=st.booleans(),
    )
    def holds_for(name: str, paths: set[str], nth: int, carried_out: bool, blank: bool) -> None:
        number = next(numbers)
        house.freee_injector.set_switch("omitted_field", "keep")
        edit(house, employee, as_before(blank=blank))
        for path in paths:
            house.smarthr.edit(crew, another(path, number))
        house.freee_injector.forget_requests()
        house.freee_injector.meanwhile(
            lambda: edit(house, employee, FOREIGN[name]), method="PUT", nth=nth, carried_out=carried_out
        )
        run = run_to(house, TO_FREEE)
        puts = [each.path.rpartition("/")[2] for each in house.freee_injector.requests if each.method == "PUT"]
        house.freee_injector.forget_meanwhile()
        if nth > len(puts):
            return
        assert item_of(house, run).state is ItemState.SUCCEEDED
        sent = puts[nth - 1] if puts[nth - 1] in OBJECTS else "employee"
        in_its_window = sent == object_of(name) and not carried_out
        kept = holds(house, employee, run, FOREIGN[name])
        assert kept or in_its_window
        if in_its_window and blank and name in ("email", "bank_name"):
            assert kept and told(house, run)

    holds_for()


def as_before(*, blank: bool) -> dict[str, Any]:
    """What freee holds of the foreign items at first. `blank`: nothing in those that may be blank."""
    householder = {"householder": "myself", "householder_name": "", "employment_type": "regular"}
    return {
        "display_name": "前の名",
        "profile_rule": {"email": None if blank else "a@example.com", **householder},
        "bank_account_rule": {"bank_name": None if blank else "前の銀行"},
        "health_insurance_rule": {"entried": True, "health_insurance_qualification_required": False},
        "welfare_pension_insurance_rule": {"entried": True},
    }


def another(path: str, number: int) -> dict[str, Any]:
    """A value for this request that no example has written before."""
    change = dict(EVERY_REQUEST[path])
    if "bank_accounts" in change:
        return {"bank_accounts": [{**change["bank_accounts"][0], "account_number": f"{number + 1:07}"}]}
    ((name, value),) = change.items()
    varied = {"emp_code": f"B-{number}", "tel_number": f"080-3333-{number:04}"}
    return {name: varied.get(name, value + number + 1 if isinstance(value, int) else value)}

"""Who waits for somebody's action: the state of people, kept by whichever run has the newest outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.enums import Direction, System, Trigger
from app.domain.runs.run_state import ItemState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.links.rows import AttentionRow
from app.use_cases.connections import automatic_settings
from app.use_cases.intake import approve_retry_cancel, attention_acts
from app.use_cases.intake.undo import undo
from app.use_cases.links import decide
from app.use_cases.queries.attention import see_attention
from app.use_cases.upkeep import reconcile, relay
from tests.house import KEY, House
from tests.listening import FREEE_TOKEN, automatic, listening, now_in_japan, settle, swept
from tests.use_cases.test_job import only

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


@pytest.fixture
def house(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """Four pairs that are equal, and linked."""
    house = open_practice(only(company, "equal", most=4), FREEE_WEBHOOK_TOKEN=FREEE_TOKEN)
    house.run(TO_FREEE)
    return house


def rows(house: House, direction: Direction | None = None) -> dict[str, AttentionRow]:
    with house.ctx.unit_of_work().reading() as uow:
        return {row.source_id: row for row in uow.attention.of_connection(house.connection.id, direction)}


def waiting(house: House, direction: Direction = TO_FREEE) -> dict[str, str]:
    """Source id → code."""
    return {source_id: row.code for source_id, row in rows(house, direction).items()}


def crew(house: House, nth: int = 0) -> str:
    return str(house.company.scenarios[nth].crew_id)


def employee(house: House, nth: int = 0) -> int:
    return house.company.scenarios[nth].employee_id or 0


def break_(house: House, nth: int = 0) -> None:
    """A telephone number abroad, which freee cannot take."""
    house.smarthr.edit(crew(house, nth), {"tel_number": "+1-212-555-0100"})


def mend(house: House, nth: int = 0) -> None:
    house.smarthr.edit(crew(house, nth), {"tel_number": phone_before(house, nth)})


def phone_before(house: House, nth: int) -> str:
    return str(next(each["tel_number"] for each in house.company.crews if each["id"] == crew(house, nth)))


def only_these(house: House, *nths: int) -> list[str]:
    """The numbers of these people, for a run over just them."""
    return [house.company.scenarios[nth].number for nth in nths]


def surveyed(house: House) -> None:
    """Do what waits in the queue now: a survey, and not the jobs that follow from it."""
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)


# ── outcomes ──


def test_a_bad_outcome_waits_and_names_what_it_blames(house: House) -> None:
    assert rows(house) == {}
    break_(house)
    run = house.run(TO_FREEE)
    (row,) = rows(house).values()
    assert (row.source_id, row.target_id) == (crew(house), str(employee(house)))
    assert (row.state, row.code, row.item_keys) == (ItemState.NEEDS_REVIEW, "foreign_phone", ("phone",))
    assert row.why.blames.items == {"phone"}
    assert (row.trigger, row.employee_number) == (Trigger.MANUAL, house.company.scenarios[0].number)
    assert row.name and row.item_id == house.item(run, row.employee_number).id


def test_it_waits_since_the_first_time_and_goes_with_a_good_outcome(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    first = rows(house)[crew(house)]
    house.clock.turn(hours=3)
    house.run(TO_FREEE)
    again = rows(house)[crew(house)]
    assert (again.since, again.at > first.at) == (first.since, True)
    mend(house)
    house.run(TO_FREEE)
    assert rows(house) == {}


def test_a_run_over_others_and_a_preview_change_nothing(house: House) -> None:
    break_(house, 0)
    house.run(TO_FREEE)
    house.run(TO_FREEE, employees=only_these(house, 1))
    assert waiting(house) == {crew(house, 0): "foreign_phone"}
    mend(house, 0)
    break_(house, 1)
    preview = house.run(TO_FREEE, dry_run=True)
    assert waiting(house) == {crew(house, 0): "foreign_phone"}
    house.smarthr.edit(crew(house, 2), {"tel_number": "080-0000-7777"})
    approve_retry_cancel.cancel(house.ctx, preview.id, by="test") if preview.finished_at is None else None
    house.work()
    assert waiting(house) == {crew(house, 0): "foreign_phone"}


def test_an_approved_preview_counts_unless_a_newer_outcome_has_overtaken_it(house: House) -> None:
    break_(house, 0)
    break_(house, 1)
    house.smarthr.edit(crew(house, 2), {"tel_number": "080-0000-7777"})
    preview = house.run(TO_FREEE, dry_run=True)
    house.clock.turn(minutes=1)
    mend(house, 0)
    house.run(TO_FREEE, employees=only_these(house, 0))
    approve_retry_cancel.approve(house.ctx, preview.id, by="test", acknowledged=True)
    house.work()
    assert waiting(house) == {crew(house, 1): "foreign_phone"}


def test_webhooks_comparisons_and_retries_keep_the_same_state(house: House) -> None:
    with listening(house, Automatic.SMARTHR_TO_FREEE):
        break_(house, 0)
        settle(house)
        assert waiting(house) == {crew(house, 0): "foreign_phone"}
        assert rows(house)[crew(house, 0)].trigger is Trigger.WEBHOOK
        house.clock.turn(minutes=6)
        swept(house)
        assert waiting(house) == {crew(house, 0): "foreign_phone"}
        mend(house, 0)
        settle(house)
        assert rows(house) == {}


def test_who_is_left_alone_waits_on_and_is_found_mended_by_the_comparison(house: House) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    break_(house)
    for _ in range(5):
        house.clock.turn(minutes=6)
        swept(house)
    with house.ctx.unit_of_work().reading() as uow:
        (trouble,) = uow.troubles.of_connection(house.connection.id, TO_FREEE)
    assert trouble.quarantined_at is not None
    row = rows(house)[crew(house)]
    assert row.item_id is not None
    mend(house)
    house.clock.turn(minutes=6)
    swept(house)
    assert rows(house) == {}


def test_a_cancelled_run_says_nothing_about_anybody(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    mend(house)
    started = house.start(TO_FREEE)
    approve_retry_cancel.cancel(house.ctx, started.id, by="test")
    house.work()
    assert waiting(house) == {crew(house): "foreign_phone"}


def test_whoever_a_run_gives_up_waits(house: House) -> None:
    house.smarthr.edit(crew(house), {"tel_number": "080-0000-7777"})
    run = house.start(TO_FREEE)
    surveyed(house)
    house.clock.turn(hours=house.ctx.settings.run_deadline_hours + 1)
    reconcile.reconcile_once(house.ctx)
    assert house.seen(run).finished_at is not None
    assert waiting(house) == {crew(house): "deadline"}
    house.run(TO_FREEE)
    assert rows(house) == {}


def test_an_undo_tells_what_it_could_not_put_back_and_a_good_one_ends_only_that(house: House) -> None:
    house.smarthr.edit(crew(house, 0), {"tel_number": "080-0000-7777"})
    break_(house, 1)
    house.smarthr.edit(crew(house, 2), {"tel_number": "080-0000-8888"})
    run = house.run(TO_FREEE)
    month = house.item(run, house.company.scenarios[0].number).pay_month
    other = {"profile_rule": {"phone1": "090", "phone2": "0000", "phone3": "1111"}}
    house.freee.edit(employee(house, 0), other, pay_month=month)
    back = undo(house.ctx, run.id, by="test")
    house.work()
    assert waiting(house) == {crew(house, 1): "foreign_phone"}, "its preview says nothing yet"
    approve_retry_cancel.approve(house.ctx, back.id, by="test", acknowledged=True)
    house.work()
    assert waiting(house) == {crew(house, 0): "changed_since", crew(house, 1): "foreign_phone"}
    assert rows(house)[crew(house, 0)].trigger is Trigger.UNDO
    house.run(TO_FREEE)
    assert waiting(house) == {crew(house, 1): "foreign_phone"}


# ── causes that are gone ──


def test_a_deleted_person_waits_for_a_decision_which_ends_it(house: House) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    house.smarthr.remove(crew(house))
    house.clock.turn(minutes=6)
    swept(house)
    assert waiting(house) == {crew(house): "source_deleted"}
    house.clock.turn(minutes=6)
    swept(house)
    assert waiting(house) == {crew(house): "source_deleted"}
    decide.release(house.ctx, KEY, smarthr_id=crew(house), freee_id=str(employee(house)), by="user:1")
    assert rows(house) == {}


def test_somebody_who_waited_and_is_listed_no_more_is_gone(house: House, company: PracticeCompany) -> None:
    decide.cut(house.ctx, KEY, smarthr_id=crew(house), by="user:1")
    house.run(TO_FREEE)
    assert waiting(house).keys() == {crew(house)}
    house.smarthr.remove(crew(house))
    house.clock.turn(minutes=1)
    house.run(TO_FREEE)
    assert rows(house) == {}


def test_a_link_made_by_a_person_ends_the_question_of_both_directions(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=3))
    house.smarthr.edit(crew(house), {"emp_code": "9900"})
    house.run(TO_FREEE)
    house.run(TO_SMARTHR)
    assert rows(house, TO_FREEE).keys() | rows(house, TO_SMARTHR).keys() == {crew(house), str(employee(house))}
    decide.join(house.ctx, KEY, smarthr_id=crew(house), freee_id=str(employee(house)), by="user:1")
    assert rows(house) == {}


def test_a_match_found_by_one_direction_ends_the_question_of_the_other(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=3))
    house.smarthr.edit(crew(house), {"emp_code": "9900"})
    house.run(TO_SMARTHR)
    assert waiting(house, TO_SMARTHR).keys() == {str(employee(house))}
    house.smarthr.edit(crew(house), {"emp_code": house.company.scenarios[0].number})
    house.clock.turn(minutes=1)
    house.run(TO_FREEE)
    assert rows(house) == {}


def test_what_only_automatic_runs_found_goes_with_the_direction(house: House) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    break_(house, 0)
    house.clock.turn(minutes=6)
    swept(house)
    break_(house, 1)
    house.run(TO_FREEE, employees=only_these(house, 1))
    assert waiting(house).keys() == {crew(house, 0), crew(house, 1)}
    automatic_settings.set_automatic(house.ctx, KEY, changes={"directions": "off"})
    assert waiting(house).keys() == {crew(house, 1)}


def test_a_difference_which_a_one_way_connection_does_not_mend_waits(house: House) -> None:
    automatic(house, Automatic.SMARTHR_TO_FREEE)
    house.freee.edit(employee(house), {"profile_rule": {"phone1": "090", "phone2": "0000", "phone3": "1111"}})
    house.clock.turn(minutes=6)
    swept(house)
    (row,) = rows(house).values()
    assert (row.code, row.state, row.item_keys, row.item_id) == (
        "only_target_changed",
        ItemState.UNCHANGED,
        ("phone",),
        None,
    )
    house.run(TO_SMARTHR)
    assert rows(house) == {}


# ── left for now ──


def left_for_now(house: House, nth: int = 0) -> None:
    until = now_in_japan(house) + timedelta(days=30)
    entry = f"person:{rows(house)[crew(house, nth)].id}"
    attention_acts.waive(house.ctx, entry, reason="確認中", until=until, by="user:1")


def shown(house: House) -> tuple[int, int]:
    """(who waits, who was left for now)"""
    seen = see_attention(house.ctx)
    return seen.total, seen.waived


def test_left_for_now_and_mended_nothing_stays_of_it(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    left_for_now(house)
    house.run(TO_FREEE)
    assert shown(house) == (0, 1)
    mend(house)
    house.run(TO_FREEE)
    assert shown(house) == (0, 0)
    break_(house)
    house.run(TO_FREEE)
    assert shown(house) == (1, 0), "broken anew: the decision was about the former trouble"


def test_left_for_now_it_shows_again_with_a_new_cause_and_stays_so(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    left_for_now(house)
    mend(house)
    decide.cut(house.ctx, KEY, smarthr_id=crew(house), by="user:1")
    house.run(TO_FREEE)
    assert waiting(house)[crew(house)] != "foreign_phone"
    assert shown(house) == (1, 0)


def test_left_for_now_and_kept_apart_it_waits_no_more(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=3))
    house.smarthr.edit(crew(house), {"emp_code": "9901"})
    house.run(TO_FREEE)
    left_for_now(house)
    decide.keep_apart(house.ctx, KEY, smarthr_id=crew(house), freee_id=str(employee(house)), by="user:1")
    assert (shown(house), rows(house)) == ((0, 0), {})


def test_a_person_with_several_who_may_be_them_is_still_asked_about(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(only(company, "equal", most=3))
    house.smarthr.edit(crew(house), {"emp_code": "9901"})
    house.run(TO_FREEE)
    assert waiting(house) == {crew(house): "link_ambiguous"}
    decide.keep_apart(house.ctx, KEY, smarthr_id=crew(house), freee_id=str(employee(house, 1)), by="user:1")
    assert waiting(house) == {crew(house): "link_ambiguous"}


def test_a_comparison_names_the_items_that_have_changed_on_both_sides(house: House) -> None:
    automatic(house, Automatic.BOTH)
    house.smarthr.edit(crew(house), {"tel_number": "080-0000-7777"})
    on, other = now_in_japan(house), {"profile_rule": {"phone1": "090", "phone2": "0000", "phone3": "1111"}}
    house.freee.edit(employee(house), other, pay_month=(on.year, on.month))
    house.clock.turn(minutes=6)
    swept(house)
    both = (*rows(house, TO_FREEE).values(), *rows(house, TO_SMARTHR).values())
    assert [(row.code, row.item_keys) for row in both] == [("conflict", ("phone",))] * 2


def test_both_sides_of_a_person_lead_to_the_row(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    with house.ctx.unit_of_work().reading() as uow:
        for system, person in ((System.SMARTHR, crew(house)), (System.FREEE, str(employee(house)))):
            found = uow.attention.of_person(house.connection.id, system, person)
            assert [row.source_id for row in found] == [crew(house)]
        assert uow.attention.of_person(house.connection.id, System.FREEE, crew(house)) == []


def test_names_go_with_the_retention_time(house: House) -> None:
    break_(house)
    house.run(TO_FREEE)
    house.clock.turn(days=house.ctx.settings.retention_days + 2)
    reconcile.reconcile_once(house.ctx)
    assert rows(house)[crew(house)].name == ""

"""The survey: resumes by page, closes the equal ones, finds who cannot take part, and keeps nothing half-done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from app.domain.enums import Direction, System
from app.domain.runs.run_state import ItemState, RunState
from app.practice.staff.practice_company import PracticeCompany, build_company
from app.use_cases.survey import survey
from app.use_cases.upkeep import relay
from tests.house import House
from tests.storage.databases import everything_stored

pytestmark = pytest.mark.reach("test")  # long journeys

TO_FREEE, TO_SMARTHR = Direction.SMARTHR_TO_FREEE, Direction.FREEE_TO_SMARTHR


def first_jobs(house: House) -> None:
    relay.relay_once(house.ctx)
    for job in house.queue.take():
        house.do(job)


def test_a_survey_goes_on_at_the_page_where_it_was_stopped(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(build_company(company.today, extra=300, equal_share=1.0))
    house.smarthr_injector.fault(method="GET", path="/v1/crews", nth=3, times=3, status=503, body="")
    run = house.start(TO_FREEE)
    first_jobs(house)
    assert house.seen(run).state is RunState.WAITING
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(run.id)
        assert row is not None
        assert uow.survey_pages.cursor(row.id, System.SMARTHR).pages == 2
    asked = [r.query for r in house.smarthr_injector.requests if r.path.endswith("/v1/crews")]
    house.smarthr_injector.clear_faults()
    house.work()
    again = [r.query for r in house.smarthr_injector.requests if r.path.endswith("/v1/crews")][len(asked) :]
    assert house.seen(run).state.is_final
    assert not set(asked[:2]) & set(again), "a page that was kept was read again"


def test_kept_pages_are_encrypted_and_gone_after_the_survey(house: House) -> None:
    house.freee_injector.fault(method="GET", path="/employees", times=9, status=503, body="")
    run = house.start(TO_FREEE)
    first_jobs(house)
    name = house.company.crews[0]["last_name_yomi"].encode()
    stored = everything_stored(house.ctx.settings)
    assert stored
    assert name not in stored
    house.freee_injector.clear_faults()
    house.work()
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(run.id)
        assert row is not None
        assert uow.survey_pages.cursor(row.id, System.SMARTHR).pages == 0


def test_named_people_only(house: House) -> None:
    equal = next(s for s in house.company.scenarios if s.to_freee == "equal" and s.crew_id)
    changed = next(s for s in house.company.scenarios if s.to_freee == "update" and s.crew_id)
    run = house.run(TO_FREEE, employees=(equal.number, changed.number))
    assert house.states(run) == {
        equal.crew_id: ItemState.UNCHANGED,
        changed.crew_id: ItemState.SUCCEEDED,
    }
    assert run.state is RunState.SUCCEEDED


def test_a_number_nobody_has_any_more_fails_with_its_reason(house: House) -> None:
    """The number was known when the run was started, and is gone at the survey."""
    scenario = next(s for s in house.company.scenarios if s.to_freee == "equal" and s.crew_id)
    house.run(TO_FREEE, employees=(scenario.number,))
    run = house.start(TO_FREEE, employees=(scenario.number,))
    house.smarthr.edit(scenario.crew_id or "", {"emp_code": "NEU-1"})
    house.work()
    item = house.item(house.seen(run), scenario.number)
    assert (item.state, item.error_code) == (ItemState.FAILED, "E9")
    assert house.seen(run).state is RunState.FAILED


def test_somebody_who_is_not_offered_on_that_day_is_left_out_when_named(house: House) -> None:
    scenario = next(s for s in house.company.scenarios if s.to_freee == "not_offered" and s.crew_id and s.number)
    run = house.run(TO_FREEE, employees=(scenario.number,))
    item = house.item(run, scenario.number)
    assert (item.state, item.error_code in ("joins_later", "left_before")) == (ItemState.LEFT_OUT, True)


def test_many_writes_go_to_the_bulk_queue(open_practice: Callable[..., House]) -> None:
    house = open_practice(BULK_FROM="2")
    house.start(TO_FREEE)
    first_jobs(house)
    relay.relay_once(house.ctx)
    jobs = [job for job in house.queue.take() if job.function.endswith("sync_item")]
    assert jobs
    assert {job.queue for job in jobs} == {"bulk"}


def test_jobs_carry_ids_only(house: House) -> None:
    house.run(TO_FREEE)
    assert {type(argument) for job in house.jobs_done for argument in job.args} == {int}


def test_a_survey_that_died_while_storing_starts_the_storing_anew(house: House) -> None:
    run = house.start(TO_FREEE)
    with house.ctx.unit_of_work() as uow:
        row = uow.runs.get_by_public_id(run.id)
        assert row is not None
        now = house.clock.now()
        uow.runs.claim_survey(row.id, now=now, lease_until=now + timedelta(seconds=30))
    survey.survey_run(house.ctx, row.id)
    assert house.seen(run).state is RunState.SURVEYING, "somebody else holds it"
    house.work()
    assert house.seen(run).state is RunState.PARTLY_FAILED
    numbers = [item.position for item in house.items(run)]
    assert numbers == list(range(len(numbers)))


def test_a_survey_that_nobody_answers_ends_as_a_failed_run_with_a_mail(house: House) -> None:
    house.smarthr_injector.set_switch("token_revoked", True)
    run = house.run(TO_FREEE)
    assert run.state is RunState.FAILED
    assert run.error_code
    assert len(house.postbox.mails) == 1
    assert "書き込んでいません" in house.postbox.mails[0].body


def test_months_of_each_person_follow_the_own_pay_schedule(house: House) -> None:
    run = house.run(TO_FREEE)
    months = {(item.closing_month, item.pay_month) for item in house.items(run) if item.target_id}
    this, following = "2026-11", "2026-12"
    assert (this, this) in months
    assert (this, following) in months


def test_from_freee_the_positions_master_decides_about_titles(
    open_practice: Callable[..., House], company: PracticeCompany
) -> None:
    house = open_practice(company)
    house.run(TO_SMARTHR)
    names = {master["name"] for master in house.smarthr.state.job_titles.values()}
    assert names == {master["name"] for master in company.job_titles}, "a title of freee became a 役職 of SmartHR"

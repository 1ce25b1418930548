"""Law: a database that wakes up elsewhere rests until a person adopts it, and then compares before it writes.

A copy begins no run and no job, sends no mail, renews no token and writes to no vendor, whatever door is used: tried at
the wire of both practice vendors. What comes in is kept. `tests/web/test_house.py` tries the doors of the web and of
the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from app.domain.enums import Direction, System, Trigger
from app.domain.errors import Refused, TemporaryError
from app.domain.ports import Mail
from app.domain.runs.run_state import ItemState, RunState
from app.domain.settings.connection_settings import Automatic
from app.practice.staff.practice_company import PracticeCompany
from app.storage.tables.upkeep_models import HouseTable
from app.use_cases.employee.job import sync_item
from app.use_cases.household import CODE, Household, Standing
from app.use_cases.intake.approve_retry_cancel import approve, cancel
from app.use_cases.queries.history import list_runs
from app.use_cases.shared.at_home import MARK
from app.use_cases.shared.views import RunView
from app.use_cases.upkeep.adoption import adopt, house_view
from app.use_cases.upkeep.heartbeat import beat
from app.use_cases.upkeep.homekeeping import Homekeeping
from app.use_cases.upkeep.relay import relay_once
from tests.house import KEY, House
from tests.use_cases.test_job import only
from tests.use_cases.test_nobody_doubled import new_crew
from workers.cron import Timetable, table

pytestmark = pytest.mark.database("sqlite")

TO_FREEE = Direction.SMARTHR_TO_FREEE
GOES_ON = {"meter": "counts", "forget_brakes": "sign-ins are braked", "renew_leftovers": "keys of stored values"}
"""Periodic work of a copy, with what it is about: it asks no vendor, sends no mail and changes no run."""


@pytest.fixture
def original(open_practice: Callable[..., House], company: PracticeCompany) -> House:
    """A house with newcomers, whose token ends during the test, at home in its database."""
    house = open_practice(only(company, "create", "update", "equal", most=6), turn_freee=True)
    assert Homekeeping(house.ctx).keep() is Standing.AT_HOME
    return house


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Callable[[House], House]]:
    """`copied(house)` → the same database on another host, as it is now."""
    made: list[House] = []

    def copy(house: House) -> House:
        made.append(house.copied_to(tmp_path / f"elsewhere-{len(made)}"))
        return made[-1]

    yield copy
    for house in made:
        house.database.dispose()


def in_the_middle(house: House, *, done: int = 2) -> RunView:
    """A run of which some people are done, one is in a worker's hands, and the others are queued."""
    run = house.start(TO_FREEE)
    relay_once(house.ctx)
    for job in house.queue.take():  # the survey
        house.do(job)
    relay_once(house.ctx)
    jobs = house.queue.take()
    assert len(jobs) > done + 1
    for job in jobs[:done]:
        house.do(job)
    item_id, attempt = jobs[done].args
    with house.ctx.unit_of_work() as uow:
        lease = house.clock.now() + timedelta(seconds=30)
        assert uow.items.claim(item_id, attempt, now=house.clock.now(), lease_until=lease, worker="gone")
    return run


def automatic(house: House) -> None:
    with house.ctx.unit_of_work() as uow:
        uow.connections.set_options(replace(house.connection, automatic=Automatic.BOTH))


def a_day(house: House) -> None:
    """A day of this process: the relay, every job and every periodic job, again and again."""
    timetable = Timetable(table(house.ctx.settings), now=lambda: house.clock.now().timestamp())
    for _ in range(8):
        house.work(reconciling=False)
        timetable.run_due(house.ctx)
        house.clock.turn(seconds=3 * 3600)


def outside(house: House) -> tuple[int, int]:
    """How many requests have changed something at a vendor, and how many went to freee's token endpoint."""
    seen = [*house.smarthr_injector.requests, *house.freee_injector.requests]
    return house.writes(), sum("/public_api/token" in request.path for request in seen)


def newcomers(house: House) -> dict[str, int]:
    """Employee number → how many employees of freee's have it, of those who are in SmartHR."""
    return {crew["emp_code"]: len(house.freee.ids_by_num(crew["emp_code"])) for crew in house.company.crews}


def preview_of(house: House, direction: Direction) -> RunView:
    """The comparison of this direction that the adoption has asked for."""
    runs = list_runs(house.ctx, limit=100).items
    return next(run for run in runs if run.dry_run and run.direction is direction)


# ── resting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_in_the_middle_of_a_run_begins_nothing(original: House, copied: Callable[[House], House]) -> None:
    automatic(original)
    in_the_middle(original)
    copy, before = copied(original), outside(original)
    assert Homekeeping(copy.ctx).keep() is Standing.COPY
    a_day(copy)
    assert outside(original) == before
    assert (copy.postbox.mails, copy.jobs_done) == ([], [])
    with pytest.raises(Refused) as refused:
        copy.start(TO_FREEE)
    assert (refused.value.code, refused.value.status) == (CODE, 503)


def test_a_copy_does_no_job_that_a_broker_hands_to_it(original: House, copied: Callable[[House], House]) -> None:
    """The broker may be the original's, or hold jobs from before."""
    run = in_the_middle(original)
    copy, before = copied(original), outside(original)
    waiting = next(item for item in copy.items(run) if item.state is ItemState.WAITING)
    sync_item(copy.ctx, waiting.id, waiting.attempt)
    assert outside(original) == before
    assert copy.items(run) == original.items(run)


def test_the_original_finishes_and_keeps_its_consent(original: House, copied: Callable[[House], House]) -> None:
    run = in_the_middle(original)
    copy = copied(original)
    a_day(copy)
    original.work()
    assert original.seen(run).finished_at is not None
    assert len(original.postbox.mails) == 1
    assert max(newcomers(original).values()) == 1
    assert original.ctx.keep_alive(original.connection), "the refresh token is as good as it was"
    assert not original.connection.needs_consent


def test_behind_the_gate_nothing_leaves_either(original: House, copied: Callable[[House], House]) -> None:
    """Should a door ever forget to ask: no request of a copy changes anything outside."""
    copy, before = copied(original), outside(original)
    with pytest.raises(TemporaryError, match=CODE):
        copy.ctx.keep_alive(copy.connection)
    gateway = copy.ctx.gateway(copy.connection, System.SMARTHR)
    assert gateway.directory(as_of_date=copy.today), "reading is allowed"
    with pytest.raises(TemporaryError, match=CODE):
        copy.ctx.webhook_registry(copy.connection).register(
            url="http://awase.test/hook", secret="an-invented-secret", description="test"
        )
    with pytest.raises(TemporaryError, match=CODE):
        copy.ctx.authorisation.finish("a-code", redirect_uri="http://awase.test", verifier="v" * 43)
    assert outside(original) == before


def test_every_periodic_job_asks_at_the_gate(original: House) -> None:
    rows = table(original.ctx.settings)
    asking = {row.name for row in rows if getattr(row.work, MARK, False)}
    bare = {row.name for row in rows} - asking
    assert bare - set(GOES_ON) == set(), "each begins work: @only_at_home on its function, or its reason in GOES_ON"
    assert set(GOES_ON) <= bare


# ── whose database it is ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_start_adopts_silently_and_a_second_process_is_at_home(
    open_practice: Callable[..., House], copied: Callable[[House], House]
) -> None:
    house = open_practice()
    with house.database.engine.begin() as connection:
        connection.execute(delete(HouseTable))  # as an upgrade finds it
    assert house.ctx.household.look() is Standing.UNCLAIMED
    house.ctx.household.require()  # as before the first write
    assert house.ctx.household.standing() is Standing.AT_HOME
    second = Household(house.ctx.household.identity, house.ctx.unit_of_work, house.clock)
    assert second.standing() is Standing.AT_HOME
    assert house_view(house.ctx).adopted_at is None


def test_a_process_without_an_identity_begins_nothing(original: House) -> None:
    ctx = replace(original.ctx, household=Household(None, original.ctx.unit_of_work, original.clock))
    assert Homekeeping(ctx).keep() is Standing.NO_IDENTITY
    with pytest.raises(TemporaryError, match=CODE):
        ctx.household.require()
    with pytest.raises(Refused, match="no_identity"):
        adopt(ctx, by="cli")


def test_two_houses_on_one_database_notice_each_other(original: House, tmp_path: Path) -> None:
    stranger = original.in_the_name_of(tmp_path / "other")
    beat(original.ctx, "web@here:1", since=original.clock.now())
    assert Homekeeping(stranger.ctx).keep() is Standing.COPY
    beat(stranger.ctx, "web@there:1", since=original.clock.now())
    for house, other in ((original, "web@there:1"), (stranger, "web@here:1")):
        Homekeeping(house.ctx).keep()
        assert house.ctx.household.others == (other,)
        assert house_view(house.ctx).others == (other,)
    adopt(stranger.ctx, by="cli")
    assert Homekeeping(original.ctx).keep() is Standing.COPY, "only one house works"
    stranger.database.dispose()


# ── adopting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_after_the_adoption_a_comparison_comes_first_and_nobody_is_doubled_or_lost(
    original: House, copied: Callable[[House], House]
) -> None:
    """The original went on after the copy and then stopped for good."""
    run = in_the_middle(original)
    copy = copied(original)
    original.work()
    made = newcomers(original)
    hired = {**new_crew(original), "emp_code": "90001", "last_name_yomi": "カクウ", "birth_at": "1991-02-03"}
    original.smarthr.add({name: value for name, value in hired.items() if name != "id"})
    before = outside(original)

    view = adopt(copy.ctx, by="cli")
    assert view.standing is Standing.AT_HOME
    copy.work()
    assert outside(original) == before, "nothing is written before somebody has looked"
    assert copy.seen(run).finished_at is not None
    assert set(copy.states(run).values()) & {ItemState.CANCELLED}
    preview = preview_of(copy, TO_FREEE)
    assert preview.state is RunState.PREVIEWED
    (compared,) = [each for each in house_view(copy.ctx).comparisons if each.direction is TO_FREEE]
    assert compared.run == preview.id
    assert compared.lost is not None
    assert compared.lost.linked > 0, "the comparison tells whom the lost hours have written"

    approve(copy.ctx, preview.id, by="test", acknowledged=True)
    copy.work()
    assert {number: newcomers(copy)[number] for number in made} == made
    assert max(newcomers(copy).values()) == 1
    assert len(copy.freee.ids_by_num("90001")) == 1, "nobody is lost"


def test_nothing_that_writes_starts_before_somebody_has_looked(
    original: House, copied: Callable[[House], House]
) -> None:
    in_the_middle(original)
    copy = copied(original)
    adopt(copy.ctx, by="cli")
    for trigger in (Trigger.MANUAL, Trigger.API):
        with pytest.raises(Refused) as refused:
            copy.start(TO_FREEE, trigger=trigger)
        assert (refused.value.code, refused.value.status) == ("compare_first", 409)
    copy.work()
    cancel(copy.ctx, preview_of(copy, TO_FREEE).id, by="test")
    copy.work()
    assert copy.run(TO_FREEE).finished_at is not None


def test_automatic_sync_begins_anew_with_a_preview(original: House, copied: Callable[[House], House]) -> None:
    automatic(original)
    in_the_middle(original)
    copy, before = copied(original), outside(original)[0]
    adopt(copy.ctx, by="cli")
    a_day(copy)
    assert outside(original)[0] == before
    for direction in Direction:
        assert preview_of(copy, direction).trigger is Trigger.SCHEDULE
    approve(copy.ctx, preview_of(copy, TO_FREEE).id, by="test", acknowledged=True)
    a_day(copy)
    assert outside(original)[0] > before
    assert max(newcomers(copy).values()) == 1


def test_an_adoption_is_written_down_and_is_done_once(original: House, copied: Callable[[House], House]) -> None:
    run = in_the_middle(original)
    copy = copied(original)
    mine, theirs = copy.ctx.household.mark, original.ctx.household.mark
    adopt(copy.ctx, by="cli")
    with copy.ctx.unit_of_work() as uow:
        (entry,) = [row for row in uow.audit.page(limit=50) if row.action == "house_adopted"]
    assert entry.detail == {"from": theirs, "to": mine, "runs": 1}
    with pytest.raises(Refused, match="already_at_home"):
        adopt(copy.ctx, by="cli")
    copy.work()
    assert copy.seen(run).finished_at is not None
    assert [mail for mail in copy.postbox.mails if isinstance(mail, Mail)]
    assert copy.connection.key == KEY
